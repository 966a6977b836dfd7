"""Requests of pages, and judging an answer by its status, return code and body."""

import json

import attrs
import pytest
from support.exchange import QUERY
from support.messages import HOST, TOKEN, refused_body, response
from support.recorded import recorded

from kiwoom_async import ApiError, AuthError, BlockedError, DecodeError, RateLimited, __version__
from kiwoom_async._protocol.messages import Request, Response, decode_body
from kiwoom_async._protocol.pages import encode_page, first_cursor


def test_the_request_of_the_first_page_is_that_of_the_specification():
    request = encode_page(HOST, QUERY.path, first_cursor(QUERY), TOKEN)
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


def test_the_request_of_the_next_page_has_the_key_and_the_same_body():
    cursor = first_cursor(QUERY)
    first = encode_page(HOST, QUERY.path, cursor, TOKEN)
    following = encode_page(HOST, QUERY.path, attrs.evolve(cursor, key="K2", page=2), TOKEN)
    assert dict(following.headers) == {**first.headers, "cont-yn": "Y", "next-key": "K2"}
    assert following.body == first.body


def test_a_return_code_of_zero_is_success_in_any_spelling():
    for return_code in (0, "0", "00"):
        assert decode_body(response({"return_code": return_code, "x": 1}))["x"] == 1
    assert decode_body(response({"x": 1})) == {"x": 1}


@pytest.mark.parametrize("return_code", [None, "", "none", [], 0.5])
def test_an_invalid_return_code_is_an_error(return_code):
    with pytest.raises(DecodeError, match="is not a return code @ return_code"):
        decode_body(response({"return_code": return_code}))


EXPECTED_ERRORS = {
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
RECORDED_ERRORS = {case["case"]: case for case in recorded("errors") if "body" in case}


def test_the_table_has_every_recorded_error():
    assert set(RECORDED_ERRORS) == set(EXPECTED_ERRORS)


# The HTTP status of a refused token call is unknown: 200 and 4xx must have the same result.
CASES_AND_STATUSES = [
    (case, status)
    for case, recording in RECORDED_ERRORS.items()
    for status in ([recording["http"]] if recording["http"] else [200, 400, 401])
]


@pytest.mark.parametrize(("case", "status"), CASES_AND_STATUSES)
def test_a_recorded_error_becomes_the_expected_exception(case, status):
    body = RECORDED_ERRORS[case]["body"]
    with pytest.raises(ApiError) as caught:
        decode_body(response(body, status))
    error = caught.value
    kind, code, limit = EXPECTED_ERRORS[case]
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
def test_a_refusal_with_status_200_becomes_its_exception(message, return_code, kind):
    with pytest.raises(ApiError) as caught:
        decode_body(response(refused_body(message, return_code)))
    assert type(caught.value) is kind
    assert caught.value.status == 200


def test_the_total_limit_of_1701_is_not_a_limit_per_second():
    with pytest.raises(RateLimited) as caught:
        decode_body(
            response(refused_body("[1701:허용된 총 요청 개수 초과. 총유량=1, API ID=ka90004]"))
        )
    assert (caught.value.code, caught.value.limit) == ("1701", None)


@pytest.mark.parametrize("message", ["2026: closed", "[2026-11-22] closed", "x" * 10_000])
def test_a_number_in_a_message_is_not_a_code_and_long_messages_are_shortened(message):
    with pytest.raises(ApiError) as caught:
        decode_body(response(refused_body(message, 7)))
    assert caught.value.code is None
    assert len(str(caught.value)) < 600


def test_a_return_code_may_be_sent_as_text():
    with pytest.raises(AuthError):
        decode_body(response(refused_body("[8005:x]", "3")))


def test_a_429_is_a_rate_limit_with_any_body():
    for body in (b"", b"<html>slow down</html>", b"[]", {"return_code": 0}, {"return_code": None}):
        with pytest.raises(RateLimited) as caught:
            decode_body(response(body, 429))
        assert caught.value.limit is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0.5", 0.5), (" 7 ", 7.0), ("", None), ("soon", None), ("-1", None),
     ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("1e9", None)],
)  # fmt: skip
def test_retry_after_is_read_as_seconds(header, seconds):
    with pytest.raises(RateLimited) as caught:
        decode_body(response(refused_body("[1700:x]"), 429, {"retry-after": header}))
    assert caught.value.retry_after == seconds


def test_a_status_of_500_is_an_error_even_if_the_body_reports_success():
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
def test_an_answer_that_is_not_from_the_api_is_a_blocked_error(status, body, advice):
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
def test_a_body_that_is_not_a_json_object_is_damaged(body):
    with pytest.raises(DecodeError) as caught:
        decode_body(response(body))
    assert caught.value.damaged
    assert caught.value.problems[0].endswith("@ body")


@pytest.mark.parametrize(
    "body", [b'{"a":1,"a":1}', b'{"rows":[{"b":"1","b":"2"}]}', b'{"a":NaN}', b'{"a":-Infinity}']
)
def test_ambiguous_json_is_damaged(body):
    with pytest.raises(DecodeError) as caught:
        decode_body(Response(Request("ka90004", "/", {}, b"", ()), 200, {}, body))
    assert caught.value.damaged


def test_retry_after_with_an_unprintable_space_is_read():
    """strip() removes characters that float() refuses; found by fuzzing."""
    request = Request("ka90004", "/", {}, b"", ())
    with pytest.raises(RateLimited) as caught:
        decode_body(Response(request, 429, {"retry-after": "1\x1c"}, b"{}"))
    assert caught.value.retry_after == 1.0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "latin-1"])
def test_an_answer_in_another_encoding_than_utf_8_is_an_error(encoding):
    """Secrets are redacted in UTF-8 only."""
    body = '{"return_code":7,"return_msg":"값 é"}'.replace(
        "값", "값" if encoding != "latin-1" else "v"
    )
    raw = body.encode(encoding)
    with pytest.raises(DecodeError):
        decode_body(Response(Request("ka90004", "/", {}, b"", ()), 200, {}, raw))
