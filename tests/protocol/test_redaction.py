"""Secrets in answers: removed in any spelling, and never quoted in an error."""

import json
import traceback

import pytest
from support.decoding import decode_page
from support.exchange import QUERY
from support.messages import HOST, KEYS, SECRETS, TOKEN, refused_body, response
from support.recorded import recorded

from kiwoom_async import BlockedError, KiwoomError
from kiwoom_async._protocol.credentials import (
    decode_token,
    encode_issue,
    encode_revoke,
)
from kiwoom_async._protocol.messages import Request, Response, redact
from kiwoom_async._protocol.pages import encode_page, first_cursor

SECRET_WITH_SLASHES = "a/secret/with/slashes"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "body",
    [
        " ".join(SECRETS).encode(),
        b"<b>" * 5_000 + " ".join(SECRETS).encode(),
        refused_body(f"[8001:{' '.join(SECRETS)}]", 3),
        {"return_code": SECRETS[0], "return_msg": SECRETS[1]},
        {"return_code": 0, "stk_prm_trde_prst": SECRETS[2]},
        {"return_code": 0, "stk_prm_trde_prst": [{"stk_cd": "1", "cur_prc": SECRETS[2]}]},
        json.dumps(refused_body(SECRET_WITH_SLASHES)).replace("/", "\\/").encode(),
    ],
)
def test_errors_hold_no_secret_of_the_request(body, status):
    headers = {"cont-yn": SECRETS[2]} if status == 200 else {}
    answer = redact(response(body, status, headers), (SECRET_WITH_SLASHES,))
    with pytest.raises(KiwoomError) as caught:
        decode_page(answer, QUERY, first_cursor(QUERY))
    shown_text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    shown_text = shown_text.replace("\\/", "/")
    assert not [secret for secret in (*SECRETS, SECRET_WITH_SLASHES) if secret[:12] in shown_text]


def test_redaction_leaves_other_answers_unchanged():
    body = recorded("ka90004_spec_example")
    assert redact(response(body), ("0", "return_", "005930")) == response(body)


@pytest.mark.parametrize(
    "spell",
    [
        lambda secret: secret,
        lambda secret: secret.replace("=", "\\u003d").replace("/", "\\/"),
        lambda secret: "".join(f"\\u{ord(char):04X}" for char in secret),
        lambda secret: secret.replace("+", "\\u002B"),
    ],
)
def test_a_secret_is_redacted_in_any_json_spelling(spell):
    secret = "Abc/def+ghij1234567890=="
    body = f'{{"return_code":7,"return_msg":"boom {spell(secret)}"}}'
    assert json.loads(body)["return_msg"] == f"boom {secret}"
    request = Request("ka90004", "/", {}, b"", (secret,))
    found = redact(Response(request, 200, {"x": secret}, body.encode()), ())
    assert json.loads(found.body)["return_msg"] == "boom ***"
    assert found.headers == {"x": "***"}


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
    shown_text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "TokenSecret" not in shown_text


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
def test_errors_of_a_token_request_do_not_quote_the_token(body):
    token = "sentinel-NEW-token-0123456789"
    text = json.dumps(body).replace("{token}", token)
    with pytest.raises(KiwoomError) as caught:
        decode_token(Response(Request("au10001", "/", {}, b"", ()), 200, {}, text.encode()))
    assert token not in "".join(traceback.format_exception(caught.value))


def test_a_maintenance_page_is_quoted_even_for_a_token_request():
    page = "<html><style>p {x: y}</style><h1>점검 중</h1><script>no()</script></html>".encode()
    with pytest.raises(BlockedError) as caught:
        decode_token(Response(encode_issue(HOST, KEYS), 200, {}, page))
    assert caught.value.excerpt == "점검 중"


def test_reprs_show_no_secret():
    issue = encode_issue(HOST, KEYS)
    page = encode_page(HOST, QUERY.path, first_cursor(QUERY), TOKEN)
    revoke = encode_revoke(HOST, KEYS, TOKEN)
    shown = f"{KEYS!r} {TOKEN!r} {issue!r} {page!r} {revoke!r} {response({})!r}"
    assert not [secret for secret in SECRETS if secret in shown]
    assert "ka90004" in shown
