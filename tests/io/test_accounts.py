"""Several app keys in one client: walks are distributed, and each walk stays with its key."""

from collections import Counter
from itertools import pairwise

import httpx
import pytest
from support.exchange import QUERY, page_calls, small_sandbox

from kiwoom_async import (
    ContinuationError,
    Cursor,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    ProgramTradeQuery,
)
from kiwoom_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

TWELVE_QUERIES = [
    ProgramTradeQuery(day, market, exchange)
    for day in ("2026-11-19", "2026-11-20")
    for market in Market
    for exchange in Exchange
]
SECOND = ("second-app-key-of-a-user", "second-secret-key-of-a-user")
THIRD = ("third-app-key-of-a-user", "third-secret-key-of-a-user")


def client_of(sandbox, *more_keys, **options):
    """Return a client of the sandbox with these app keys besides its first."""
    return KiwoomClient.sandbox(sandbox, more_keys=more_keys, **options)


async def test_every_app_key_has_its_own_rate_limit_and_token():
    """Two keys have twice the throughput, and each stays within its limit."""
    sandbox = small_sandbox(requests_per_second=5)
    async with client_of(sandbox, SECOND) as kiwoom, kiwoom.merge(TWELVE_QUERIES) as pages:
        rows = [row async for page in pages for row in page.rows]
    calls = page_calls(sandbox)
    assert len(rows) == 6 * (120 + 70)
    assert len(calls) == 36
    assert not [call for call in calls if call.status == 429]
    assert Counter(call.caller for call in calls) == {1: 18, 2: 18}
    for caller in (1, 2):
        times = [call.time for call in calls if call.caller == caller]
        assert min(later - earlier for earlier, later in pairwise(times)) >= 0.2
    assert calls[-1].time - calls[0].time == pytest.approx(17 * 0.2, abs=0.1)
    assert [call.api_id for call in sandbox.arrivals].count("au10001") == 2


async def test_a_walk_stays_with_its_app_key():
    sandbox = small_sandbox()
    async with client_of(sandbox, SECOND, THIRD) as kiwoom, kiwoom.merge(TWELVE_QUERIES) as pages:
        async for _ in pages:
            pass
    holders = {}
    for call in page_calls(sandbox):
        holders.setdefault(tuple(sorted(call.body.items())), set()).add(call.caller)
    assert len(holders) == 12
    assert all(len(callers) == 1 for callers in holders.values())
    walks = Counter(min(callers) for callers in holders.values())
    assert set(walks) == {1, 2, 3}
    assert min(walks.values()) >= 3


async def test_consecutive_calls_alternate_between_app_keys():
    sandbox = small_sandbox()
    async with client_of(sandbox, SECOND) as kiwoom:
        for _ in range(6):
            await kiwoom.page(QUERY)
    assert [call.caller for call in page_calls(sandbox)] == [1, 2] * 3


async def test_a_resumed_walk_uses_the_app_key_it_began_with():
    sandbox = small_sandbox()
    async with client_of(sandbox, SECOND) as kiwoom:
        await kiwoom.page(QUERY)
        saved = str((await kiwoom.page(QUERY)).next)
    async with client_of(sandbox, SECOND) as kiwoom:
        async for _ in kiwoom.pages(QUERY, start=Cursor.parse(saved)):
            pass
    assert [call.caller for call in page_calls(sandbox)] == [1, 2, 2, 2]


async def test_a_cursor_of_an_app_key_that_the_client_lacks_is_refused():
    """It is unknown if next-key is valid for another app key; a wrong page would not be noticed."""
    sandbox = small_sandbox()
    async with client_of(sandbox, SECOND) as kiwoom:
        await kiwoom.page(QUERY)
        cursor = (await kiwoom.page(QUERY)).next
    async with client_of(sandbox, THIRD) as kiwoom:
        with pytest.raises(ContinuationError, match="begun with another app key") as caught:
            await kiwoom.page(QUERY, cursor)
    assert caught.value.query == QUERY
    assert caught.value.cursor == cursor
    assert len(page_calls(sandbox)) == 2


async def test_a_cursor_without_an_app_key_is_resumed_with_the_first_one():
    sandbox = small_sandbox()
    async with client_of(sandbox) as kiwoom:
        cursor = (await kiwoom.page(QUERY)).next
    async with client_of(sandbox, SECOND) as kiwoom:
        # The second app key would have been next.
        await kiwoom.page(QUERY)
        page = await kiwoom.page(QUERY, cursor)
    assert [call.caller for call in page_calls(sandbox)] == [1, 1, 1]
    assert page.next is not None
    assert page.next.account


async def test_no_calls_are_counted_as_running_after_they_ended():
    """Otherwise an account would seem busy for ever, and get no walks."""
    async with client_of(small_sandbox(Fault("code", call=2, code="1517")), SECOND) as kiwoom:
        await kiwoom.page(QUERY)
        with pytest.raises(KiwoomError):
            await kiwoom.page(QUERY)
        assert [account.running_calls for account in kiwoom._calls.accounts] == [0, 0]


def test_account_names_depend_on_the_host_and_not_on_its_spelling():
    def name(base_url):
        (account,) = KiwoomClient("key", "secret", base_url=base_url)._calls.accounts
        return account.name

    assert name("http://localhost:1") != name("http://localhost:2")
    assert name("http://LOCALHOST:1/") == name("http://localhost:1")


async def test_secrets_of_every_app_key_are_redacted_in_answers():
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
            await kiwoom.page(QUERY)
    for secret in (*SECOND, *THIRD):
        assert secret not in str(caught.value)


async def test_a_client_with_one_app_key_does_not_bind_cursors_to_it():
    async with client_of(small_sandbox()) as kiwoom:
        page = await kiwoom.page(QUERY)
    assert page.next is not None
    assert page.next.account == ""


async def test_a_refused_token_is_renewed_for_its_app_key_only():
    sandbox = small_sandbox(Fault("code", call=5, code="8005"))
    async with client_of(sandbox, SECOND) as kiwoom:
        for _ in range(6):
            await kiwoom.collect(QUERY)
    (refused,) = [call.caller for call in page_calls(sandbox) if call.code == "8005"]
    issues = [call.caller for call in sandbox.arrivals if call.api_id == "au10001"]
    assert sorted(issues[:2]) == [1, 2]
    assert issues[2:] == [refused]


async def test_a_429_of_one_app_key_does_not_pause_the_other():
    sandbox = small_sandbox(Fault("rate_limit", call=1))
    paced = client_of(sandbox, SECOND, requests_per_second=5)
    async with paced as kiwoom, kiwoom.merge(TWELVE_QUERIES[:2]) as pages:
        async for _ in pages:
            pass
    calls = page_calls(sandbox)
    assert calls[0].status == 429
    first = [call.time for call in calls if call.caller == calls[0].caller]
    other = [call.time for call in calls if call.caller != calls[0].caller]
    assert first[1] - first[0] >= 1.0
    assert max(other) - min(other) < 1.0


async def test_token_expires_returns_the_earliest_and_revoke_token_revokes_all():
    sandbox = small_sandbox()
    async with client_of(sandbox, SECOND) as kiwoom:
        expires = await kiwoom.token_expires()
        assert expires <= await kiwoom.token_expires()
        await kiwoom.revoke_token()
    assert [call.api_id for call in sandbox.arrivals] == ["au10001"] * 2 + ["au10002"] * 2


async def test_more_app_keys_shorten_an_estimate():
    one_key, two_keys = client_of(Sandbox()), client_of(Sandbox(), SECOND)
    assert two_keys.estimate(TWELVE_QUERIES).calls == one_key.estimate(TWELVE_QUERIES).calls
    assert two_keys.estimate(TWELVE_QUERIES).seconds == pytest.approx(
        one_key.estimate(TWELVE_QUERIES).seconds / 2
    )


async def test_reprs_cursors_reports_and_logs_hold_no_secret_of_any_app_key(caplog):
    caplog.set_level("DEBUG", "kiwoom_async")
    sandbox = small_sandbox()
    async with client_of(sandbox, SECOND) as kiwoom:
        await kiwoom.collect(QUERY)
        page = await kiwoom.page(QUERY)
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
def test_invalid_more_keys_are_refused_and_not_quoted(more_keys, message):
    with pytest.raises(ValueError, match=message) as caught:
        KiwoomClient.sandbox(more_keys=more_keys)
    assert "second-app-key" not in str(caught.value)


def test_from_env_reads_more_app_keys(monkeypatch):
    for number, (app_key, secret_key) in enumerate([("first", "1" * 20), SECOND, THIRD], 1):
        suffix = "" if number == 1 else f"_{number}"
        monkeypatch.setenv(f"KIWOOM_APP_KEY{suffix}", app_key)
        monkeypatch.setenv(f"KIWOOM_SECRET_KEY{suffix}", secret_key)
    assert [account.keys.app_key for account in KiwoomClient.from_env()._calls.accounts] == [
        "first",
        SECOND[0],
        THIRD[0],
    ]
    monkeypatch.delenv("KIWOOM_SECRET_KEY_3")
    with pytest.raises(ValueError, match="set KIWOOM_APP_KEY_3 and KIWOOM_SECRET_KEY_3"):
        KiwoomClient.from_env()
    monkeypatch.delenv("KIWOOM_APP_KEY_3")
    assert len(KiwoomClient.from_env()._calls.accounts) == 2
