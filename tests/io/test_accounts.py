"""Several app keys in one client: walks are spread over them, and each stays with its own."""

from collections import Counter
from itertools import pairwise

import httpx
import pytest
from support.exchange import small_sandbox

from kiwoom_async import (
    ContinuationError,
    Cursor,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    SharingError,
)
from kiwoom_async._io.rate_limit import LocalRateLimiter
from kiwoom_async._io.tokens import NullTokenStore
from kiwoom_async.sandbox import Fault, Sandbox
from kiwoom_async.sharing import SharedFiles

pytestmark = pytest.mark.anyio
KOSPI = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
QUERIES = [
    ProgramTradeQuery(day, market, exchange)
    for day in ("2026-11-19", "2026-11-20")
    for market in Market
    for exchange in Exchange
]
SECOND = ("second-app-key-of-a-user", "second-secret-key-of-a-user")
THIRD = ("third-app-key-of-a-user", "third-secret-key-of-a-user")


def client(sandbox, *more_keys, **options):
    return KiwoomClient.sandbox(sandbox, more_keys=more_keys, **options)


def data_calls(sandbox):
    return [arrival for arrival in sandbox.arrivals if arrival.api_id == "ka90004"]


async def test_every_app_key_has_its_own_pace_and_token():
    """Two keys, twice the throughput; each of them within its limit."""
    sandbox = small_sandbox(requests_per_second=5)
    async with client(sandbox, SECOND) as kiwoom, kiwoom.merge(QUERIES) as pages:
        rows = [row async for page in pages for row in page.rows]
    calls = data_calls(sandbox)
    assert len(rows) == 6 * (120 + 70)
    assert len(calls) == 36
    assert not [call for call in calls if call.status == 429]
    assert Counter(call.caller for call in calls) == {1: 18, 2: 18}
    for caller in (1, 2):
        times = [call.time for call in calls if call.caller == caller]
        assert min(later - earlier for earlier, later in pairwise(times)) >= 0.2
    assert calls[-1].time - calls[0].time == pytest.approx(17 * 0.209, abs=0.1)
    assert [call.api_id for call in sandbox.arrivals].count("au10001") == 2


async def test_a_walk_stays_with_its_app_key():
    sandbox = small_sandbox()
    async with client(sandbox, SECOND, THIRD) as kiwoom, kiwoom.merge(QUERIES) as pages:
        async for _ in pages:
            pass
    holders = {}
    for call in data_calls(sandbox):
        holders.setdefault(tuple(sorted(call.body.items())), set()).add(call.caller)
    assert len(holders) == 12
    assert all(len(callers) == 1 for callers in holders.values())
    walks = Counter(min(callers) for callers in holders.values())
    assert set(walks) == {1, 2, 3}
    assert min(walks.values()) >= 3


async def test_calls_one_after_the_other_take_turns():
    sandbox = small_sandbox()
    async with client(sandbox, SECOND) as kiwoom:
        for _ in range(6):
            await kiwoom.page(KOSPI)
    assert [call.caller for call in data_calls(sandbox)] == [1, 2] * 3


async def test_a_walk_that_was_left_goes_on_with_the_app_key_it_began_with():
    sandbox = small_sandbox()
    async with client(sandbox, SECOND) as kiwoom:
        await kiwoom.page(KOSPI)
        saved = str((await kiwoom.page(KOSPI)).next)
    async with client(sandbox, SECOND) as kiwoom:
        async for _ in kiwoom.pages(KOSPI, start=Cursor.parse(saved)):
            pass
    assert [call.caller for call in data_calls(sandbox)] == [1, 2, 2, 2]


async def test_a_walk_of_an_app_key_that_the_client_has_not_is_refused():
    """Whether its key is honoured there is unknown, and a wrong page would not be noticed."""
    sandbox = small_sandbox()
    async with client(sandbox, SECOND) as kiwoom:
        await kiwoom.page(KOSPI)
        left = (await kiwoom.page(KOSPI)).next
    async with client(sandbox, THIRD) as kiwoom:
        with pytest.raises(ContinuationError, match="begun with another app key") as caught:
            await kiwoom.page(KOSPI, left)
    assert caught.value.query == KOSPI
    assert caught.value.cursor == left
    assert len(data_calls(sandbox)) == 2


async def test_a_walk_of_a_client_with_one_key_goes_on_with_the_first_of_several():
    sandbox = small_sandbox()
    async with client(sandbox) as kiwoom:
        left = (await kiwoom.page(KOSPI)).next
    async with client(sandbox, SECOND) as kiwoom:
        # The second would have been next.
        await kiwoom.page(KOSPI)
        page = await kiwoom.page(KOSPI, left)
    assert [call.caller for call in data_calls(sandbox)] == [1, 1, 1]
    assert page.next is not None
    assert page.next.account


async def test_nothing_is_under_way_when_all_is_done():
    """Or an account would seem busy for ever, and get no walks."""
    async with client(small_sandbox(Fault("code", call=2, code="1517")), SECOND) as kiwoom:
        await kiwoom.page(KOSPI)
        with pytest.raises(KiwoomError):
            await kiwoom.page(KOSPI)
        assert [account.running_calls for account in kiwoom._calls.accounts] == [0, 0]


def test_accounts_at_different_hosts_are_different_whatever_the_spelling():
    def name(base_url):
        (account,) = KiwoomClient("key", "secret", base_url=base_url)._calls.accounts
        return account.name

    assert name("http://localhost:1") != name("http://localhost:2")
    assert name("http://LOCALHOST:1/") == name("http://localhost:1")


async def test_a_secret_of_any_app_key_that_an_answer_repeats_is_not_shown():
    refusal = f"[1517:{SECOND[0]} {SECOND[1]} {THIRD[0]} {THIRD[1]}]"

    def answer(request):
        body = {"return_code": 2, "return_msg": refusal}
        if request.url.path == "/oauth2/token":
            body = {"token": "t" * 40, "token_type": "bearer", "expires_dt": "20991231235959"}
            body |= {"return_code": 0, "return_msg": ""}
        return httpx.Response(200, json=body)

    options = {"more_keys": [SECOND, THIRD], "transport": httpx.MockTransport(answer)}
    async with KiwoomClient("first-app-key", "first-secret-key", **options) as kiwoom:
        with pytest.raises(KiwoomError, match="1517") as caught:
            await kiwoom.page(KOSPI)
    for secret in (*SECOND, *THIRD):
        assert secret not in str(caught.value)


async def test_a_client_with_one_key_binds_no_cursor_to_it():
    async with client(small_sandbox()) as kiwoom:
        page = await kiwoom.page(KOSPI)
    assert page.next is not None
    assert page.next.account == ""


async def test_a_refused_token_is_renewed_for_its_app_key_only():
    sandbox = small_sandbox(Fault("code", call=5, code="8005"))
    async with client(sandbox, SECOND) as kiwoom:
        for _ in range(6):
            await kiwoom.collect(KOSPI)
    (refused,) = [call.caller for call in data_calls(sandbox) if call.code == "8005"]
    issues = [call.caller for call in sandbox.arrivals if call.api_id == "au10001"]
    assert sorted(issues[:2]) == [1, 2]
    assert issues[2:] == [refused]


async def test_a_429_of_one_app_key_does_not_pause_the_other():
    sandbox = small_sandbox(Fault("rate_limit", call=1))
    paced = client(sandbox, SECOND, requests_per_second=5)
    async with paced as kiwoom, kiwoom.merge(QUERIES[:2]) as pages:
        async for _ in pages:
            pass
    calls = data_calls(sandbox)
    assert calls[0].status == 429
    first = [call.time for call in calls if call.caller == calls[0].caller]
    other = [call.time for call in calls if call.caller != calls[0].caller]
    assert first[1] - first[0] >= 1.0
    assert max(other) - min(other) < 1.0


async def test_the_token_that_dies_first_is_told_and_all_are_revoked():
    sandbox = small_sandbox()
    async with client(sandbox, SECOND) as kiwoom:
        expires = await kiwoom.token_expires()
        assert expires <= await kiwoom.token_expires()
        await kiwoom.revoke_token()
    assert [call.api_id for call in sandbox.arrivals] == ["au10001"] * 2 + ["au10002"] * 2


async def test_more_keys_make_an_estimate_shorter():
    one, two = client(Sandbox()), client(Sandbox(), SECOND)
    assert two.estimate(QUERIES).calls == one.estimate(QUERIES).calls
    assert two.estimate(QUERIES).seconds == pytest.approx(one.estimate(QUERIES).seconds / 2)


async def test_no_secret_of_any_app_key_is_shown(caplog):
    caplog.set_level("DEBUG", "kiwoom_async")
    sandbox = small_sandbox()
    async with client(sandbox, SECOND) as kiwoom:
        await kiwoom.collect(KOSPI)
        page = await kiwoom.page(KOSPI)
        shown = [repr(kiwoom), str(page.next), repr(page), repr(await kiwoom.sharing_reports())]
    for text in [*shown, caplog.text]:
        assert "app-key" not in text
        assert "secret-key" not in text


@pytest.mark.parametrize(
    ("more_keys", "message"),
    [
        ([SECOND, SECOND], "more_keys: app key number 3 came before"),
        ([("sandbox-app-key", "x")], "more_keys: app key number 2 came before"),
        (["not a pair"], r"more_keys: item 2 must be \(app_key, secret_key\), got a str"),
        ([("only one",)], r"more_keys: item 2 must be \(app_key, secret_key\), got a tuple of 1"),
        ([("", "secret")], "app_key"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_not_shown(more_keys, message):
    with pytest.raises(ValueError, match=message) as caught:
        KiwoomClient.sandbox(more_keys=more_keys)
    assert "second-app-key" not in str(caught.value)


def test_more_keys_come_from_the_environment(monkeypatch):
    for number, (app_key, secret_key) in enumerate([("first", "1" * 20), SECOND, THIRD], 1):
        suffix = "" if number == 1 else f"_{number}"
        monkeypatch.setenv(f"KIWOOM_APP_KEY{suffix}", app_key)
        monkeypatch.setenv(f"KIWOOM_SECRET_KEY{suffix}", secret_key)
    assert [one.keys.app_key for one in KiwoomClient.from_env()._calls.accounts] == [
        "first",
        SECOND[0],
        THIRD[0],
    ]
    monkeypatch.delenv("KIWOOM_SECRET_KEY_3")
    with pytest.raises(ValueError, match="set KIWOOM_APP_KEY_3 and KIWOOM_SECRET_KEY_3"):
        KiwoomClient.from_env()
    monkeypatch.delenv("KIWOOM_APP_KEY_3")
    assert len(KiwoomClient.from_env()._calls.accounts) == 2


# ---- sharing, as the client takes it


async def test_a_client_that_shares_nothing_says_so():
    async with client(small_sandbox(), SECOND) as kiwoom:
        reports = await kiwoom.sharing_reports()
    assert [report.place for report in reports] == ["nowhere: this client shares nothing"] * 2
    assert len({report.account for report in reports}) == 2


def test_what_is_no_sharing_is_refused():
    for wrong in ("files", SharedFiles):
        with pytest.raises(ValueError, match=r"sharing: got .*; expected SharedFiles or"):
            KiwoomClient.sandbox(sharing=wrong)


def test_sharing_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("KIWOOM_APP_KEY", "key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "secret")
    monkeypatch.setenv("KIWOOM_SHARING", f"files:{tmp_path}")
    assert next(iter(KiwoomClient.from_env()._calls.accounts))._sharing.directory == tmp_path
    monkeypatch.setenv("KIWOOM_SHARING", "nowhere")
    with pytest.raises(ValueError, match="sharing: got 'nowhere'; allowed are files"):
        KiwoomClient.from_env()


class Broken:
    """A place that is away, in the calls of one api-id."""

    def __init__(self, api_id):
        self._api_id = api_id

    def rate_limiter(self, _, api_id, requests_per_second):
        limiter = LocalRateLimiter(requests_per_second)
        if api_id == self._api_id:
            limiter.acquire = self._acquire
        return limiter

    async def _acquire(self, _):
        raise SharingError("the place is away")

    def token_store(self, _):
        return NullTokenStore()

    async def report(self, _):
        raise SharingError("the place is away")


@pytest.mark.parametrize("api_id", ["ka90004", "au10001"])
async def test_a_place_that_is_away_ends_the_walk_with_its_cursor_and_sends_nothing(api_id):
    sandbox = small_sandbox()
    async with client(sandbox, sharing=Broken(api_id)) as kiwoom:
        with pytest.raises(SharingError, match="the place is away") as caught:
            await kiwoom.collect(KOSPI)
        with pytest.raises(SharingError):
            await kiwoom.sharing_reports()
    assert (caught.value.query, caught.value.page) == (KOSPI, 0)
    assert caught.value.cursor is not None
    assert not data_calls(sandbox)
