"""What must hold in the rows of ka90008 and ka90013, which have the same figures."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from kiwoom_async._protocol.audit import Check

from .codes import exchange_of, no_rows


def stock_checks(
    rows: Sequence[Any], key: Callable[[Any], Hashable], symbol: str
) -> Iterator[Check]:
    """Compare each net with buy minus sell, and each row's exchange with the symbol's."""
    yield no_rows("whose net is not buy minus sell", map(key, filter(_nets_differ, rows)))
    asked = exchange_of(symbol)
    yield no_rows(
        "of another exchange than the symbol's", (key(row) for row in rows if row.exchange != asked)
    )


def _nets_differ(row: Any) -> bool:
    amount = row.buy_amount - row.sell_amount
    quantity = row.buy_quantity - row.sell_quantity
    stated: tuple[int, int] = row.net_buy_amount, row.net_buy_quantity
    return stated != (amount, quantity)
