"""The calls that the sandbox serves: au10001, au10002, ka90004, its family, and recorded ones.

Each function checks in the order the server is assumed to check, and raises RefusalError with the
answer to send if it refuses.
"""

from typing import Any, Final

from attrs import field, frozen

from ._access import Access
from ._asgi import Request
from ._family import FAMILY, Trading
from ._market import SUFFIXES
from ._market_data import EIGHT_DIGITS, MarketData
from ._pages import API_ID, Query, blank_page, page_reply
from ._recorded import Recorded, recorded_reply
from ._replies import RefusalError, Reply, not_found, rate_limited, refusal, success

ISSUE_API_ID: Final = "au10001"
_REVOKE_API_ID: Final = "au10002"
_ISSUE_PATH: Final = "/oauth2/token"
_REVOKE_PATH: Final = "/oauth2/revoke"
_DATA_PATH_PREFIX: Final = "/api/dostk/"
_PATHS: Final = {
    ISSUE_API_ID: _ISSUE_PATH,
    _REVOKE_API_ID: _REVOKE_PATH,
    API_ID: "/api/dostk/stkinfo",
    **{api_id: request.path for api_id, request in FAMILY.items()},
}
_TOKEN_API_IDS: Final = {_ISSUE_PATH: ISSUE_API_ID, _REVOKE_PATH: _REVOKE_API_ID}


@frozen
class Call:
    """One request, its arrival time, and all that it is checked against.

    `limit` is the number of requests a second; None means no limit.
    """

    request: Request
    time: float
    limit: int | None
    access: Access = field(repr=False)
    market_data: MarketData
    recorded: tuple[Recorded, ...] = field(default=(), repr=False)

    def recordings(self) -> list[Recorded]:
        """Return the recorded answers of this request's api-id."""
        api_id = self.request.header("api-id")
        return [recorded for recorded in self.recorded if recorded.api_id == api_id]


def request_api_id(request: Request) -> str:
    """Return the api-id: of a token call by its path, of any other request by its header."""
    return _TOKEN_API_IDS.get(request.path) or request.header("api-id")


def request_key(request: Request) -> str:
    """Return the continuation key, "" for a first page."""
    return request.header("next-key") if request.header("cont-yn") == "Y" else ""


def request_app_key(request: Request, access: Access) -> str:
    """Return the app key for the log, "" if unknown.

    Never refuses: expired tokens and wrong secret keys still name their app key.
    """
    if request.path not in _TOKEN_API_IDS:
        token = request.header("authorization").rpartition(" ")[2]
        return access.app_key_even_if_invalid(token)
    try:
        return _string(request.json_object(), "appkey")
    except RefusalError:
        return ""


def loggable_body(request: Request) -> dict[str, Any]:
    """Return the body for the log, {} if it may hold a secret or is no JSON object."""
    if not request.path.startswith(_DATA_PATH_PREFIX):
        return {}
    try:
        return request.json_object()
    except RefusalError:
        return {}


def handle(call: Call) -> Reply:
    """Answer a request that the firewall let through."""
    path = call.request.path
    if call.request.method == "POST":
        if path == _ISSUE_PATH:
            return _issue_token(call)
        if path == _REVOKE_PATH:
            return _revoke_token(call)
        if path.startswith(_DATA_PATH_PREFIX):
            return _answer_data(call)
    return not_found(path)


def _issue_token(call: Call) -> Reply:
    body = call.request.json_object()
    if not body:
        raise RefusalError(refusal("1511", api_id=ISSUE_API_ID, parameter="grant_type"))
    grant_type = _string(body, "grant_type")
    if grant_type != "client_credentials":
        raise RefusalError(refusal("8012" if grant_type else "8011", api_id=ISSUE_API_ID))
    issued = call.access.issue(_authenticate(call, ISSUE_API_ID, body))
    answer = {
        "expires_dt": f"{issued.expires:%Y%m%d%H%M%S}",
        "token_type": "bearer",
        "token": issued.token,
    }
    return success(answer, {"api-id": ISSUE_API_ID})


def _revoke_token(call: Call) -> Reply:
    body = call.request.json_object()
    if not body:
        raise RefusalError(refusal("1511", api_id=_REVOKE_API_ID, parameter="appkey"))
    app_key = _authenticate(call, _REVOKE_API_ID, body)
    token = _string(body, "token")
    if not token:
        raise RefusalError(refusal("8016", api_id=_REVOKE_API_ID))
    if not call.access.revoke(app_key, token):
        raise RefusalError(refusal("8015", api_id=_REVOKE_API_ID, reason="Token"))
    return success({}, {"api-id": _REVOKE_API_ID})


def _authenticate(call: Call, api_id: str, body: dict[str, Any]) -> str:
    """Count a token call, check its app key and secret key, and return the app key."""
    app_key, secret_key = _string(body, "appkey"), _string(body, "secretkey")
    if not app_key or not secret_key:
        raise RefusalError(refusal("8020", api_id=api_id))
    _check_rate(call, app_key, api_id)
    if not call.access.accepts_credentials(app_key, secret_key):
        raise RefusalError(refusal("8001", api_id=api_id))
    return app_key


def _string(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _check_rate(call: Call, app_key: str, api_id: str) -> None:
    limit = call.limit
    if not call.access.admit(app_key, api_id, limit, call.time) and limit is not None:
        raise RefusalError(rate_limited(api_id, limit))


def _answer_data(call: Call) -> Reply:
    request = call.request
    app_key = _authorize(request, call.access)
    _check_api_id(call)
    api_id = request.header("api-id")
    _check_rate(call, app_key, api_id)
    body, key = request.json_object(), request_key(request)
    if recordings := call.recordings():
        return recorded_reply(recordings, api_id, body, key)
    if api_id == API_ID:
        return _program_trades(call, body, key)
    trading = Trading(call.market_data, call.access.now().date(), call.time)
    return FAMILY[api_id].pages(api_id, body, trading).reply(key)


def _program_trades(call: Call, body: dict[str, Any], key: str) -> Reply:
    query = _parse_query(body)
    day = call.market_data.day(query, call.access.now().date(), call.time)
    if day is None:
        return blank_page()
    return page_reply(query, day, key, call.market_data.totals_on)


def _authorize(request: Request, access: Access) -> str:
    """Check the Bearer token and return its app key."""
    api_id = request.header("api-id")
    if "authorization" not in request.headers:
        raise RefusalError(refusal("1513", api_id=api_id))
    match request.header("authorization").split():
        case [scheme, token] if scheme.lower() == "bearer":
            app_key = access.app_key_if_valid(token)
        case [_, _]:
            raise RefusalError(refusal("1515", api_id=api_id))
        case [scheme] if scheme.lower() == "bearer":
            raise RefusalError(refusal("1516", api_id=api_id))
        case _:
            raise RefusalError(refusal("1514", api_id=api_id))
    if app_key is None:
        raise RefusalError(refusal("8005", api_id=api_id))
    return app_key


def _check_api_id(call: Call) -> None:
    api_id, path = call.request.header("api-id"), call.request.path
    if not api_id:
        raise RefusalError(refusal("1501"))
    recordings = call.recordings()
    if not recordings and api_id not in _PATHS:
        raise RefusalError(refusal("1505", api_id=api_id))
    if path not in ({each.path or path for each in recordings} or {_PATHS[api_id]}):
        raise RefusalError(refusal("1504", api_id=api_id, uri=path))


def _parse_query(body: dict[str, Any]) -> Query:
    names = ("dt", "mrkt_tp", "stex_tp")
    for name in names:
        if body.get(name) in (None, ""):
            raise RefusalError(refusal("1511", api_id=API_ID, parameter=name))
    query = Query(*(_string(body, name) for name in names))
    if not EIGHT_DIGITS.fullmatch(query.dt):
        raise _malformed("dt")
    if query.stex_tp not in SUFFIXES:
        raise _malformed("stex_tp")
    return query


def _malformed(name: str) -> RefusalError:
    return RefusalError(refusal("1517", api_id=API_ID, parameter=name, reason="form"))
