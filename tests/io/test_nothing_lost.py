"""Complete or an error: published codes (wire-facts.md, section 3), and unreadable rows."""

import logging
import math

import anyio
import httpx
import pytest
from attrs import evolve
from support.exchange import QUERY, limited_sandbox, page_calls, stock_codes, token_calls
from support.recorded import recorded

from kiwoom_async import (
    ApiError,
    AuthError,
    Change,
    DecodeError,
    KiwoomClient,
    KiwoomError,
    RateLimited,
    Undecoded,
    WalkComplete,
)
from kiwoom_async.sandbox import Fault
from kiwoom_async.sandbox._codes import CODES

pytestmark = pytest.mark.anyio

AT_ONCE, RENEWED, RETRIED = "raised at once", "renewed once", "retried"
CODE_OUTCOMES = {
    "1501": (ApiError, AT_ONCE), "1504": (ApiError, AT_ONCE), "1505": (ApiError, AT_ONCE),
    "1511": (ApiError, AT_ONCE), "1512": (ApiError, AT_ONCE), "1513": (ApiError, AT_ONCE),
    "1514": (ApiError, AT_ONCE), "1515": (ApiError, AT_ONCE), "1516": (ApiError, AT_ONCE),
    "1517": (ApiError, AT_ONCE), "1634": (ApiError, AT_ONCE), "1687": (ApiError, AT_ONCE),
    "1700": (RateLimited, RETRIED), "1701": (RateLimited, RETRIED), "1702": (RateLimited, RETRIED),
    "1901": (ApiError, AT_ONCE), "1902": (ApiError, AT_ONCE), "1903": (ApiError, AT_ONCE),
    "1999": (ApiError, RETRIED),
    "8001": (AuthError, AT_ONCE), "8002": (AuthError, AT_ONCE), "8003": (AuthError, RENEWED),
    "8005": (AuthError, RENEWED), "8006": (AuthError, RETRIED), "8009": (AuthError, RETRIED),
    "8010": (AuthError, RENEWED), "8011": (AuthError, AT_ONCE), "8012": (AuthError, AT_ONCE),
    "8015": (AuthError, AT_ONCE), "8016": (AuthError, AT_ONCE), "8020": (AuthError, AT_ONCE),
    "8030": (AuthError, AT_ONCE), "8031": (AuthError, AT_ONCE), "8040": (AuthError, AT_ONCE),
    "8050": (AuthError, AT_ONCE), "8103": (AuthError, RENEWED), "8104": (AuthError, AT_ONCE),
    "8200": (AuthError, AT_ONCE),
}  # fmt: skip


def test_the_table_has_every_published_code():
    assert set(CODE_OUTCOMES) == set(CODES)


@pytest.mark.parametrize("code", CODE_OUTCOMES)
async def test_a_persistent_code_raises_its_error_after_the_stated_calls(code):
    kind, outcome = CODE_OUTCOMES[code]
    sandbox = limited_sandbox(Fault("code", code=code, call=2, times=math.inf))
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        with pytest.raises(KiwoomError) as caught:
            await kiwoom.collect(QUERY)
    assert type(caught.value) is kind
    assert caught.value.code == code
    attempts = {AT_ONCE: 1, RENEWED: 2, RETRIED: 4}[outcome]
    assert (caught.value.attempts, len(page_calls(sandbox))) == (attempts, 1 + attempts)
    assert len(token_calls(sandbox)) == (2 if outcome == RENEWED else 1)


@pytest.mark.parametrize("code", CODE_OUTCOMES)
async def test_a_code_sent_once_is_recovered_from_or_resumed(code):
    _, outcome = CODE_OUTCOMES[code]
    sandbox = limited_sandbox(Fault("code", code=code, call=2))
    rows = []
    async with KiwoomClient.sandbox(sandbox) as kiwoom:
        try:
            async for page in kiwoom.pages(QUERY):
                rows += [row.symbol for row in page.rows]
        except KiwoomError as error:
            assert outcome == AT_ONCE
            rows += [row.symbol async for row in kiwoom.rows(QUERY, start=error.cursor)]
        else:
            assert outcome != AT_ONCE
    assert rows == stock_codes(sandbox)
    assert len(page_calls(sandbox)) == 4


async def test_an_unreadable_row_ends_a_walk():
    async with KiwoomClient.sandbox(limited_sandbox(Fault("unreadable_row", call=2))) as kiwoom:
        with pytest.raises(DecodeError, match=r"'abc' is not a whole number @ rows\[25\]"):
            await kiwoom.collect(QUERY)


async def test_deliver_returns_an_unreadable_row_beside_the_others(caplog):
    sandbox = limited_sandbox(Fault("unreadable_row", call=2))
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        pages = [page async for page in kiwoom.pages(QUERY)]
        assert [len(page.undecoded) for page in pages] == [0, 1, 0]
        (undecoded,) = pages[1].undecoded
        assert isinstance(undecoded, Undecoded)
        assert undecoded.position == 25
        sent = sandbox.rows("20261120", "P00101", "1")[75]
        assert undecoded.raw == sent | {"buy_cntr_qty": "abc"}
        assert (
            undecoded.problem
            == "'abc' is not a whole number @ rows[25].buy_quantity (buy_cntr_qty)"
        )
        symbols = [row.symbol for page in pages for row in page.rows]
        assert symbols == [code for code in stock_codes(sandbox) if code != sent["stk_cd"]]
    warnings = [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    assert warnings == ["2026-11-20 KOSPI KRX: page 2 came with 49 rows, and 1 that cannot be read"]


async def test_the_audit_counts_unreadable_rows():
    sandbox = limited_sandbox(Fault("unreadable_row", call=2))
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        walk = await kiwoom.collect(QUERY)
        assert (walk.audit.undecoded_rows, walk.audit.rows) == (1, 119)
        assert "rows that could not be read: 1" in walk.audit.findings
        whole = await kiwoom.collect(QUERY)
        assert (whole.audit.undecoded_rows, whole.audit.findings) == (0, [])


async def test_deliver_reads_the_good_rows_of_a_damaged_recording():
    """A word for a number, a text for a row, a missing field: the other rows are delivered."""
    body = recorded("ka90004_rows_20260810_kospi_all") | {"return_code": 0}
    good = body["stk_prm_trde_prst"]
    incomplete = {name: value for name, value in good[1].items() if name != "netprps_prica"}
    body["stk_prm_trde_prst"] = [
        good[0],
        "what?",
        incomplete,
        {**good[2], "cur_prc": "-"},
        good[2],
        None,
    ]

    def answer(request):
        if request.url.path == "/oauth2/token":
            token = {"token": "the-token", "expires_dt": "29991231235959", "return_code": 0}
            return httpx.Response(200, json=token)
        return httpx.Response(200, json=body, headers={"cont-yn": "N"})

    options = {"transport": httpx.MockTransport(answer), "on_undecoded": "deliver"}
    async with KiwoomClient("app-key", "secret-key", **options) as kiwoom:
        page = await kiwoom.page(QUERY)
    assert [row.symbol for row in page.rows] == [good[0]["stk_cd"], good[2]["stk_cd"]]
    assert [(undecoded.position, undecoded.problem) for undecoded in page.undecoded] == [
        (1, "'what?' is not a row @ rows[1]"),
        (2, "'netprps_prica' is missing @ rows[2].net_buy_amount (netprps_prica)"),
        (3, "'-' is not a whole number @ rows[3].price (cur_prc)"),
        (5, "None is not a row @ rows[5]"),
    ]


@pytest.mark.parametrize("fault", ["missing_list", "null_list", "truncated_json"])
async def test_deliver_still_raises_if_there_is_no_list_of_rows(fault):
    sandbox = limited_sandbox(Fault(fault, times=math.inf))
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        with pytest.raises(DecodeError):
            await kiwoom.collect(QUERY)


async def test_watch_does_not_report_an_unreadable_row_as_gone():
    sandbox = limited_sandbox(Fault("unreadable_row", call=5))
    completed, gone = 0, []
    async with KiwoomClient.sandbox(sandbox, on_undecoded="deliver") as kiwoom:
        async for item in kiwoom.watch([QUERY]):
            completed += isinstance(item, WalkComplete)
            gone += [item] if isinstance(item, Change) and item.later is None else []
            if completed == 3:
                break
    assert gone == []


async def test_an_invalid_on_undecoded_is_refused():
    with pytest.raises(
        ValueError, match="on_undecoded: got 'skip'; allowed are 'raise', 'deliver'"
    ):
        KiwoomClient("a", "b", on_undecoded="skip")


def test_rows_of_different_walks_are_equal_values():
    """Rows of a resumed walk can be compared with rows of another walk."""

    async def walk_twice():
        async with KiwoomClient.sandbox(limited_sandbox(requests_per_second=None)) as kiwoom:
            return [await kiwoom.collect(QUERY) for _ in range(2)]

    first, second = anyio.run(walk_twice)
    assert first.rows == second.rows
    assert evolve(first.rows[0], price=1) != second.rows[0]
