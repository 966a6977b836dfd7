"""Pages: where a walk is cut, and the key that leads from one page to the next.

Keys are stateless: each is a digest of the query and the page it opens, so a key of another query
opens nothing.
"""

from base64 import b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal

from attrs import frozen

from ._market import BLANK_ROW, BLANK_TOTALS, PAGE_SIZES, Day
from ._replies import LIST, RefusalError, Reply, refusal, success

API_ID: Final = "ka90004"
TotalsOn = Literal["every page", "first page"]


@frozen
class Query:
    """What a walk is about; hashable, so that keys can be bound to it."""

    dt: str
    mrkt_tp: str
    stex_tp: str


def blank_page() -> Reply:
    """Say that there is nothing: code 0 and one row of empty strings."""
    return success({**BLANK_TOTALS, LIST: [BLANK_ROW]}, _headers(""))


def page(query: Query, whole: Day, asked_key: str, totals_on: TotalsOn) -> Reply:
    """Cut the page the key opens; the first one for an empty key."""
    size = PAGE_SIZES[query.mrkt_tp]
    keys = _keys(query, len(whole.rows), size)
    number = _page_number(keys, asked_key)
    rows = whole.rows[number * size : (number + 1) * size]
    totals = whole.totals if number == 0 or totals_on == "every page" else BLANK_TOTALS
    next_key = keys[number] if number < len(keys) else ""
    reply = success({**totals, LIST: list(rows)}, _headers(next_key))
    return Reply(body=reply.body, headers=reply.headers, walk_keys=keys)


def _page_number(keys: tuple[str, ...], asked_key: str) -> int:
    if not asked_key:
        return 0
    if asked_key not in keys:
        raise RefusalError(refusal("1517", api_id=API_ID, parameter="next-key", reason="key"))
    return keys.index(asked_key) + 1


@lru_cache(maxsize=32)
def _keys(query: Query, count: int, size: int) -> tuple[str, ...]:
    return tuple(_key(query, start) for start in range(size, count, size))


def _key(query: Query, start: int) -> str:
    # 19 bytes make 28 characters with padding: the whole alphabet other requests were seen to use.
    bound = f"{query.dt} {query.mrkt_tp} {query.stex_tp} {start}".encode()
    return b64encode(blake2b(bound, digest_size=19).digest()).decode()


def _headers(next_key: str) -> dict[str, str]:
    return {
        "api-id": API_ID,
        "cont-yn": "Y" if next_key else "N",
        "next-key": next_key,
        # One known client finds the two headers above through this one only.
        "access-control-expose-headers": "cont-yn,next-key,api-id",
    }
