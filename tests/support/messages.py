"""Keys, a token, and answers that hold or lack them."""

import json

from kiwoom_async._protocol.credentials import Credentials
from kiwoom_async._protocol.messages import Request, Response, Token
from kiwoom_async._protocol.times import kst_time

HOST = "https://api.example"

KEYS = Credentials("app-key-1234", "secret-key-1234")
TOKEN = Token("token-1234567890", kst_time("20261123080000"))
SECRETS = ("app-key-1234", "secret-key-1234", "token-1234567890")


def response(body, status=200, headers=None):
    """Return an answer with this body, as bytes or as a value to encode."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Response(Request("ka90004", "/", {}, b"", SECRETS), status, headers or {}, raw)


def refused_body(message, return_code=5):
    """Return the body of a refusal."""
    return {"return_msg": message, "return_code": return_code}
