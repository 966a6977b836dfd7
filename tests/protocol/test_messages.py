"""One call as values: requests are exactly the specification's, answers are judged in order."""

import json
import pickle
import traceback

import attrs
import pytest
from support.decoding import decode_page
from support.recorded import recorded

from kiwoom_async import (
    ApiError,
    AuthError,
    BlockedError,
    ContinuationError,
    DecodeError,
    Exchange,
    KiwoomError,
    Market,
    ProgramTradeQuery,
    RateLimited,
    TransportError,
    __version__,
)
from kiwoom_async._protocol.credentials import (
    Credentials,
    decode_token,
    encode_issue,
    encode_revoke,
)
from kiwoom_async._protocol.messages import Request, Response, Token, decode_body, redact
from kiwoom_async._protocol.pages import encode_page, first_cursor
from kiwoom_async._protocol.times import kst_time

HOST = "https://api.example"
QUERY = ProgramTradeQuery("2026-11-20", Market.KOSPI, Exchange.KRX)
KEYS = Credentials("app-key-1234", "secret-key-1234")
TOKEN = Token("token-1234567890", kst_time("20261123080000"))
SECRETS = ("app-key-1234", "secret-key-1234", "token-1234567890")


def response(body, status=200, headers=None):
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Response(Request("ka90004", "/", {}, b"", SECRETS), status, headers or {}, raw)


def refusal(message, return_code=5):
    return {"return_msg": message, "return_code": return_code}


# ---- requests


def test_the_first_page_s_request_is_the_specification_s():
    request = encode_page(HOST, QUERY, first_cursor(QUERY), TOKEN)
    assert request.url == "https://api.example/api/dostk/stkinfo"
    assert dict(request.headers) == {
        "content-type": "application/json;charset=UTF-8",
        "user-agent": f"kiwoom_async/{__version__}",
        "accept": "*/*",
        "accept-encoding": "gzip",
        "api-id": "ka90004",
        "authorization": "Bearer token-1234567890",
    }
    assert json.loads(request.body) == {"dt": "20261120", "mrkt_tp": "P00101", "stex_tp": "1"}


def test_the_next_page_s_request_carries_the_key_and_the_same_body():
    cursor = first_cursor(QUERY)
    first = encode_page(HOST, QUERY, cursor, TOKEN)
    following = encode_page(HOST, QUERY, attrs.evolve(cursor, key="K2", page=2), TOKEN)
    assert dict(following.headers) == {**first.headers, "cont-yn": "Y", "next-key": "K2"}
    assert following.body == first.body


def test_the_token_requests_are_the_specification_s():
    issue = encode_issue(HOST, KEYS)
    assert issue.url == "https://api.example/oauth2/token"
    assert set(issue.headers) == {"content-type", "user-agent", "accept", "accept-encoding"}
    assert json.loads(issue.body) == {
        "grant_type": "client_credentials",
        "appkey": "app-key-1234",
        "secretkey": "secret-key-1234",
    }
    revoke = encode_revoke(HOST, KEYS, TOKEN)
    assert revoke.url == "https://api.example/oauth2/revoke"
    assert json.loads(revoke.body) == {
        "appkey": "app-key-1234",
        "secretkey": "secret-key-1234",
        "token": "token-1234567890",
    }


def test_pasted_keys_lose_what_nobody_sees():
    keys = Credentials("\ufeff app\u200b-key-\u20601234 \n", "\u00adsecret-key\u200d-1234")
    assert keys == KEYS


BAD_KEYS = ["", " ", "\u200b", "ab\x00cd", "ab\r\ncd", "ab cd", "키움", "ab\x7f", None, 5, b"key"]


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_a_key_that_no_portal_gives_is_refused_without_showing_it(bad):
    with pytest.raises(ValueError, match=r"^app_key: expected ") as caught:
        Credentials(bad, "secret")
    assert "ab" not in str(caught.value).removeprefix("app_key: expected printable")
    with pytest.raises(ValueError, match=r"^secret_key: expected "):
        Credentials("key", bad)


def test_no_repr_shows_a_secret():
    issue, page = encode_issue(HOST, KEYS), encode_page(HOST, QUERY, first_cursor(QUERY), TOKEN)
    revoke = encode_revoke(HOST, KEYS, TOKEN)
    shown = f"{KEYS!r} {TOKEN!r} {issue!r} {page!r} {revoke!r} {response({})!r}"
    assert not [secret for secret in SECRETS if secret in shown]
    assert "ka90004" in shown


# ---- tokens


def test_a_token_carries_its_own_expiry():
    body = {"token": "abc.DEF-1/+=_", "token_type": "bearer", "expires_dt": "20261123080000",
            "return_code": 0, "return_msg": "ok"}  # fmt: skip
    assert decode_token(response(body)) == Token("abc.DEF-1/+=_", kst_time("20261123080000"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"token": ""}, "no usable token @ token"),
        ({"token": None}, "no usable token @ token"),
        ({"token": "a\r\nb"}, "no usable token @ token"),
        ({"token": "a b"}, "no usable token @ token"),
        ({"expires_dt": None}, "no time of the form yyyyMMddHHmmss @ expires_dt"),
        ({"expires_dt": "20261399000000"}, "@ expires_dt"),
    ],
)
def test_a_token_that_cannot_be_used_is_an_error(changes, problem):
    body = {"token": "abc", "expires_dt": "20261123080000", "return_code": 0} | changes
    with pytest.raises(DecodeError) as caught:
        decode_token(response(body))
    assert problem in caught.value.problems[0]


# ---- status and return code


def test_success_is_a_zero_in_any_spelling():
    for return_code in (0, "0", "00"):
        assert decode_body(response({"return_code": return_code, "x": 1}))["x"] == 1
    assert decode_body(response({"x": 1})) == {"x": 1}


@pytest.mark.parametrize("return_code", [None, "", "none", [], 0.5])
def test_a_return_code_that_is_none_is_an_error(return_code):
    with pytest.raises(DecodeError, match="is not a return code @ return_code"):
        decode_body(response({"return_code": return_code}))


CLASSES = {
    "rate limit, production": (RateLimited, "1700", 5),
    "rate limit, mock": (RateLimited, "1700", 1),
    "rate limit, older wording (2026-01..03)": (RateLimited, "1700", None),
    "batch too big (ka10095 >100 codes); same rc and wording as rate limit, permanent": (
        ApiError, "1634", None),
    "invalid/expired token": (AuthError, "8005", None),
    "bad app key on au10001": (AuthError, "8001", None),
    "IP not registered": (AuthError, "8050", None),
    "IP not registered, newer wording (test fixture, 2026-09/10)": (AuthError, "8050", None),
    "wrong URI for TR": (ApiError, "1504", None),
    "missing required body field": (ApiError, "1511", None),
    "overseas symbol/exchange not found": (ApiError, "1903", None),
}  # fmt: skip
BODIES = {case["case"]: case for case in recorded("errors") if "body" in case}


def test_every_recorded_error_is_expected_here():
    assert set(BODIES) == set(CLASSES)


# The HTTP status of a refused token call is unknown: 200 and 4xx must mean the same.
STATUSES = [
    (case, status)
    for case, recording in BODIES.items()
    for status in ([recording["http"]] if recording["http"] else [200, 400, 401])
]


@pytest.mark.parametrize(("case", "status"), STATUSES)
def test_a_recorded_error_becomes_its_class(case, status):
    body = BODIES[case]["body"]
    with pytest.raises(ApiError) as caught:
        decode_body(response(body, status))
    error = caught.value
    kind, code, limit = CLASSES[case]
    assert type(error) is kind
    assert (error.code, error.return_code) == (code, body["return_code"])
    assert (error.message, error.api_id) == (body["return_msg"], "ka90004")
    assert f"[{code}" in str(error)
    assert getattr(error, "limit", None) == limit


@pytest.mark.parametrize(
    ("message", "return_code", "kind"),
    [
        ("[1701:x]", 5, RateLimited),
        ("[1702:x]", 5, RateLimited),
        ("허용된 요청 개수를 초과하였습니다", 5, RateLimited),
        ("[1687:x]", 1, ApiError),
        ("인증에 실패했습니다", 3, AuthError),
        ("[8103:x]", 9, AuthError),
        ("", 7, ApiError),
    ],
)
def test_a_200_that_says_no(message, return_code, kind):
    with pytest.raises(ApiError) as caught:
        decode_body(response(refusal(message, return_code)))
    assert type(caught.value) is kind
    assert caught.value.status == 200


def test_the_total_of_1701_is_no_limit_for_a_second():
    with pytest.raises(RateLimited) as caught:
        decode_body(response(refusal("[1701:허용된 총 요청 개수 초과. 총유량=1, API ID=ka90004]")))
    assert (caught.value.code, caught.value.limit) == ("1701", None)


@pytest.mark.parametrize("message", ["2026: closed", "[2026-11-22] closed", "x" * 10_000])
def test_a_number_in_a_sentence_is_no_code_and_a_sentence_is_short(message):
    with pytest.raises(ApiError) as caught:
        decode_body(response(refusal(message, 7)))
    assert caught.value.code is None
    assert len(str(caught.value)) < 600


def test_a_return_code_as_text_says_no_too():
    with pytest.raises(AuthError):
        decode_body(response(refusal("[8005:x]", "3")))


def test_a_429_is_a_rate_limit_whatever_its_body():
    for body in (b"", b"<html>slow down</html>", b"[]", {"return_code": 0}, {"return_code": None}):
        with pytest.raises(RateLimited) as caught:
            decode_body(response(body, 429))
        assert caught.value.limit is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.5", 0.5), (" 7 ", 7.0), ("", None), ("soon", None), ("-1", None),
     ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("1e9", None)],
)  # fmt: skip
def test_retry_after_is_honoured_in_seconds(header, seconds):
    with pytest.raises(RateLimited) as caught:
        decode_body(response(refusal("[1700:x]"), 429, {"retry-after": header}))
    assert caught.value.retry_after == seconds


def test_a_server_error_is_one_even_if_its_body_says_success():
    with pytest.raises(ApiError) as caught:
        decode_body(response({"return_code": 0, "return_msg": "ok"}, 500))
    assert caught.value.status == 500


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (400, b"<html><title>Request Blocked</title>Request Blocked</html>", "User-Agent"),
        (200, "<!doctype html><h1>시스템 점검</h1>".encode(), "maintenance"),
        (503, b"<html>later</html>", "maintenance"),
        (500, b"Internal Server Error", "maintenance"),
        (307, b"", "redirects are never followed"),
        (404, b'{"detail": "no such path"}', "gateway"),
        (204, b"", "gateway"),
    ],
)
def test_an_answer_that_is_not_the_api_s(status, body, advice):
    with pytest.raises(BlockedError) as caught:
        decode_body(response(body, status))
    assert caught.value.status == status
    assert "<" not in caught.value.excerpt
    assert advice in str(caught.value)
    assert f"HTTP {status}" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b'{"return_code": 0, "stk_prm', b'\xff{"return_code": 0}', b"null", b"[]", b'"x"',
     "{}".encode("utf-16")[:3], b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}"],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_damaged(body):
    with pytest.raises(DecodeError) as caught:
        decode_body(response(body))
    assert caught.value.damaged
    assert caught.value.problems[0].endswith("@ body")


SLASHED = "a/secret/with/slashes"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "body",
    [
        " ".join(SECRETS).encode(),
        b"<b>" * 5_000 + " ".join(SECRETS).encode(),
        refusal(f"[8001:{' '.join(SECRETS)}]", 3),
        {"return_code": SECRETS[0], "return_msg": SECRETS[1]},
        {"return_code": 0, "stk_prm_trde_prst": SECRETS[2]},
        {"return_code": 0, "stk_prm_trde_prst": [{"stk_cd": "1", "cur_prc": SECRETS[2]}]},
        json.dumps(refusal(SLASHED)).replace("/", "\\/").encode(),
    ],
)
def test_no_secret_comes_back_in_an_error(body, status):
    headers = {"cont-yn": SECRETS[2]} if status == 200 else {}
    answer = redact(response(body, status, headers), (SLASHED,))
    with pytest.raises(KiwoomError) as caught:
        decode_page(answer, QUERY, first_cursor(QUERY))
    everything = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    everything = everything.replace("\\/", "/")
    assert not [secret for secret in (*SECRETS, SLASHED) if secret[:12] in everything]


def test_cleaning_leaves_every_other_answer_alone():
    body = recorded("ka90004_spec_example")
    assert redact(response(body), ("0", "return_", "005930")) == response(body)


@pytest.mark.parametrize("status", [200, 201, 400, 500])
@pytest.mark.parametrize(
    "body",
    [
        b'{"token": "TokenSecret0001.abcdef", "expires',
        b'["TokenSecret0001.abcdef"]',
        b"TokenSecret0001.abcdef",
        {"token": "TokenSecret0001.abcdef \n", "return_code": 0},
        {"token": "TokenSecret0001.abcdef", "expires_dt": None},
        {"token": "TokenSecret0001.abcdef", "expires_dt": "TokenSecret0001.abcdef"},
        {"token": "TokenSecret0001.abcdef", "return_code": "?"},
    ],
)
def test_an_answer_that_may_hold_a_new_token_is_never_quoted(body, status):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(KiwoomError) as caught:
        decode_token(Response(encode_issue(HOST, KEYS), status, {}, raw))
    everything = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "TokenSecret" not in everything


def test_a_maintenance_page_is_quoted_even_instead_of_a_token():
    page = "<html><style>p {x: y}</style><h1>점검 중</h1><script>no()</script></html>".encode()
    with pytest.raises(BlockedError) as caught:
        decode_token(Response(encode_issue(HOST, KEYS), 200, {}, page))
    assert caught.value.excerpt == "점검 중"


# ---- errors as values


@pytest.mark.parametrize(
    "error",
    [
        ApiError("no", code="1511", return_code=2, api_id="ka90004"),
        RateLimited("slower", code="1700"),
        BlockedError("page", status=503, excerpt="later"),
        DecodeError("bad", problems=["x @ y"], damaged=True),
        TransportError("gone", local=True),
        ContinuationError("circle"),
    ],
)
def test_errors_survive_pickling_with_their_facts(error):
    error.cursor, error.page, error.attempts = first_cursor(QUERY), 3, 4
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_an_error_says_where_and_what_to_do():
    error = AuthError("[8050:no]", code="8050", api_id="au10001")
    error.query, error.page, error.attempts = QUERY, 12, 4
    assert str(error) == (
        "au10001: [8050:no] (2026-11-20 KOSPI KRX, pages delivered: 12, attempts: 4)"
        " -- register this machine's public IP address in the Kiwoom REST API portal"
    )


@pytest.mark.parametrize(
    "spelled",
    [
        lambda secret: secret,
        lambda secret: secret.replace("=", "\\u003d").replace("/", "\\/"),
        lambda secret: "".join(f"\\u{ord(char):04X}" for char in secret),
        lambda secret: secret.replace("+", "\\u002B"),
    ],
)
def test_an_echo_of_a_secret_is_cleaned_however_json_spells_it(spelled):
    secret = "Abc/def+ghij1234567890=="
    body = f'{{"return_code":7,"return_msg":"boom {spelled(secret)}"}}'
    assert json.loads(body)["return_msg"] == f"boom {secret}"
    asked = Request("ka90004", "/", {}, b"", (secret,))
    found = redact(Response(asked, 200, {"x": secret}, body.encode()), ())
    assert json.loads(found.body)["return_msg"] == "boom ***"
    assert found.headers == {"x": "***"}


@pytest.mark.parametrize(
    "body", [b'{"a":1,"a":1}', b'{"rows":[{"b":"1","b":"2"}]}', b'{"a":NaN}', b'{"a":-Infinity}']
)
def test_json_that_can_be_read_in_two_ways_is_not_read(body):
    with pytest.raises(DecodeError) as caught:
        decode_body(Response(Request("ka90004", "/", {}, b"", ()), 200, {}, body))
    assert caught.value.damaged


def test_a_retry_after_with_an_unprintable_space_is_read():
    """Found by the fuzzer: strip() takes more for a space than float() does."""
    asked = Request("ka90004", "/", {}, b"", ())
    with pytest.raises(RateLimited) as caught:
        decode_body(Response(asked, 429, {"retry-after": "1\x1c"}, b"{}"))
    assert caught.value.retry_after == 1.0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "latin-1"])
def test_an_answer_is_utf_8_and_nothing_else(encoding):
    """In any other, no secret has been looked for."""
    body = '{"return_code":7,"return_msg":"값 é"}'.replace(
        "값", "값" if encoding != "latin-1" else "v"
    )
    raw = body.encode(encoding)
    with pytest.raises(DecodeError):
        decode_body(Response(Request("ka90004", "/", {}, b"", ()), 200, {}, raw))


@pytest.mark.parametrize(
    "body",
    [
        {"return_code": 7, "return_msg": "got {token}", "token": "{token}"},
        {"return_code": "{token}", "token": "{token}", "expires_dt": "20991231235959"},
        {"return_code": 0, "token": "{token}", "expires_dt": "{token}"},
        {"return_code": 0, "token": "{token}", "expires_dt": "00010101000000"},
        {"return_code": 0, "token": "bad {token}", "expires_dt": "20991231235959"},
    ],
)
def test_no_error_of_a_token_s_call_quotes_the_token(body):
    token = "sentinel-NEW-token-0123456789"
    text = json.dumps(body).replace("{token}", token)
    with pytest.raises(KiwoomError) as caught:
        decode_token(Response(Request("au10001", "/", {}, b"", ()), 200, {}, text.encode()))
    assert token not in "".join(traceback.format_exception(caught.value))
