"""Query: the declaration of a request (TR) that Kiwoom answers in pages, or with one object.

@frozen
class DailyCandleQuery(Query[Candle]):
    api_id = "ka10081"
    path = "/api/dostk/chart"
    rows_key = "stk_dt_pole_chart_qry"

    stock_code: str = field(metadata=wire("stk_cd"))
"""

import datetime as dt
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, Generic

from typing_extensions import TypeVar

from .audit import Check
from .declaration import check_declaration, check_metadata

# The defaults let a bare `Page` or `Page[ProgramTrade]` stand in a strictly typed program.
RowT = TypeVar("RowT", default=Any)
TotalsT = TypeVar("TotalsT", default=Any)
# A query of one kind of row is a query of any of several kinds: `merge` takes a mixed list.
RowT_co = TypeVar("RowT_co", default=Any, covariant=True)
TotalsT_co = TypeVar("TotalsT_co", default=Any, covariant=True)


class Environment(Enum):
    """One of Kiwoom's two hosts, and with it the rate limit (wire-facts.md, fact 1)."""

    PRODUCTION = "production"
    MOCK = "mock"

    @property
    def base_url(self) -> str:
        """The host that the specification names."""
        production = self is Environment.PRODUCTION
        return "https://api.kiwoom.com" if production else "https://mockapi.kiwoom.com"

    @property
    def requests_per_second(self) -> float:
        """The limit for each (app key, api-id)."""
        return 5.0 if self is Environment.PRODUCTION else 1.0


def wire(
    name: str,
    korean: str = "",
    *,
    unit: str = "",
    decimals: int | None = None,
    read: Callable[[str], Any] | None = None,
    codes: Mapping[Any, str] | None = None,
) -> dict[str, Any]:
    """Return the metadata of a field that is sent.

    name: on the wire. korean: the specification's name. unit: of a number, as in "million won".
    decimals: digits behind the point of a Decimal in tables; 10 if not given, 2 for `hundredths`.
    read: a function of the text sent, where the field's type alone does not say how it is read:
        `magnitude`, `hundredths` or any other. Its ValueError is a DecodeError of the row.
    codes: the wire code of each enum member; the code under None is read as None.

    TypeError for what cannot work.
    """
    metadata: dict[str, Any] = {"wire": name, "korean": korean, "unit": unit}
    options = {"decimals": decimals, "read": read, "codes": codes}
    metadata |= {option: value for option, value in options.items() if value is not None}
    check_metadata(metadata)
    return metadata


class Query(Generic[RowT_co, TotalsT_co]):
    """A request for rows: subclass it as a frozen attrs class to declare one.

    `Query[Row]` names the class of the rows, `Query[Row, Totals]` also that of the totals beside
    them. Fields with `wire` metadata are the body of the request: text as it is, dates as
    `yyyyMMdd`, True and False as `1` and `0`, enum members by their `codes`, None as an empty text.
    A row field without `wire` takes the query's attribute of the same name.

    api_id, path: of the request; ValueError for one that trades.
    rows_key: the name of the list of rows in the answer; None if the answer itself is the one row.
    newest_first: True if the rows come from the newest to the oldest, and old ones do not change:
        `watch` then walks no further than it must.

    A declaration that cannot work is a TypeError, which names class, field and cure, where the
    class is defined, or where it is first used.
    """

    __slots__ = ()

    api_id: ClassVar[str]
    path: ClassVar[str]
    rows_key: ClassVar[str | None]
    newest_first: ClassVar[bool] = False
    # From the type parameters.
    row_class: ClassVar[Any] = None
    totals_class: ClassVar[Any] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in vars(cls).get("__orig_bases__", ()):
            origin: Any = typing.get_origin(base)
            if origin is Query:
                cls.row_class, totals = typing.get_args(base)
                cls.totals_class = None if totals in (Any, type(None)) else totals
            elif isinstance(origin, type) and issubclass(origin, Query):
                # A generic class between Query and this one has parameters of its own.
                parameters: tuple[Any, ...] = vars(origin)["__parameters__"]
                chosen = dict(zip(parameters, typing.get_args(base), strict=True))
                cls.row_class = chosen.get(origin.row_class, origin.row_class)
                cls.totals_class = chosen.get(origin.totals_class, origin.totals_class)

    @classmethod
    def __attrs_init_subclass__(cls) -> None:
        # A class without an api-id is a base of others.
        if hasattr(cls, "api_id"):
            check_declaration(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Raise TypeError: a class that attrs has not made has no constructor of its own."""
        check_declaration(type(self))

    def row_key(self, row: Any) -> Hashable:
        """Return what a row is about, the same from walk to walk; by default the row itself."""
        key: Hashable = row
        return key

    def check(self, today: dt.date, environment: Environment) -> str | None:  # noqa: ARG002
        """Raise ValueError for a query that cannot be answered on this day (Korean time).

        Returns a reason to doubt that it can, of which the client warns once, or None.
        """
        return None

    def day(self) -> dt.date | None:
        """Return the day that the answer is about, None if it is about no single day."""
        return None

    def expected_pages(self) -> int:
        """Return how many pages to expect before any walk has shown it."""
        return 1

    def size_group(self) -> Hashable:
        """Return the same value for queries that have about as many pages as each other."""
        return self.expected_pages()

    def checks(self, rows: Sequence[Any], totals: Any) -> Iterable[Check]:  # noqa: ARG002
        """Return what must hold for some rows of a walk, beside the stated totals.

        It is called for each page, and the figures of all pages are added up.
        """
        return ()
