"""Pages of a list of rows, and the continuation keys that lead from one page to the next.

Keys are stateless: each is a digest of the query and of the position where its page starts, so
that a key is refused for any other query.
"""

from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Literal, Protocol

from attrs import evolve, field, frozen

from ._market import BLANK_ROW, BLANK_TOTALS, PAGE_SIZES, Day
from ._replies import RefusalError, Reply, refusal, success

API_ID: Final = "ka90004"
ROWS_KEY: Final = "stk_prm_trde_prst"
TotalsOn = Literal["every page", "first page"]


class Rows(Protocol):
    """All rows of an answer; those of a page may be made when they are asked for."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __getitem__(self, part: slice, /) -> "list[Any] | tuple[Any, ...]":
        """Return the rows of a page."""
        ...


@frozen
class Pages:
    """An answer in pages: `body` is what each page holds besides its rows.

    `query` tells the answer from others of its api-id; keys depend on it. `rows_key` keeps its
    place in `body`, and comes last if it is not there.
    """

    api_id: str
    query: tuple[str, ...]
    rows_key: str
    page_size: int
    rows: Rows = field(repr=False)
    body: dict[str, Any] = field(factory=dict[str, Any], repr=False)

    def reply(self, requested_key: str) -> Reply:
        """Return the page that the key leads to, the first one for "".

        Raises RefusalError 1517 for a key of another query or one that was never issued.
        """
        keys = _page_keys(self.query, len(self.rows), self.page_size)
        number = self._number(keys, requested_key)
        rows = self.rows[number * self.page_size : (number + 1) * self.page_size]
        next_key = keys[number] if number < len(keys) else ""
        body = {**self.body, self.rows_key: list(rows)}
        reply = success(body, page_headers(self.api_id, next_key))
        return evolve(reply, rows_key=self.rows_key, walk_keys=keys)

    def _number(self, keys: tuple[str, ...], requested_key: str) -> int:
        if not requested_key:
            return 0
        if requested_key not in keys:
            problem = refusal("1517", api_id=self.api_id, parameter="next-key", reason="key")
            raise RefusalError(problem)
        return keys.index(requested_key) + 1


@frozen
class Query:
    """The parameters of a ka90004 request; hashable, as cached keys are looked up by it."""

    dt: str
    mrkt_tp: str
    stex_tp: str


def blank_page() -> Reply:
    """Return the answer without data: code 0 and one row of empty strings."""
    page = Pages(API_ID, (), ROWS_KEY, 1, [BLANK_ROW], dict(BLANK_TOTALS))
    return page.reply("")


def page_reply(query: Query, day: Day, requested_key: str, totals_on: TotalsOn) -> Reply:
    """Return the page of a day that the key leads to, the first one for "".

    Raises RefusalError 1517 for a key of another query or one that was never issued.
    """
    with_totals = not requested_key or totals_on == "every page"
    totals = dict(day.totals if with_totals else BLANK_TOTALS)
    names = (query.dt, query.mrkt_tp, query.stex_tp)
    pages = Pages(API_ID, names, ROWS_KEY, PAGE_SIZES[query.mrkt_tp], day.rows, totals)
    return pages.reply(requested_key)


@lru_cache(maxsize=32)
def _page_keys(query: tuple[str, ...], row_count: int, page_size: int) -> tuple[str, ...]:
    return tuple(_page_key(query, start) for start in range(page_size, row_count, page_size))


def _page_key(query: tuple[str, ...], start: int) -> str:
    # 19 bytes make 28 characters with padding: keys contain "+", "/" and "=", as keys of other
    # requests do (`wire-facts.md`, section 5).
    text = " ".join((*query, str(start))).encode()
    return b64encode(blake2b(text, digest_size=19).digest()).decode()


def page_headers(api_id: str, next_key: str) -> dict[str, str]:
    """Return the headers of a page; "" ends the walk."""
    return {
        "api-id": api_id,
        "cont-yn": "Y" if next_key else "N",
        "next-key": next_key,
        # One known client reads the two headers above only if this one lists them.
        "access-control-expose-headers": "cont-yn,next-key,api-id",
    }
