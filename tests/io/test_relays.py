"""Relays in front of the API: headers of one's own, http in a private network, their refusals."""

import traceback

import httpx
import pytest
from support.canned import TOKEN, row

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    Exchange,
    KiwoomClient,
    Market,
    ProgramTradeQuery,
)
from kiwoom_async._protocol.headers import parse_headers

pytestmark = pytest.mark.anyio

QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
SECRET = "relay-secret-0123456789"


class Relay(httpx.AsyncBaseTransport):
    """Passes calls on that carry its header; `answers` come instead, one for each page call."""

    def __init__(self, *answers, header=("x-relay-key", SECRET)):
        self.answers = list(answers)
        self.header = header
        self.requests = []

    async def handle_async_request(self, request):
        self.requests.append(request)
        name, value = self.header
        if value is not None and request.headers.get(name) != value:
            return httpx.Response(403, html=f"<h1>no {SECRET}</h1>")
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json=TOKEN)
        if self.answers:
            return self.answers.pop(0)
        body = {"stk_prm_trde_prst": [row(1)], "return_code": 0, "echo": value}
        return httpx.Response(200, json=body, headers={"api-id": "ka90004", "cont-yn": "N"})


def client(relay, **options):
    options = {"requests_per_second": 1000, **options}
    return KiwoomClient("app-key", "secret-key", transport=relay, **options)


async def test_headers_go_with_every_call_and_replace_none_of_ours():
    relay = Relay()
    async with client(relay, headers={"X-Relay-Key": SECRET, "X-Other": "a b"}) as kiwoom:
        await kiwoom.collect(QUERY)
        await kiwoom.revoke_token()
    assert [request.url.path for request in relay.requests] == [
        "/oauth2/token", "/api/dostk/stkinfo", "/oauth2/revoke",
    ]  # fmt: skip
    assert {request.headers["x-other"] for request in relay.requests} == {"a b"}
    assert relay.requests[1].headers["api-id"] == "ka90004"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Authorization": SECRET}, "headers: Authorization is set by the library"),
        ({"NEXT-KEY": SECRET}, "headers: NEXT-KEY is set by the library"),
        ({"content-length": SECRET}, "is set by the library"),
        ({"x y": SECRET}, "headers: got the name 'x y'"),
        ({"": SECRET}, "headers: got the name ''"),
        ({5: SECRET}, "headers: got the name 5"),
        ({"x": SECRET + "\r\ny: z"}, "headers: expected printable ASCII as the value of x"),
        ({"x": "키"}, "headers: expected printable ASCII as the value of x"),
        ({"x": ""}, "headers: expected printable ASCII as the value of x"),
        ({"x": None}, "headers: expected printable ASCII as the value of x"),
        ({"x": "1", "X": "2"}, "headers: X comes twice"),
        ([("x", SECRET)], "headers: got list; expected a mapping of texts"),
        ("x: y", "headers: got str; expected a mapping of texts"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_their_value(headers, message):
    with pytest.raises(ValueError, match=message) as caught:
        client(Relay(), headers=headers)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "X-Relay-Key: SECRET",
        " x-relay-key:SECRET \n X-Other: a b ",
        "X-Relay-Key: SECRET; X-Other: a b",
        '{"X-Relay-Key": "SECRET"}',
    ],
)
async def test_headers_come_from_the_environment(text, monkeypatch):
    monkeypatch.setenv("KIWOOM_APP_KEY", "app-key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "secret-key")
    monkeypatch.setenv("KIWOOM_HEADERS", text.replace("SECRET", SECRET))
    relay = Relay()
    async with KiwoomClient.from_env(transport=relay) as kiwoom:
        await kiwoom.page(QUERY)
    assert len(relay.requests) == 2


@pytest.mark.parametrize("text", ["SECRET", "{SECRET", '["SECRET"]', "Authorization: SECRET"])
def test_a_variable_without_headers_is_named_and_not_shown(text, monkeypatch):
    monkeypatch.setenv("KIWOOM_APP_KEY", "app-key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "secret-key")
    monkeypatch.setenv("KIWOOM_HEADERS", text.replace("SECRET", SECRET))
    with pytest.raises(ValueError, match=r"^KIWOOM_HEADERS: ") as caught:
        KiwoomClient.from_env()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_relay_that_refuses_is_named_and_its_secret_is_not(status, caplog):
    page = httpx.Response(status, html=f"<p>key {SECRET} refused</p>")
    relay = Relay(page, page, page)
    async with client(relay, headers={"x-relay-key": SECRET}) as kiwoom:
        with pytest.raises(BlockedError, match="the relay or gateway") as caught:
            await kiwoom.page(QUERY)
        text = f"{caught.value} {caught.value.excerpt} {kiwoom!r} {caplog.text}"
    assert SECRET not in text
    assert "maintenance" not in text
    assert caught.value.status == status


async def test_http_to_a_named_host_is_allowed_in_so_many_words(monkeypatch):
    with pytest.raises(ValueError, match="plain_http=True or set KIWOOM_PLAIN_HTTP=1"):
        client(Relay(), base_url="http://sandbox:8080")
    relay = Relay(header=("x", None))
    async with client(relay, base_url="http://sandbox:8080", plain_http=True) as kiwoom:
        await kiwoom.page(QUERY)
    assert relay.requests[0].url.host == "sandbox"
    monkeypatch.setenv("KIWOOM_APP_KEY", "app-key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "secret-key")
    monkeypatch.setenv("KIWOOM_BASE_URL", "http://sandbox:8080")
    monkeypatch.setenv("KIWOOM_PLAIN_HTTP", "1")
    assert KiwoomClient.from_env().base_url == "http://sandbox:8080"
    monkeypatch.setenv("KIWOOM_PLAIN_HTTP", "yes")
    with pytest.raises(ValueError, match="KIWOOM_PLAIN_HTTP: got 'yes'; allowed are 0, 1"):
        KiwoomClient.from_env()


# A token that is refused in words that no code names.


def refusal(body, status=200):
    return httpx.Response(status, json=body)


DOUBTFUL = {
    "category 3 alone": lambda: refusal({"return_code": 3, "return_msg": "인증에 실패했습니다"}),
    "an unknown code": lambda: refusal({"return_code": 3, "return_msg": "[8999:x]"}),
    "HTTP 401": lambda: refusal({"return_code": 1, "return_msg": "x"}, 401),
    "HTTP 401 without a body of the API": lambda: httpx.Response(401, text="no"),
}


@pytest.mark.parametrize("refuse", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_a_token_refused_without_a_known_code_is_renewed_once(refuse):
    relay = Relay(refuse(), header=("x", None))
    async with client(relay) as kiwoom:
        assert (await kiwoom.page(QUERY)).rows
    assert [request.url.path for request in relay.requests].count("/oauth2/token") == 2


@pytest.mark.parametrize("refuse", DOUBTFUL.values(), ids=DOUBTFUL)
async def test_the_token_that_comes_then_is_not_renewed_for_the_same_reason(refuse):
    """One renewal for each token, however many calls are refused."""
    relay = Relay(*(refuse() for _ in range(6)), header=("x", None))
    async with client(relay) as kiwoom:
        for _ in range(3):
            with pytest.raises((AuthError, BlockedError)):
                await kiwoom.page(QUERY)
    paths = [request.url.path for request in relay.requests]
    assert paths.count("/oauth2/token") == 2
    assert paths.count("/api/dostk/stkinfo") == 4


@pytest.mark.parametrize("code", ["8001", "8030", "8050", "8104"])
async def test_a_published_refusal_of_keys_or_machine_renews_nothing(code):
    relay = Relay(refusal({"return_code": 3, "return_msg": f"[{code}:x]"}), header=("x", None))
    async with client(relay) as kiwoom:
        with pytest.raises(ApiError, match=code):
            await kiwoom.page(QUERY)
    assert len(relay.requests) == 2


@pytest.mark.parametrize("value", ["Bearer relay-token-0001", "user=me; pin=relay-token-0001"])
async def test_no_part_of_a_header_is_in_an_error(value):
    refusal = httpx.Response(403, text="unknown token relay-token-0001")
    async with client(
        Relay(refusal, header=("x-auth", value)), headers={"X-Auth": value}
    ) as kiwoom:
        with pytest.raises(BlockedError) as caught:
            await kiwoom.collect(QUERY)
    assert "relay-token-0001" not in "".join(traceback.format_exception(caught.value))


async def test_what_is_also_in_a_header_stays_in_the_rows():
    body = {"stk_prm_trde_prst": [row(1, stk_nm="KODEX 200TR")], "return_code": 0}
    answer = httpx.Response(200, json=body, headers={"api-id": "ka90004", "cont-yn": "N"})
    relay = Relay(answer, header=("x-watch", "KODEX 200TR"))
    async with client(relay, headers={"X-Watch": "KODEX 200TR"}) as kiwoom:
        assert (await kiwoom.page(QUERY)).rows[0].stock_name == "KODEX 200TR"


@pytest.mark.parametrize(
    "text",
    ["X-Key no colon", "X Key: 1", '{"X-Key": "1", "X-Key": "2"}', '{"a":' * 100_000],
)
def test_a_variable_of_headers_that_is_malformed_is_not_shown(text):
    with pytest.raises(ValueError, match="KIWOOM_HEADERS: expected") as caught:
        parse_headers(text)
    assert text not in str(caught.value)


def test_options_override_variables_that_are_malformed(monkeypatch):
    variables = {
        "KIWOOM_APP_KEY": "app-key-0001", "KIWOOM_SECRET_KEY": "secret-key-0001",
        "KIWOOM_HEADERS": "malformed", "KIWOOM_PLAIN_HTTP": "perhaps",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    KiwoomClient.from_env(headers={}, plain_http=False)
