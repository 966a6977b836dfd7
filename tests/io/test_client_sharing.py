"""Sharing between programs, as a client takes and uses it."""

from contextlib import asynccontextmanager

import pytest
from support.exchange import QUERY, page_calls, small_sandbox

from kiwoom_async import KiwoomClient, SharingError
from kiwoom_async._io.rate_limit import LocalRateLimiter
from kiwoom_async._io.tokens import NullTokenStore
from kiwoom_async.sharing import SharedFiles

pytestmark = pytest.mark.anyio

SECOND = ("second-app-key-of-a-user", "second-secret-key-of-a-user")


def client_of(sandbox, *more_keys, **options):
    """Return a client of the sandbox with these app keys besides its first."""
    return KiwoomClient.sandbox(sandbox, more_keys=more_keys, **options)


async def test_sharing_reports_of_a_client_without_sharing():
    async with client_of(small_sandbox(), SECOND) as kiwoom:
        reports = await kiwoom.sharing_reports()
    assert [report.place for report in reports] == ["nowhere: this client shares nothing"] * 2
    assert len({report.account for report in reports}) == 2


def test_invalid_sharing_is_refused():
    for wrong in ("files", SharedFiles):
        with pytest.raises(ValueError, match=r"sharing: got .*; expected SharedFiles or"):
            KiwoomClient.sandbox(sharing=wrong)


def test_from_env_reads_sharing(monkeypatch, tmp_path):
    monkeypatch.setenv("KIWOOM_APP_KEY", "key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "secret")
    monkeypatch.setenv("KIWOOM_SHARING", f"files:{tmp_path}")
    assert next(iter(KiwoomClient.from_env()._calls.accounts))._sharing.directory == tmp_path
    monkeypatch.setenv("KIWOOM_SHARING", "nowhere")
    with pytest.raises(ValueError, match="sharing: got 'nowhere'; allowed are files"):
        KiwoomClient.from_env()


class FailingSharing:
    """A sharing whose slots cannot be acquired in the calls of one api-id."""

    def __init__(self, api_id):
        self._api_id = api_id

    def rate_limiter(self, _, api_id, requests_per_second):
        limiter = LocalRateLimiter(requests_per_second)
        if api_id == self._api_id:
            limiter.acquire = self._acquire
        return limiter

    @asynccontextmanager
    async def _acquire(self, _):
        raise SharingError("the place is away")
        yield

    def token_store(self, _):
        return NullTokenStore()

    async def report(self, _):
        raise SharingError("the place is away")


@pytest.mark.parametrize("api_id", ["ka90004", "au10001"])
async def test_a_sharing_error_ends_a_walk_with_its_cursor_before_sending(api_id):
    sandbox = small_sandbox()
    async with client_of(sandbox, sharing=FailingSharing(api_id)) as kiwoom:
        with pytest.raises(SharingError, match="the place is away") as caught:
            await kiwoom.collect(QUERY)
        with pytest.raises(SharingError):
            await kiwoom.sharing_reports()
    assert (caught.value.query, caught.value.page) == (QUERY, 0)
    assert caught.value.cursor is not None
    assert not page_calls(sandbox)
