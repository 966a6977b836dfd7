"""Token, pace and walks in any order of events, in virtual time, judged by the sandbox's log."""

import asyncio
from collections import Counter
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.clock import VirtualTimeLoop
from support.exchange import SIX_QUERIES, stock_codes

from kiwoom_async import AuthError, BlockedError, Failure, KiwoomClient, KiwoomError, TokenRenewed
from kiwoom_async.sandbox import Fault, Sandbox

PASSING = ("server_error", "truncated_json", "disconnect", "token_dies", "rate_limit")
FATAL = ("firewall", "maintenance_html")


class Trading(RuleBasedStateMachine):
    """A client and an exchange through a day of faults."""

    @initialize(latency=st.sampled_from([0.0, 0.046, 0.3]))
    def open(self, latency):
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.sandbox = Sandbox(kospi_stocks=120, kosdaq_stocks=70, latency_seconds=latency)
        self.deaths = self.issued = 0
        self.runner.run(self._open())

    async def _open(self):
        self.kiwoom = KiwoomClient.sandbox(self.sandbox, on_event=self._count)

    def _count(self, event):
        self.issued += isinstance(event, TokenRenewed)

    def teardown(self):
        if hasattr(self, "runner"):
            self.runner.run(self.kiwoom.aclose())
            self.runner.close()

    @rule(seconds=st.floats(0.01, 5))
    def time_passes(self, seconds):
        self.runner.run(asyncio.sleep(seconds))

    @rule()
    def the_token_dies(self):
        self.sandbox.expire_tokens()
        self.deaths += 1

    @rule()
    def the_token_is_revoked(self):
        # The server refuses to revoke a token that is no longer valid.
        with suppress(AuthError):
            self.runner.run(self.kiwoom.revoke_token())
        self.deaths += 1

    @rule(kind=st.sampled_from(PASSING + FATAL), ahead=st.integers(1, 6))
    def a_fault_is_planned(self, kind, ahead):
        due = self.sandbox._calls["ka90004"] + ahead
        self.sandbox._faults += (Fault(kind, call=due),)
        self.deaths += kind == "token_dies"

    @rule(query=st.sampled_from(SIX_QUERIES))
    def a_walk_is_complete(self, query):
        assert self.runner.run(self._walk_to_the_end(query)) == stock_codes(self.sandbox, query)

    @rule(queries=st.lists(st.sampled_from(SIX_QUERIES), unique=True), workers=st.integers(1, 4))
    def a_merge_is_complete(self, queries, workers):
        found = self.runner.run(self._merge_to_the_end(queries, workers))
        assert found == {query: stock_codes(self.sandbox, query) for query in queries}

    @rule(query=st.sampled_from(SIX_QUERIES), after=st.floats(0.001, 2))
    def a_walk_is_cancelled(self, query, after):
        async def walk():
            with suppress(TimeoutError, KiwoomError):
                await asyncio.wait_for(self.kiwoom.collect(query), after)

        self.runner.run(walk())

    @rule(queries=st.lists(st.sampled_from(SIX_QUERIES), min_size=2, max_size=4))
    def concurrent_walks_are_complete(self, queries):
        async def walks():
            return await asyncio.gather(*map(self._walk_to_the_end, queries))

        assert self.runner.run(walks()) == [stock_codes(self.sandbox, query) for query in queries]

    async def _walk_to_the_end(self, query):
        """Return all symbols of a query, resuming the walk after errors."""
        rows, start = [], None
        for _ in range(20):
            try:
                async for page in self.kiwoom.pages(query, start=start):
                    rows += [row.symbol for row in page.rows]
            except BlockedError as error:
                start = error.cursor
            except AuthError as error:
                # A call renews its token once; a second refusal of it ends the walk.
                assert self.deaths >= 2
                start = error.cursor
            else:
                return rows
        raise AssertionError("no progress")

    async def _merge_to_the_end(self, queries, workers):
        """Return all symbols of these queries, resuming failed walks."""
        found = {query: [] for query in queries}
        start, todo = {}, queries
        while todo:
            failed = {}
            options = {"start": start, "concurrency": workers, "on_error": "deliver"}
            async with self.kiwoom.merge(todo, **options) as items:
                async for item in items:
                    if isinstance(item, Failure):
                        failed[item.query] = item.cursor
                    else:
                        found[item.query] += [row.symbol for row in item.rows]
            start, todo = failed, list(failed)
        return found

    @invariant()
    def the_limit_is_kept(self):
        times = Counter()
        by_api = {}
        for arrival in getattr(self, "sandbox", Sandbox()).arrivals:
            by_api.setdefault(arrival.api_id, []).append(arrival.time)
            times[arrival.status, arrival.fault] += 1
        assert not times[429, None]
        for arrived in by_api.values():
            assert all(
                sixth - first >= 1.0 for first, sixth in zip(arrived, arrived[5:], strict=False)
            )

    @invariant()
    def a_token_is_issued_only_when_one_has_died(self):
        assert getattr(self, "issued", 0) <= 1 + getattr(self, "deaths", 0)


Trading.TestCase.settings = settings(max_examples=40, stateful_step_count=12)
TestTrading = Trading.TestCase
