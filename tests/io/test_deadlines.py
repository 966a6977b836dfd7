"""Deadlines of whole walks: kept to the millisecond, and the walk can be resumed."""

import math

import anyio
import pytest
from anyio import current_time
from support.exchange import QUERY, SIX_QUERIES, limited_sandbox, stock_codes

from kiwoom_async import Failure, KiwoomClient, TransportTimeout
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", [None, Fault("slow", call=3, seconds=60),
                                   Fault("rate_limit", call=3, seconds=30)])  # fmt: skip
async def test_a_walk_ends_at_its_deadline_with_a_cursor(fault):
    sandbox = limited_sandbox(*([fault] if fault else []), kospi_stocks=600)
    rows = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:

        async def walk():
            async for page in kiwoom.pages(QUERY, deadline=1.5):
                rows.extend(row.symbol for row in page.rows)

        with pytest.raises(TransportTimeout, match="the deadline of the walk has passed") as caught:
            await walk()
        assert current_time() == pytest.approx(1.5, abs=0.001)
        error = caught.value
        assert (error.query, error.page) == (QUERY, len(rows) // 50)
        rows += [row.symbol async for row in kiwoom.rows(QUERY, start=error.cursor)]
    assert rows == stock_codes(sandbox)


@pytest.mark.parametrize("walk", ["rows", "collect"])
async def test_rows_and_collect_end_at_their_deadline(walk):
    async with KiwoomClient.sandbox(limited_sandbox(kospi_stocks=600)) as kiwoom:

        async def rows():
            async for _ in kiwoom.rows(QUERY, deadline=1.0):
                pass

        with pytest.raises(TransportTimeout) as caught:
            await (rows() if walk == "rows" else kiwoom.collect(QUERY, deadline=1.0))
        assert caught.value.page == (5 if walk == "rows" else 0)


async def test_a_deadline_that_is_met_has_no_effect():
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        walk = await kiwoom.collect(QUERY, deadline=5)
        await anyio.sleep(10)
        assert [row.symbol for row in walk.rows] == stock_codes(sandbox)
        assert len((await kiwoom.collect(QUERY, deadline=5)).rows) == 120


async def test_a_merge_at_its_deadline_delivers_the_cursor_of_every_unfinished_query():
    sandbox = limited_sandbox()
    found, failures = [], []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        async with kiwoom.merge(
            SIX_QUERIES, deadline=2.0, on_error="deliver", concurrency=4
        ) as items:
            async for item in items:
                if isinstance(item, Failure):
                    failures.append(item)
                else:
                    found += [(str(item.query), row.symbol) for row in item.rows]
        assert current_time() == pytest.approx(2.0, abs=0.01)
        assert {type(failure.error) for failure in failures} == {TransportTimeout}
        start = {failure.query: failure.cursor for failure in failures}
        async with kiwoom.merge(start, start=start) as pages:
            async for page in pages:
                found += [(str(page.query), row.symbol) for row in page.rows]
    everything = [
        (str(query), symbol) for query in SIX_QUERIES for symbol in stock_codes(sandbox, query)
    ]
    assert sorted(found) == sorted(everything)


@pytest.mark.parametrize("deadline", [0, -1, math.nan, "5", None, True])
async def test_an_invalid_deadline_is_refused(deadline):
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        for walk in (kiwoom.pages, kiwoom.rows):
            with pytest.raises(ValueError, match="deadline: got"):
                walk(QUERY, deadline=deadline)
        with pytest.raises(ValueError, match="deadline: got"):
            kiwoom.merge(SIX_QUERIES, deadline=deadline)
