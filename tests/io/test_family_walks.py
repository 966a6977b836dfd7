"""Walks of the program-trading requests by a client: recorded rows, in pages of two."""

import json

import attrs
import httpx
import pytest
from support.canned import TOKEN
from support.family_queries import RECORDED, WHOLE, recorded_rows, sent_rows
from support.walks import watch_rounds

from kiwoom_async import Change, ContinuationError, KiwoomClient, WalkComplete
from kiwoom_async._protocol.encode import request_body
from kiwoom_async._protocol.pages import first_cursor

pytestmark = pytest.mark.anyio

SEVERAL_PAGES = [name for name in WHOLE if len(sent_rows(name)) > 2]


class PagesOfTwo(httpx.AsyncBaseTransport):
    """Answers requests of one query with these rows, two on a page."""

    def __init__(self, name):
        self.query, self.rows = RECORDED[name], sent_rows(name)
        self.bodies = []

    async def handle_async_request(self, request):
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        assert (request.url.path, request.headers["api-id"]) == (
            self.query.path, self.query.api_id,
        )  # fmt: skip
        self.bodies.append(json.loads(request.content))
        begin = int(request.headers.get("next-key") or 0)
        more = {"cont-yn": "Y", "next-key": f"{begin + 2}"}
        last = begin + 2 >= len(self.rows)
        headers = {"api-id": self.query.api_id} | ({"cont-yn": "N"} if last else more)
        body = {self.query.rows_key: self.rows[begin : begin + 2], "return_code": 0}
        return httpx.Response(200, json=body, headers=headers)


@pytest.mark.parametrize("name", SEVERAL_PAGES)
async def test_a_walk_has_every_row_and_no_finding(name):
    exchange = PagesOfTwo(name)
    async with KiwoomClient("key", "secret", transport=exchange) as kiwoom:
        walk = await kiwoom.collect(exchange.query)
    assert walk.rows == recorded_rows(name)
    assert (walk.audit.pages, walk.audit.findings) == ((len(walk.rows) + 1) // 2, [])
    assert exchange.bodies == [request_body(exchange.query)] * walk.audit.pages


@pytest.mark.parametrize("name", SEVERAL_PAGES)
async def test_a_walk_ends_where_it_is_told_to(name):
    exchange, rows = PagesOfTwo(name), recorded_rows(name)
    async with KiwoomClient("key", "secret", transport=exchange) as kiwoom:
        walk = await kiwoom.collect(exchange.query, stop_when=lambda row: row == rows[0])
    assert (walk.rows, walk.audit.stopped, walk.next is None) == (rows[:2], True, False)


async def test_a_walk_that_is_stopped_tells_of_rows_that_do_not_add_up():
    exchange = PagesOfTwo("ka90013_official_20260630")
    exchange.rows[1] = exchange.rows[1] | {"prm_netprps_amt": "7"}
    async with KiwoomClient("key", "secret", transport=exchange) as kiwoom:
        walk = await kiwoom.collect(exchange.query, stop_when=lambda _: True)
        page = await kiwoom.page(exchange.query)
        resumed = await kiwoom.collect(exchange.query, start=page.next)
        exchange.rows[2] = exchange.rows[1]
        later = await kiwoom.collect(exchange.query, start=page.next)
    [finding] = walk.audit.findings
    assert "count of rows whose net is not buy minus sell is 1, expected 0" in finding
    assert (resumed.audit.findings, len(later.audit.findings)) == ([], 1)


@pytest.mark.parametrize("name", [name for name in SEVERAL_PAGES if RECORDED[name].newest_first])
async def test_a_second_round_of_a_watch_walks_no_further_than_known_rows(name):
    exchange = PagesOfTwo(name)
    async with KiwoomClient("key", "secret", transport=exchange) as kiwoom:
        items = await watch_rounds(kiwoom, [exchange.query], 2)
    whole = (len(exchange.rows) + 1) // 2
    assert len(exchange.bodies) == whole + 1
    rows = [item.later for item in items if isinstance(item, Change)]
    assert rows == recorded_rows(name)
    assert [item.changes for item in items if isinstance(item, WalkComplete)] == [len(rows), 0]


async def test_a_walk_within_the_day_does_not_go_on_on_another_day():
    """Its rows would be of two days, and none of them says so."""
    exchange = PagesOfTwo("ka90008_official_20260701")
    query = exchange.query
    first = first_cursor(query)
    body = dict(first.body) | {"date": "20260701"}
    yesterday = attrs.evolve(first, body=tuple(body.items()))
    async with KiwoomClient("key", "secret", transport=exchange) as kiwoom:
        with pytest.raises(ContinuationError, match="belongs to another query"):
            await kiwoom.page(query, yesterday)
