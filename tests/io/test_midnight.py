"""A watch that is up for days: its queries are made anew each round, or a warning says so."""

import datetime
import itertools

import anyio
import pytest
from support.exchange import small_sandbox

from kiwoom_async import Exchange, KiwoomClient, Market, ProgramTradeQuery, WalkComplete
from kiwoom_async._io import watch as watch_module

pytestmark = pytest.mark.anyio

THURSDAY, FRIDAY = datetime.date(2026, 11, 19), datetime.date(2026, 11, 20)


def query(day, market=Market.KOSPI):
    return ProgramTradeQuery(day, market, Exchange.KRX)


async def completed(watch, rounds):
    """Return the marks of so many complete walks."""
    marks = []
    while len(marks) < rounds:
        item = await anext(watch)
        if isinstance(item, WalkComplete):
            marks.append(item)
    return marks


async def test_a_function_makes_the_queries_of_each_round():
    days = [THURSDAY, FRIDAY]
    made = []

    def queries():
        made.append(anyio.current_time())
        return [query(days[min(len(made) - 1, 1)])]

    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        marks = await completed(kiwoom.watch(queries, every=5.0), 3)
    assert [mark.query.date for mark in marks] == [THURSDAY, FRIDAY, FRIDAY]
    assert [mark.changes for mark in marks] == [120, 120, 0]
    assert [later - earlier for earlier, later in itertools.pairwise(made)] == [5.0, 5.0]


async def test_a_round_without_queries_is_waited_out():
    rounds = [[], [], [query(FRIDAY)]]
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        watch = kiwoom.watch(lambda: rounds.pop(0) if len(rounds) > 1 else rounds[0])
        (mark,) = await completed(watch, 1)
    assert mark.query.date == FRIDAY
    assert anyio.current_time() >= 2.0


async def test_what_a_function_may_not_return_is_refused():
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        for wrong in ([query(FRIDAY)] * 2, ["2026-11-20"], [query("2999-01-01")]):
            with pytest.raises(ValueError, match=r"comes twice|no query|not come yet"):
                await anext(kiwoom.watch(lambda wrong=wrong: wrong))


async def test_a_day_that_passes_while_it_is_watched_is_warned_of_once(monkeypatch):
    today = [FRIDAY]
    monkeypatch.setattr(watch_module, "_today", lambda: today[0])
    async with KiwoomClient.sandbox(small_sandbox()) as kiwoom:
        watch = kiwoom.watch([query(FRIDAY), query(FRIDAY, Market.KOSDAQ), query(THURSDAY)])
        await completed(watch, 3)
        today[0] = FRIDAY + datetime.timedelta(days=1)
        with pytest.warns(UserWarning, match="2026-11-20 KOSPI KRX: this day is over") as caught:
            await completed(watch, 6)
    assert len(caught) == 1
