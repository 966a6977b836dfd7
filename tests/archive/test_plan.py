"""`Archive.plan`: the work that remains, found out without a request."""

import math

import pytest
from sandbox_archive import ALL_QUERIES, KOSDAQ, KOSPI, NEXT_DAY, SATURDAY, client, fetch
from support.exchange import small_sandbox

from kiwoom_async import BlockedError
from kiwoom_async.sandbox import Fault

pytestmark = pytest.mark.anyio


async def test_a_plan_has_the_remaining_work_and_creates_nothing(archive):
    async with client(requests_per_second=5) as kiwoom:
        plan = archive.plan(kiwoom, ALL_QUERIES)
        assert (len(plan.queries), plan.done, plan.estimate.calls) == (4, 0, 162)
        assert not archive.path.exists()
        assert str(plan).startswith("0 queries done; left: 4 queries, 162 calls, about 34 s, about")
    await fetch(archive, [KOSPI, SATURDAY])
    async with client(requests_per_second=5) as kiwoom:
        plan = archive.plan(kiwoom, ALL_QUERIES)
        assert (plan.queries, plan.done) == ((KOSDAQ, NEXT_DAY), 2)
        assert plan.bytes > 0


async def test_a_plan_subtracts_stored_pages(archive):
    outage = small_sandbox(Fault("maintenance_html", call=3, times=math.inf))
    with pytest.raises(BlockedError):
        await fetch(archive, [KOSPI], outage)
    async with client() as kiwoom:
        plan = archive.plan(kiwoom, [KOSPI])
    assert plan.kept == {KOSPI: 2}
    assert plan.estimate.calls == 48
