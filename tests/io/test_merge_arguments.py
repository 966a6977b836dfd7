"""Arguments of a merge: queries, options and start cursors."""

import math

import pytest
from support.exchange import SIX_QUERIES, limited_sandbox

from kiwoom_async import ContinuationError, Exchange, KiwoomClient, Market, ProgramTradeQuery
from kiwoom_async._protocol.pages import first_cursor

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency: got 0; expected a whole number from 1"),
        ({"concurrency": math.inf}, "concurrency: got inf"),
        ({"on_error": "ignore"}, "on_error: got 'ignore'; allowed are 'raise', 'deliver'"),
    ],
)
async def test_invalid_options_are_refused(options, message):
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        with pytest.raises(ValueError, match=message):
            kiwoom.merge(SIX_QUERIES, **options)


async def test_a_repeated_query_is_refused():
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match="queries: 2026-11-20 KOSPI KRX comes twice"):
            kiwoom.merge([*SIX_QUERIES, SIX_QUERIES[0]])
        assert not sandbox.arrivals
        with pytest.raises(ValueError, match="comes twice"):  # noqa: PT012
            async with kiwoom.merge(iter([SIX_QUERIES[0], SIX_QUERIES[0]])) as pages:
                async for _ in pages:
                    pass


@pytest.mark.parametrize("queries", [SIX_QUERIES[0], "ab", None, [SIX_QUERIES[0], None], ["x"]])
async def test_values_that_are_not_queries_are_refused(queries):
    sandbox = limited_sandbox()
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(ValueError, match="queries: got"):
            kiwoom.merge(queries)
    assert not sandbox.arrivals


async def test_a_future_day_is_refused():
    future = ProgramTradeQuery("2999-12-31", Market.KOSPI, Exchange.KRX)
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        with pytest.raises(ValueError, match="has not come yet"):
            kiwoom.merge([SIX_QUERIES[0], future], on_error="deliver")


async def test_a_merge_of_no_queries_is_empty():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom, kiwoom.merge([]) as pages:
        assert [page async for page in pages] == []


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (None, "start: got None; expected a mapping"),
        ([SIX_QUERIES[0]], "expected a mapping of queries to cursors"),
        ({"x": first_cursor(SIX_QUERIES[0])}, "start: got the key 'x'"),
        ({SIX_QUERIES[0]: "k1.abc"}, "cursor: got 'k1.abc'"),
        ({SIX_QUERIES[0]: first_cursor(SIX_QUERIES[0])}, "is not among the queries"),
    ],
)
async def test_an_invalid_start_is_refused(start, message):
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        with pytest.raises(ValueError, match=message):
            kiwoom.merge(SIX_QUERIES[1:], start=start)


async def test_a_start_cursor_of_another_query_is_refused():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:
        with pytest.raises(ContinuationError, match="belongs to another query"):
            kiwoom.merge(SIX_QUERIES, start={SIX_QUERIES[0]: first_cursor(SIX_QUERIES[1])})


async def test_a_start_for_a_query_that_the_iterable_lacks_ends_the_merge():
    async with KiwoomClient.sandbox(limited_sandbox()) as kiwoom:

        async def walk():
            async with kiwoom.merge(
                iter(SIX_QUERIES[1:]), start={SIX_QUERIES[0]: first_cursor(SIX_QUERIES[0])}
            ) as pages:
                async for _ in pages:
                    pass

        with pytest.raises(ValueError, match="is not among the queries"):
            await walk()
