"""The end of a walk: said by the server, deduced from its restart, or refused (wire-facts, 5)."""

import logging

import pytest
from support.canned import CannedPages, row

from kiwoom_async import (
    ContinuationError,
    Cursor,
    Exchange,
    Failure,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
    WalkComplete,
    WalkFinished,
)

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
ONE, TWO, THREE, FOUR = (row(number) for number in range(1, 5))
# As recorded at the end of ka10086 on NXT.
RESTART = {
    "": ([ONE, TWO, THREE], "K1"),
    "K1": ([FOUR], "K2"),
    "K2": ([], "S-1"),
    "S-1": ([ONE, TWO, THREE], "K1"),
}
BLANK = dict.fromkeys(ONE, "")
RESTARTS = {
    "recorded": RESTART,
    "the empty page leads back itself": RESTART | {"K2": ([], "K1")},
    "to its own key": RESTART | {"S-1": ([ONE, TWO, THREE], "S-1")},
    "after two empty pages": RESTART | {"S-1": ([], "S-2"), "S-2": ([ONE], "K1")},
    "after a blank row": RESTART | {"K2": ([BLANK], "S-1")},
}


def client(pages, **options):
    options = {"requests_per_second": 1000, **options}
    return KiwoomClient("app-key", "secret-key", transport=CannedPages(pages), **options)


def symbols(rows):
    return [trade.symbol for trade in rows]


@pytest.mark.parametrize("pages", RESTARTS.values(), ids=RESTARTS)
async def test_a_restart_right_after_an_empty_page_is_the_end_and_a_finding(pages):
    events = []
    async with client(pages, on_event=events.append) as kiwoom:
        walk = await kiwoom.collect(QUERY)
        assert symbols(walk.rows) == ["000001", "000002", "000003", "000004"]
        assert walk.audit.restarted
        assert any("began again after an empty page" in found for found in walk.audit.findings)
        assert symbols([trade async for trade in kiwoom.rows(QUERY)]) == symbols(walk.rows)
        async with kiwoom.merge([QUERY]) as merged:
            assert symbols([trade async for trade in merged.rows()]) == symbols(walk.rows)
        changes = []
        async for item in kiwoom.watch([QUERY]):
            changes.append(item)
            if isinstance(item, WalkComplete):
                break
        assert item.changes == 4
        assert item.audit.restarted
    finished = [event for event in events if isinstance(event, WalkFinished)]
    assert all(event.complete and event.findings for event in finished[:3])


async def test_a_walk_resumed_at_the_empty_page_or_behind_it_ends_too():
    async with client(RESTART) as kiwoom:
        pages = [page async for page in kiwoom.pages(QUERY)]
        for page in pages[:3]:
            start = Cursor.parse(str(page.next))
            rest = await kiwoom.collect(QUERY, start=start)
            assert symbols(rest.rows) == [
                trade.symbol for later in pages[page.number :] for trade in later.rows
            ]
            assert rest.audit.restarted


@pytest.mark.parametrize(
    "pages",
    [
        RESTART | {"K1": ([FOUR], "K1")},
        RESTART | {"K2": ([row(5)], "K1")},
        RESTART | {"S-1": ([row(5)], "S-2"), "S-2": ([row(6)], "K1")},
    ],
    ids=["own key", "after rows", "a page after the empty one has rows of its own"],
)
async def test_a_chain_that_leads_back_anywhere_else_is_broken(pages):
    async with client(pages) as kiwoom:
        with pytest.raises(ContinuationError, match="came before in this walk") as caught:
            await kiwoom.collect(QUERY)
        async with kiwoom.merge([QUERY], on_error="deliver") as items:
            assert [item async for item in items if isinstance(item, Failure)]
    assert caught.value.query == QUERY


async def test_rows_that_differ_in_a_number_alone_are_no_repetition():
    """hash(-1) is hash(-2) in CPython."""

    class ByRow(ProgramTradeQuery):
        def row_key(self, row):
            return row

    # On two pages, each with another row: equal rows that follow each other are no repetition.
    first, second = ([row(1, pred_pre=number), row(2, pred_pre=number)] for number in ("-1", "-2"))
    async with client({"": (first, "K1"), "K1": (second, "")}) as kiwoom:
        query = ByRow("2026-11-20", Market.KOSPI, Exchange.KRX)
        assert (await kiwoom.collect(query)).audit.repeated_keys == ()


async def test_an_empty_page_between_others_is_no_end():
    pages = {"": ([ONE], "K1"), "K1": ([], "K2"), "K2": ([TWO], "")}
    async with client(pages) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert symbols(walk.rows) == ["000001", "000002"]
    assert (walk.audit.empty_pages, walk.audit.restarted) == ((2,), False)


async def test_empty_pages_with_ever_new_keys_are_an_error_soon():
    def pages(key):
        number = int(key or 0)
        return ([row(number)] if number < 2 else []), str(number + 1)

    async with client(pages) as kiwoom:
        with pytest.raises(ContinuationError, match="3 pages in a row came without rows") as caught:
            await kiwoom.collect(QUERY)
        walk = kiwoom.pages(QUERY)
        delivered = [await anext(walk) for _ in range(4)]
        with pytest.raises(ContinuationError) as of_pages:
            await anext(walk)
    assert of_pages.value.cursor == delivered[-1].next
    assert caught.value.cursor.page == 1


async def test_a_page_again_and_again_with_new_keys_is_an_error_soon():
    """Also if a few pages take turns, and their values move."""
    for cycle in (1, 2, 3):

        def pages(key, cycle=cycle):
            number = int(key or 0)
            turn = number % cycle
            changes = {"buy_cntr_qty": str(number)}
            return [row(10 * turn, **changes), row(10 * turn + 1, **changes)], str(number + 1)

        transport = CannedPages(pages)
        async with KiwoomClient(
            "app-key", "secret-key", transport=transport, requests_per_second=1000
        ) as kiwoom:
            with pytest.raises(ContinuationError, match="has the rows of an earlier page"):
                [trade async for trade in kiwoom.rows(QUERY)]
            assert transport.calls.total() == cycle + 1
            failures = []
            async for item in kiwoom.watch([QUERY]):
                if isinstance(item, Failure):
                    failures.append(item)
                    break
            assert isinstance(failures[0].error, ContinuationError)
            assert failures[0].cursor.page == cycle + 1


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "neither of the headers api-id and cont-yn"),
        ({"content-type": "application/json"}, "neither of the headers api-id and cont-yn"),
        ({"api-id": "ka90003", "cont-yn": "N"}, "expected ka90004: the answer belongs to another"),
        ({"api-id": "ka10001"}, "the answer belongs to another call"),
    ],
)
async def test_rows_with_stripped_or_foreign_headers_are_no_end(headers, message):
    async with client({"": ([ONE], headers)}) as kiwoom:
        for ask in (kiwoom.page, kiwoom.collect):
            with pytest.raises(ContinuationError, match=message):
                await ask(QUERY)


@pytest.mark.parametrize(
    "headers", [{"api-id": "ka90004"}, {"api-id": "KA90004"}, {"cont-yn": "N"}]
)
async def test_one_of_both_headers_is_enough_for_an_end(headers):
    async with client({"": ([ONE], headers)}) as kiwoom:
        assert (await kiwoom.collect(QUERY)).audit.findings == []


async def test_an_answer_without_rows_needs_no_headers():
    async with client({"": ([], {})}) as kiwoom:
        walk = await kiwoom.collect(QUERY)
    assert (walk.rows, str(walk.audit)) == ([], "1 pages, 0 rows: no data")


@pytest.mark.parametrize(
    ("count", "findings"),
    [("2", []), (" 2 ", []), ("x", []), ("", []), ("-1", []),
     ("3", ["pages whose resp-cnt is not their number of rows: (1,)"])],
)  # fmt: skip
async def test_a_count_of_rows_that_differs_is_a_finding_and_a_warning(count, findings, caplog):
    headers = {"api-id": "ka90004", "cont-yn": "N", "resp-cnt": count}
    async with client({"": ([ONE, TWO], headers)}) as kiwoom:
        with caplog.at_level(logging.WARNING, "kiwoom_async"):
            walk = await kiwoom.collect(QUERY)
    assert walk.audit.findings == findings
    assert len(caplog.records) == len(findings)


@pytest.mark.parametrize("wrong", ["2026-11-20", None, 5, ProgramTradeQuery, ("a", "b")])
async def test_what_is_no_query_is_refused_before_anything(wrong):
    transport = CannedPages({})
    async with KiwoomClient("app-key", "secret-key", transport=transport) as kiwoom:
        for ask in (kiwoom.page, kiwoom.collect):
            with pytest.raises(ValueError, match="query: got "):
                await ask(wrong)
        for walk in (kiwoom.pages, kiwoom.rows):
            with pytest.raises(ValueError, match="query: got "):
                await anext(walk(wrong))
    assert not transport.calls


async def test_rows_that_did_not_come_before_are_no_restart():
    pages = {"": ([ONE, TWO], "K1"), "K1": ([], "K2"), "K2": ([row(3), row(4)], "K1")}
    async with client(pages) as kiwoom:
        with pytest.raises(ContinuationError, match="with rows that did not come before") as caught:
            _ = [page async for page in kiwoom.pages(QUERY)]
        with pytest.raises(ContinuationError, match="with rows that did not come before"):
            await kiwoom.collect(QUERY)
        async with kiwoom.merge([QUERY], on_error="deliver") as items:
            assert [item async for item in items if isinstance(item, Failure)]
    assert (caught.value.query, caught.value.page) == (QUERY, 2)
    assert caught.value.cursor.key == "K2"


async def test_a_chain_of_rows_that_cannot_be_read_has_an_end():
    def pages(key):
        return [row(1, buy_cntr_qty="?")], str(int(key or 0) + 1)

    async with client(pages, on_undecoded="deliver") as kiwoom:
        with pytest.raises(ContinuationError, match="page 2 has the rows of an earlier page"):
            await kiwoom.collect(QUERY)


async def test_pages_of_one_key_each_may_follow_each_other():
    """As ticks of one second, keyed by their time."""

    class ByName(ProgramTradeQuery):
        def row_key(self, row):
            return row.stock_name

    rows = [row(number, stk_nm="09:00:00") for number in (1, 2, 3, 4)]
    pages = {"": (rows[:2], "K1"), "K1": (rows[2:], "K2"), "K2": ([FOUR], "")}
    async with client(pages) as kiwoom:
        walk = await kiwoom.collect(ByName("2026-11-20", Market.KOSPI, Exchange.KRX))
    assert len(walk.rows) == 5
    assert walk.audit.repeated_keys == ("09:00:00",)


async def test_an_empty_page_that_was_announced_needs_headers_as_well():
    async with client({"": ([ONE], "K1"), "K1": ([], {})}) as kiwoom:
        with pytest.raises(ContinuationError, match="neither of the headers"):
            await kiwoom.collect(QUERY)


@pytest.mark.parametrize("count", ["0", "1"])
async def test_what_is_counted_of_no_data_is_no_finding(count):
    blank = dict.fromkeys(ONE, "")
    headers = {"api-id": "ka90004", "cont-yn": "N", "resp-cnt": count}
    async with client({"": ([blank], headers)}) as kiwoom:
        assert (await kiwoom.collect(QUERY)).audit.findings == []


async def test_the_audit_of_a_part_does_not_say_that_everything_adds_up():
    async with client({"": ([ONE], "K1"), "K1": ([TWO], "")}) as kiwoom:
        page = await kiwoom.page(QUERY)
        rest = await kiwoom.collect(QUERY, start=page.next)
    assert str(rest.audit) == "1 pages, 1 rows: nothing amiss; no sums were compared"


async def test_a_merge_that_raised_never_ends_as_if_it_were_complete():
    pages = {"": ([ONE], "K1"), "K1": ([TWO], {})}
    async with client(pages) as kiwoom, kiwoom.merge([QUERY]) as merged:
        assert (await anext(merged)).number == 1
        for _ in range(3):
            with pytest.raises(ContinuationError):
                await anext(merged)
