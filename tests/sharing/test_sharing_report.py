"""SharedFiles and SharedRedis: common slots, and the report of the programs that share."""

import os
import re

import anyio
import pytest
from support.limiters import make_call
from token_issuer import TokenIssuer

from kiwoom_async import Priority, Sharing

pytestmark = pytest.mark.anyio
BULK = Priority.BULK


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real time: files and servers cannot use a virtual clock."""
    return request.param


async def test_programs_share_slots_and_appear_in_the_report(make_sharing, account):
    times = []

    async def make_calls():
        limiter = make_sharing().rate_limiter(account, "ka90004", 20.0)
        for _ in range(10):
            await make_call(limiter, BULK)
            times.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(make_calls)
    assert len(times) == 30
    # A lower bound only: a busy machine may be late.
    assert times[-1] - times[0] >= 29 / 20 - 0.02
    await make_sharing().token_store(account).replace(None, TokenIssuer())
    await make_sharing().rate_limiter(account, "ka90004", 20.0).pause(0.0, 7.0)
    report = await make_sharing().report(account)
    assert [program.api_id for program in report.programs] == ["ka90004"] * 3
    (name,) = {program.name for program in report.programs}
    assert re.fullmatch(rf"{re.escape(os.uname().nodename)}:{os.getpid()} \S+", name)
    assert "__main__" not in name
    assert all(program.seconds_ago < 60 for program in report.programs)
    assert report.limits == (("ka90004", 7.0),)
    assert report.token_expires is not None
    assert report.token_by in {program.name for program in report.programs}


async def test_a_report_of_an_unused_account_is_empty(make_sharing, account):
    report = await make_sharing().report(account)
    assert (report.programs, report.limits, report.token_expires) == ((), (), None)


async def test_both_kinds_of_sharing_satisfy_the_protocol_of_the_client(make_sharing):
    assert isinstance(make_sharing(), Sharing)
