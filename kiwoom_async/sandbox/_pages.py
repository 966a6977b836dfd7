"""Pages of a day, and the continuation keys that lead from one page to the next.

Keys are stateless: each is a digest of the query and of the position where its page starts, so
that a key is refused for any other query.
"""

from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal

from attrs import evolve, frozen

from ._market import BLANK_ROW, BLANK_TOTALS, PAGE_SIZES, Day
from ._replies import ROWS_KEY, RefusalError, Reply, refusal, success

API_ID: Final = "ka90004"
TotalsOn = Literal["every page", "first page"]


@frozen
class Query:
    """The parameters of a ka90004 request; hashable, as cached keys are looked up by it."""

    dt: str
    mrkt_tp: str
    stex_tp: str


def blank_page() -> Reply:
    """Return the answer without data: code 0 and one row of empty strings."""
    return success({**BLANK_TOTALS, ROWS_KEY: [BLANK_ROW]}, _headers(""))


def page_reply(query: Query, day: Day, requested_key: str, totals_on: TotalsOn) -> Reply:
    """Return the page that the key leads to, the first one for "".

    Raises RefusalError 1517 for a key of another query or one that was never issued.
    """
    page_size = PAGE_SIZES[query.mrkt_tp]
    keys = _page_keys(query, len(day.rows), page_size)
    number = _page_number(keys, requested_key)
    rows = day.rows[number * page_size : (number + 1) * page_size]
    totals = day.totals if number == 0 or totals_on == "every page" else BLANK_TOTALS
    next_key = keys[number] if number < len(keys) else ""
    reply = success({**totals, ROWS_KEY: list(rows)}, _headers(next_key))
    return evolve(reply, walk_keys=keys)


def _page_number(keys: tuple[str, ...], requested_key: str) -> int:
    if not requested_key:
        return 0
    if requested_key not in keys:
        raise RefusalError(refusal("1517", api_id=API_ID, parameter="next-key", reason="key"))
    return keys.index(requested_key) + 1


@lru_cache(maxsize=32)
def _page_keys(query: Query, row_count: int, page_size: int) -> tuple[str, ...]:
    return tuple(_page_key(query, start) for start in range(page_size, row_count, page_size))


def _page_key(query: Query, start: int) -> str:
    # 19 bytes make 28 characters with padding: keys contain "+", "/" and "=", as keys of other
    # requests do (`wire-facts.md`, section 5).
    text = f"{query.dt} {query.mrkt_tp} {query.stex_tp} {start}".encode()
    return b64encode(blake2b(text, digest_size=19).digest()).decode()


def _headers(next_key: str) -> dict[str, str]:
    return {
        "api-id": API_ID,
        "cont-yn": "Y" if next_key else "N",
        "next-key": next_key,
        # One known client reads the two headers above only if this one lists them.
        "access-control-expose-headers": "cont-yn,next-key,api-id",
    }
