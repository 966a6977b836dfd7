"""What typed rows cost: a page from bytes through our converter, against json and plain dicts.

Prints ratios measured in one run, in alternating order: absolute figures differ from machine to
machine, and from minute to minute.
"""

import json
import statistics
import time
from collections.abc import Callable

from kiwoom_async import Exchange, Market, ProgramTradeQuery
from kiwoom_async._endpoint import first_cursor
from kiwoom_async._pages import decode_page
from kiwoom_async._protocol import Request, Response
from kiwoom_async.sandbox import Sandbox

REPEATS = 9
PAGES = 40
ROWS = 100


def microseconds_a_row(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(PAGES):
        work()
    return (time.perf_counter() - began) / (PAGES * ROWS) * 1e6


def main() -> None:
    query = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
    rows = Sandbox(kospi_stocks=ROWS).rows("20261120", "P00101", "1")
    body = json.dumps({"stk_prm_trde_prst": rows, "return_code": 0}, ensure_ascii=False).encode()
    response = Response(Request("ka90004", "/", {}, b"", ()), 200, {}, body)
    contenders: dict[str, Callable[[], object]] = {
        "json and dicts": lambda: json.loads(body),
        "typed rows": lambda: decode_page(response, query, first_cursor(query)),
    }
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(REPEATS):
        for name, work in contenders.items():
            figures[name].append(microseconds_a_row(work))
    floor = figures["json and dicts"]
    for name, seen in figures.items():
        ratios = [mine / base for mine, base in zip(seen, floor, strict=True)]
        print(
            f"{name:>16}: {statistics.median(seen):6.2f} us a row"
            f" ({min(seen):.2f} to {max(seen):.2f}), {statistics.median(ratios):.2f} times json"
        )


if __name__ == "__main__":
    main()
