"""The cost of typed rows: pages of 100 rows from bytes, by kiwoom_async and by others.

Prints ratios measured in one run, page by page in alternating order: absolute figures differ from
machine to machine, and from minute to minute. Times are CPU times, so that other programs count
little. msgspec and pydantic take part where installed.
"""

import datetime
import importlib
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from kiwoom_async import (
    DecodeError,
    Exchange,
    Market,
    PriceMove,
    ProgramTrade,
    ProgramTradeQuery,
)
from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async._protocol.pages import decode_page, first_cursor
from kiwoom_async.sandbox import Sandbox

ROUNDS = 11
ROWS_PER_PAGE = 100
ROWS_KEY = "stk_prm_trde_prst"
MOVES = dict(zip("12345", PriceMove, strict=True))
QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
CURSOR = first_cursor(QUERY)
LOOP = "hand-written loop"
TOTALS = {f"tot_{number}": "0" for number in range(1, 6)} | {"tot_6": ""}
STATUS = {"return_code": 0, "return_msg": "정상적으로 처리되었습니다"}

Decoder = Callable[[Response], object]


def page_answer(rows: list[dict[str, str]]) -> Response:
    body = json.dumps({ROWS_KEY: rows} | TOTALS | STATUS, ensure_ascii=False).encode()
    return Response(Request("ka90004", "/", {}, b"", ()), 200, {"api-id": "ka90004"}, body)


def day_pages(stocks: int, days: int) -> list[Response]:
    """Return days of so many stocks: of a few, most have traded; of all, one in three."""
    last, sandbox, pages = datetime.date(2026, 11, 20), Sandbox(kospi_stocks=stocks), []
    for back in range(days):
        rows = sandbox.rows(f"{last - datetime.timedelta(weeks=back):%Y%m%d}", "P00101", "1")
        starts = range(0, len(rows) - ROWS_PER_PAGE + 1, ROWS_PER_PAGE)
        pages += [rows[start : start + ROWS_PER_PAGE] for start in starts]
    return [page_answer(rows) for rows in pages]


def as_dicts(answer: Response) -> object:
    """Parse the JSON, and no more."""
    return json.loads(answer.body)


def by_default_engine(answer: Response) -> object:
    """Decode by the default engine."""
    return decode_page(answer, QUERY, CURSOR)


def fast_engine() -> Decoder:
    """Return the decoder of FastEngine."""
    speed: Any = importlib.import_module("kiwoom_async.speed")
    engine = speed.FastEngine()
    return lambda answer: engine.decode_page(answer, QUERY, CURSOR)


def by_hand(answer: Response) -> list[ProgramTrade]:
    """Build the same rows by a loop without a library, checks or messages: the yardstick."""
    return [
        ProgramTrade(
            symbol=raw["stk_cd"],
            stock_name=raw["stk_nm"],
            price=abs(int(raw["cur_prc"])),
            move=MOVES.get(raw["flu_sig"]),
            change=int(raw["pred_pre"]),
            buy_quantity=int(raw["buy_cntr_qty"]),
            buy_amount=int(raw["buy_cntr_amt"]),
            sell_quantity=int(raw["sel_cntr_qty"]),
            sell_amount=int(raw["sel_cntr_amt"]),
            net_buy_amount=int(raw["netprps_prica"]),
            turnover_share=Decimal(raw["all_trde_rt"]),
            date=QUERY.date,
            market=QUERY.market,
            exchange=QUERY.exchange,
        )
        for raw in json.loads(answer.body)[ROWS_KEY]
    ]


# Types that pydantic and msgspec read without help.
UNSIGNED = ("buy_cntr_qty", "buy_cntr_amt", "sel_cntr_qty", "sel_cntr_amt")
TYPES: dict[str, Any] = dict.fromkeys(UNSIGNED, int) | {
    "stk_cd": str,
    "stk_nm": str,
    "all_trde_rt": Decimal,
}


def with_msgspec() -> Decoder:
    """Return a decoder that does less: numbers with a plus stay text, the query is left out."""
    msgspec: Any = importlib.import_module("msgspec")
    texts = dict.fromkeys(("cur_prc", "flu_sig", "pred_pre", "netprps_prica"), str)
    row = msgspec.defstruct("Row", list((TYPES | texts).items()), frozen=True)
    page = msgspec.defstruct("Page", [(ROWS_KEY, list.__class_getitem__(row))])
    decoder = msgspec.json.Decoder(page, strict=False)
    return lambda answer: decoder.decode(answer.body)


def pydantic_fields() -> tuple[Any, dict[str, Any]]:
    """Return pydantic, and the fields of its model of a row."""
    pydantic: Any = importlib.import_module("pydantic")
    types = TYPES | {
        "cur_prc": Annotated[int, pydantic.AfterValidator(abs)],
        "flu_sig": Annotated[PriceMove | None, pydantic.BeforeValidator(MOVES.get)],
        "pred_pre": int,
        "netprps_prica": int,
    }
    return pydantic, {name: (type_, ...) for name, type_ in types.items()}


def with_pydantic() -> Decoder:
    """Return a decoder that does less: a page as one model, the query is left out."""
    pydantic, fields = pydantic_fields()
    row = pydantic.create_model("Row", __config__=pydantic.ConfigDict(frozen=True), **fields)
    page = pydantic.create_model("Page", **{ROWS_KEY: (list.__class_getitem__(row), ...)})
    return lambda answer: page.model_validate_json(answer.body)


def with_pydantic_and_query(loads: Callable[[bytes], Any] = json.loads) -> Decoder:
    """Return a decoder of frozen models with the fields sent and those of the query."""
    pydantic, fields = pydantic_fields()
    from_query = {
        "date": (datetime.date, ...),
        "market": (Market, ...),
        "exchange": (Exchange, ...),
    }
    config = pydantic.ConfigDict(frozen=True)
    row = pydantic.create_model("Row", __config__=config, **fields, **from_query)
    validate = pydantic.TypeAdapter(list.__class_getitem__(row)).validate_python
    context = {"date": QUERY.date, "market": QUERY.market, "exchange": QUERY.exchange}
    return lambda answer: validate([{**r, **context} for r in loads(answer.body)[ROWS_KEY]])


def with_pydantic_and_msgspec() -> Decoder:
    """Return the same with msgspec's JSON reader."""
    msgspec: Any = importlib.import_module("msgspec")
    return with_pydantic_and_query(msgspec.json.decode)


def contenders() -> dict[str, Decoder]:
    """Return the decoders of what is installed, by name."""
    decoders: dict[str, Decoder] = {
        "json and dicts": as_dicts,
        LOOP: by_hand,
        "kiwoom_async": by_default_engine,
    }
    for name, make in (
        ("kiwoom_async, FastEngine", fast_engine),
        ("msgspec (bound)", with_msgspec),
        ("pydantic (bound)", with_pydantic),
        ("pydantic", with_pydantic_and_query),
        ("pydantic and msgspec", with_pydantic_and_msgspec),
    ):
        try:
            decoders[name] = make()
        except ModuleNotFoundError:
            print(f"{name} is not installed")
    return decoders


def cpu_seconds(decode: Decoder, answer: Response) -> float:
    started_at = time.process_time()
    decode(answer)
    return time.process_time() - started_at


def time_round(decoders: dict[str, Decoder], pages: list[Response]) -> dict[str, list[float]]:
    """Return the seconds of each page by each decoder, in alternating order."""
    times: dict[str, list[float]] = {name: [] for name in decoders}
    order = list(decoders.items())
    for answer in pages:
        for name, decode in order:
            times[name].append(cpu_seconds(decode, answer))
        order.reverse()
    return times


def compare(decoders: dict[str, Decoder], pages: list[Response]) -> None:
    """Print the cost of each decoder, and its ratio to the loop, round by round."""
    rounds = [time_round(decoders, pages) for _ in range(ROUNDS)]
    for name in decoders:
        per_row = [sum(times[name]) / (len(pages) * ROWS_PER_PAGE) * 1e6 for times in rounds]
        ratios = [sum(times[name]) / sum(times[LOOP]) for times in rounds]
        longest = max(max(times[name]) for times in rounds) * 1e3
        print(
            f"{name:>24}: {statistics.median(per_row):5.2f} us a row"
            f" ({min(per_row):.2f} to {max(per_row):.2f})"
            f", {statistics.median(ratios):.2f} times the loop"
            f" ({min(ratios):.2f} to {max(ratios):.2f}), longest page {longest:.2f} ms"
        )


def bytes_per_row(decode: Decoder, pages: list[Response]) -> float:
    """Return the bytes that a row and all it holds keep in memory."""
    decode(pages[0])
    tracemalloc.start()
    kept = [decode(answer) for answer in pages]
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / (len(kept) * ROWS_PER_PAGE)


def decode_refused(answer: Response) -> None:
    """Decode a page that must be refused; AssertionError if it is not."""
    try:
        by_default_engine(answer)
    except DecodeError:
        return
    raise AssertionError("the page was not refused")


def time_refusals(pages: list[Response]) -> None:
    """Print the time of the refusal of a page, which is read a second time, in detail."""
    rows = json.loads(pages[0].body)[ROWS_KEY]
    one_bad = page_answer([*rows[:-1], rows[-1] | {"buy_cntr_qty": "abc"}])
    all_bad = page_answer([dict.fromkeys(row, "?") | {"stk_cd": row["stk_cd"]} for row in rows])
    for name, answer in (("one bad number", one_bad), ("nothing but bad numbers", all_bad)):
        median = statistics.median(cpu_seconds(decode_refused, answer) for _ in range(ROUNDS)) * 1e3
        print(f"a page with {name} is refused in {median:.2f} ms")


def main() -> None:
    decoders = contenders()
    for stocks, days in ((2_472, 1), (ROWS_PER_PAGE, 24)):
        pages = day_pages(stocks, days)
        rows = len(pages) * ROWS_PER_PAGE
        zeros = sum(page.body.count(b'"buy_cntr_amt": "0"') for page in pages) / rows
        pages_text = f"{len(pages)} pages of {ROWS_PER_PAGE} rows"
        print(f"\n{pages_text}, {zeros:.0%} without trades, {ROUNDS} rounds")
        compare(decoders, pages)
        for name in (LOOP, "kiwoom_async"):
            print(f"{name:>24}: {bytes_per_row(decoders[name], pages):.0f} bytes a row")
    time_refusals(pages)


if __name__ == "__main__":
    main()
