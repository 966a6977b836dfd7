"""What typed rows cost: pages of 100 rows from bytes, by our converter and by others.

Prints ratios measured in one run, page by page in alternating order: absolute figures differ from
machine to machine, and from minute to minute. Times are the processor's, so that other programs
count little. msgspec and pydantic take part where installed.
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
ROWS = 100
LIST = "stk_prm_trde_prst"
MOVES = dict(zip("12345", PriceMove, strict=True))
QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
CURSOR = first_cursor(QUERY)
LOOP = "hand-written loop"
TOTALS = {f"tot_{number}": "0" for number in range(1, 6)} | {"tot_6": ""}
STATUS = {"return_code": 0, "return_msg": "정상적으로 처리되었습니다"}

Decoder = Callable[[Response], object]


def answer_of(rows: list[dict[str, str]]) -> Response:
    body = json.dumps({LIST: rows} | TOTALS | STATUS, ensure_ascii=False).encode()
    return Response(Request("ka90004", "/", {}, b"", ()), 200, {}, body)


def pages_of(stocks: int, days: int) -> list[Response]:
    """Return days of so many stocks: of a few, most have traded; of all, one in three."""
    last, sandbox, pages = datetime.date(2026, 11, 20), Sandbox(kospi_stocks=stocks), []
    for back in range(days):
        rows = sandbox.rows(f"{last - datetime.timedelta(weeks=back):%Y%m%d}", "P00101", "1")
        pages += [rows[start : start + ROWS] for start in range(0, len(rows) - ROWS + 1, ROWS)]
    return [answer_of(rows) for rows in pages]


def plain(answer: Response) -> object:
    return json.loads(answer.body)


def ours(answer: Response) -> object:
    """Decode by the default engine."""
    return decode_page(answer, QUERY, CURSOR)


def ours_with_fast_engine() -> Decoder:
    """Return the decoding of FastEngine."""
    speed: Any = importlib.import_module("kiwoom_async.speed")
    engine = speed.FastEngine()
    return lambda answer: engine.decode_page(answer, QUERY, CURSOR)


def by_hand(answer: Response) -> list[ProgramTrade]:
    """The yardstick: a loop written without a library; no check, no message, the same rows."""
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
        for raw in json.loads(answer.body)[LIST]
    ]


# Types that pydantic and msgspec read without help.
NUMBERS = ("buy_cntr_qty", "buy_cntr_amt", "sel_cntr_qty", "sel_cntr_amt")
KINDS: dict[str, Any] = dict.fromkeys(NUMBERS, int) | {
    "stk_cd": str,
    "stk_nm": str,
    "all_trde_rt": Decimal,
}


def with_msgspec() -> Decoder:
    """A bound, no equal: a number with a plus stays text, and the query is not put in."""
    msgspec: Any = importlib.import_module("msgspec")
    texts = dict.fromkeys(("cur_prc", "flu_sig", "pred_pre", "netprps_prica"), str)
    row = msgspec.defstruct("Row", list((KINDS | texts).items()), frozen=True)
    page = msgspec.defstruct("Page", [(LIST, list.__class_getitem__(row))])
    decoder = msgspec.json.Decoder(page, strict=False)
    return lambda answer: decoder.decode(answer.body)


def pydantic_row() -> tuple[Any, dict[str, Any]]:
    pydantic: Any = importlib.import_module("pydantic")
    kinds = KINDS | {
        "cur_prc": Annotated[int, pydantic.AfterValidator(abs)],
        "flu_sig": Annotated[PriceMove | None, pydantic.BeforeValidator(MOVES.get)],
        "pred_pre": int,
        "netprps_prica": int,
    }
    return pydantic, {name: (kind, ...) for name, kind in kinds.items()}


def with_pydantic() -> Decoder:
    """A bound: frozen models of a page at once, in which the query is not put in."""
    pydantic, fields = pydantic_row()
    row = pydantic.create_model("Row", __config__=pydantic.ConfigDict(frozen=True), **fields)
    page = pydantic.create_model("Page", **{LIST: (list.__class_getitem__(row), ...)})
    return lambda answer: page.model_validate_json(answer.body)


def with_pydantic_and_query(loads: Callable[[bytes], Any] = json.loads) -> Decoder:
    """The same fields as ours: frozen models, each of what was sent and of the query."""
    pydantic, fields = pydantic_row()
    ours = {"date": (datetime.date, ...), "market": (Market, ...), "exchange": (Exchange, ...)}
    config = pydantic.ConfigDict(frozen=True)
    row = pydantic.create_model("Row", __config__=config, **fields, **ours)
    validate = pydantic.TypeAdapter(list.__class_getitem__(row)).validate_python
    context = {"date": QUERY.date, "market": QUERY.market, "exchange": QUERY.exchange}
    return lambda answer: validate([{**r, **context} for r in loads(answer.body)[LIST]])


def with_pydantic_and_msgspec() -> Decoder:
    """Return the same with msgspec's JSON reader."""
    msgspec: Any = importlib.import_module("msgspec")
    return with_pydantic_and_query(msgspec.json.decode)


def contenders() -> dict[str, Decoder]:
    found: dict[str, Decoder] = {"json and dicts": plain, LOOP: by_hand, "kiwoom_async": ours}
    for name, made in (
        ("kiwoom_async, FastEngine", ours_with_fast_engine),
        ("msgspec (bound)", with_msgspec),
        ("pydantic (bound)", with_pydantic),
        ("pydantic", with_pydantic_and_query),
        ("pydantic and msgspec", with_pydantic_and_msgspec),
    ):
        try:
            found[name] = made()
        except ModuleNotFoundError:
            print(f"{name} is not installed")
    return found


def seconds(decode: Decoder, answer: Response) -> float:
    began = time.process_time()
    decode(answer)
    return time.process_time() - began


def one_round(decoders: dict[str, Decoder], pages: list[Response]) -> dict[str, list[float]]:
    """Return the seconds of each page by each decoder, in alternating order."""
    taken: dict[str, list[float]] = {name: [] for name in decoders}
    order = list(decoders.items())
    for answer in pages:
        for name, decode in order:
            taken[name].append(seconds(decode, answer))
        order.reverse()
    return taken


def compare(decoders: dict[str, Decoder], pages: list[Response]) -> None:
    rounds = [one_round(decoders, pages) for _ in range(ROUNDS)]
    for name in decoders:
        row = [sum(one[name]) / (len(pages) * ROWS) * 1e6 for one in rounds]
        ratios = [sum(one[name]) / sum(one[LOOP]) for one in rounds]
        longest = max(max(one[name]) for one in rounds) * 1e3
        print(
            f"{name:>24}: {statistics.median(row):5.2f} us a row ({min(row):.2f} to {max(row):.2f})"
            f", {statistics.median(ratios):.2f} times the loop"
            f" ({min(ratios):.2f} to {max(ratios):.2f}), longest page {longest:.2f} ms"
        )


def bytes_a_row(decode: Decoder, pages: list[Response]) -> float:
    """Return the bytes that a row and all it holds keep in memory."""
    decode(pages[0])
    tracemalloc.start()
    kept = [decode(answer) for answer in pages]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / (len(kept) * ROWS)


def refused(answer: Response) -> None:
    try:
        ours(answer)
    except DecodeError:
        return
    raise AssertionError("it was to be refused")


def refusals(pages: list[Response]) -> None:
    """Time the refusal of a page, which is read a second time, in detail."""
    rows = json.loads(pages[0].body)[LIST]
    one_bad = answer_of([*rows[:-1], rows[-1] | {"buy_cntr_qty": "abc"}])
    all_bad = answer_of([dict.fromkeys(row, "?") | {"stk_cd": row["stk_cd"]} for row in rows])
    for name, answer in (("one bad number", one_bad), ("nothing but bad numbers", all_bad)):
        median = statistics.median(seconds(refused, answer) for _ in range(ROUNDS)) * 1e3
        print(f"a page with {name} is refused in {median:.2f} ms")


def main() -> None:
    decoders = contenders()
    for stocks, days in ((2_472, 1), (ROWS, 24)):
        pages = pages_of(stocks, days)
        zeros = sum(page.body.count(b'"buy_cntr_amt": "0"') for page in pages) / (len(pages) * ROWS)
        print(f"\n{len(pages)} pages of {ROWS} rows, {zeros:.0%} without trades, {ROUNDS} rounds")
        compare(decoders, pages)
        for name in (LOOP, "kiwoom_async"):
            print(f"{name:>24}: {bytes_a_row(decoders[name], pages):.0f} bytes a row")
    refusals(pages)


if __name__ == "__main__":
    main()
