"""The sums within the rows of ka90005 and ka90010, which have the same figures."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Final

from kiwoom_async._protocol.audit import Check

from .codes import differ, no_rows

_NETS: Final = (
    "arbitrage_{}_amount",
    "non_arbitrage_{}_amount",
    "total_{}_amount",
    "arbitrage_{}_quantity",
    "non_arbitrage_{}_quantity",
)
_SIDES: Final = ("sell", "buy", "net_buy")


def market_checks(rows: Sequence[Any], key: Callable[[Any], Hashable]) -> Iterator[Check]:
    """Compare each net with buy minus sell, and each total with its parts, but for rounding."""
    yield no_rows("whose net is not buy minus sell", map(key, filter(_nets_differ, rows)))
    yield no_rows(
        "whose total is not arbitrage plus non-arbitrage", map(key, filter(_totals_differ, rows))
    )


def _nets_differ(row: Any) -> bool:
    for name in _NETS:
        sell, buy, net = (getattr(row, name.format(side)) for side in _SIDES)
        if differ(net, buy - sell):
            return True
    return False


def _totals_differ(row: Any) -> bool:
    for side in _SIDES:
        total, arbitrage, non_arbitrage = (
            getattr(row, f"{part}_{side}_amount")
            for part in ("total", "arbitrage", "non_arbitrage")
        )
        if differ(total, arbitrage + non_arbitrage):
            return True
    return False
