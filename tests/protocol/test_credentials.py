"""App keys and tokens: what is accepted, and the requests that issue and revoke a token."""

import json

import pytest
from support.messages import HOST, KEYS, TOKEN, response

from kiwoom_async import DecodeError
from kiwoom_async._protocol.credentials import (
    Credentials,
    decode_token,
    encode_issue,
    encode_revoke,
)
from kiwoom_async._protocol.messages import Token
from kiwoom_async._protocol.times import kst_time


def test_token_requests_are_those_of_the_specification():
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


def test_invisible_characters_are_removed_from_pasted_keys():
    keys = Credentials("\ufeff app\u200b-key-\u20601234 \n", "\u00adsecret-key\u200d-1234")
    assert keys == KEYS


BAD_KEYS = ["", " ", "\u200b", "ab\x00cd", "ab\r\ncd", "ab cd", "키움", "ab\x7f", None, 5, b"key"]


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_an_invalid_key_is_refused_and_not_quoted(bad):
    with pytest.raises(ValueError, match=r"^app_key: expected ") as caught:
        Credentials(bad, "secret")
    assert "ab" not in str(caught.value).removeprefix("app_key: expected printable")
    with pytest.raises(ValueError, match=r"^secret_key: expected "):
        Credentials("key", bad)


def test_a_token_has_the_expiry_of_its_answer():
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
def test_an_invalid_token_or_expiry_is_an_error(changes, problem):
    body = {"token": "abc", "expires_dt": "20261123080000", "return_code": 0} | changes
    with pytest.raises(DecodeError) as caught:
        decode_token(response(body))
    assert problem in caught.value.problems[0]
