"""The three calls: what each checks, in which order, and what it answers.

Raises RefusalError with the answer for whatever it refuses; does not know of faults or latency.
"""

import re
from datetime import date
from typing import Any, Final

from attrs import field, frozen

from ._access import Access
from ._asgi import Request
from ._market import SUFFIXES, Day, day
from ._moving import Moving
from ._pages import API_ID, Query, TotalsOn, blank_page, page
from ._replies import RefusalError, Reply, not_found, rate_limited, refusal, success

ISSUE: Final = "au10001"
REVOKE: Final = "au10002"
PATHS: Final = {ISSUE: "/oauth2/token", REVOKE: "/oauth2/revoke", API_ID: "/api/dostk/stkinfo"}
_TOKEN_CALLS: Final = {PATHS[ISSUE]: ISSUE, PATHS[REVOKE]: REVOKE}
_DATA_PATHS: Final = "/api/dostk/"
_SATURDAY: Final = 5
_EIGHT_DIGITS: Final = re.compile("[0-9]{8}")


@frozen
class Listing:
    """How many stocks each market lists, whether they move, and how totals are told."""

    counts: dict[str, int]
    totals_on: TotalsOn
    moving: Moving | None = None

    def day(self, query: Query, today: date, time: float | None = None) -> Day | None:
        """Find the day asked for; None where the server has nothing to show.

        A market that moves is shown as it is at `time`, or else as it was last shown.
        """
        if not self.counts.get(query.mrkt_tp) or query.stex_tp not in SUFFIXES:
            return None
        if not _traded_on(query.dt, today):
            return None
        asked, count = (query.dt, query.mrkt_tp, query.stex_tp), self.counts[query.mrkt_tp]
        if self.moving is None:
            return day(*asked, count)
        if time is None:
            return self.moving.last_told(*asked) or day(*asked, count)
        return self.moving.day(*asked, count, time)


@frozen
class Call:
    """One request with everything it is judged by."""

    request: Request
    time: float
    limit: int | None
    access: Access = field(repr=False)
    listing: Listing


def api_id_of(request: Request) -> str:
    """Name the TR asked for: token calls are known by their path alone."""
    return _TOKEN_CALLS.get(request.path) or request.header("api-id")


def asked_key(request: Request) -> str:
    """Read the continuation key, "" for a first page."""
    return request.header("next-key") if request.header("cont-yn") == "Y" else ""


def app_key_of(request: Request, access: Access) -> str:
    """Whose request this is, as far as it says so; for the log, so it never refuses."""
    if request.path not in _TOKEN_CALLS:
        return access.past_holder(request.header("authorization").rpartition(" ")[2])
    try:
        return _text(request.json_object(), "appkey")
    except RefusalError:
        return ""


def data_body(request: Request) -> dict[str, Any]:
    """Read a data request's body for the log, {} where it is none or may hold a secret."""
    if not request.path.startswith(_DATA_PATHS):
        return {}
    try:
        return request.json_object()
    except RefusalError:
        return {}


def answer(call: Call) -> Reply:
    """Answer as the API does behind its firewall."""
    request = call.request
    if request.method != "POST":
        return not_found(request.path)
    if request.path in _TOKEN_CALLS:
        return _issue(call) if request.path == PATHS[ISSUE] else _revoke(call)
    return _data(call) if request.path.startswith(_DATA_PATHS) else not_found(request.path)


def _issue(call: Call) -> Reply:
    body = call.request.json_object()
    if not body:
        raise RefusalError(refusal("1511", api_id=ISSUE, parameter="grant_type"))
    grant_type = _text(body, "grant_type")
    if grant_type != "client_credentials":
        raise RefusalError(refusal("8012" if grant_type else "8011", api_id=ISSUE))
    grant = call.access.issue(_identified(call, ISSUE, body))
    told = {
        "expires_dt": f"{grant.expires:%Y%m%d%H%M%S}",
        "token_type": "bearer",
        "token": grant.token,
    }
    return success(told, {"api-id": ISSUE})


def _revoke(call: Call) -> Reply:
    body = call.request.json_object()
    if not body:
        raise RefusalError(refusal("1511", api_id=REVOKE, parameter="appkey"))
    app_key, token = _identified(call, REVOKE, body), _text(body, "token")
    if not token:
        raise RefusalError(refusal("8016", api_id=REVOKE))
    if not call.access.revoke(app_key, token):
        raise RefusalError(refusal("8015", api_id=REVOKE, reason="Token"))
    return success({}, {"api-id": REVOKE})


def _identified(call: Call, api_id: str, body: dict[str, Any]) -> str:
    """Pace a token call and check its pair of keys; its app key."""
    app_key, secret_key = _text(body, "appkey"), _text(body, "secretkey")
    if not app_key or not secret_key:
        raise RefusalError(refusal("8020", api_id=api_id))
    _pace(call, app_key, api_id)
    if not call.access.accepts(app_key, secret_key):
        raise RefusalError(refusal("8001", api_id=api_id))
    return app_key


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _pace(call: Call, app_key: str, api_id: str) -> None:
    limit = call.limit
    if not call.access.admits(app_key, api_id, limit, call.time) and limit is not None:
        raise RefusalError(rate_limited(api_id, limit))


def _data(call: Call) -> Reply:
    request = call.request
    app_key = _authorized(request, call.access)
    _check_api_id(request)
    _pace(call, app_key, API_ID)
    query = _query(request.json_object())
    whole = call.listing.day(query, call.access.moment().date(), call.time)
    if whole is None:
        return blank_page()
    return page(query, whole, asked_key(request), call.listing.totals_on)


def _authorized(request: Request, access: Access) -> str:
    """Check the Bearer token; the app key behind it."""
    api_id = request.header("api-id")
    if "authorization" not in request.headers:
        raise RefusalError(refusal("1513", api_id=api_id))
    match request.header("authorization").split():
        case [kind, token] if kind.lower() == "bearer":
            app_key = access.holder(token)
        case [_, _]:
            raise RefusalError(refusal("1515", api_id=api_id))
        case [kind] if kind.lower() == "bearer":
            raise RefusalError(refusal("1516", api_id=api_id))
        case _:
            raise RefusalError(refusal("1514", api_id=api_id))
    if app_key is None:
        raise RefusalError(refusal("8005", api_id=api_id))
    return app_key


def _check_api_id(request: Request) -> None:
    api_id = request.header("api-id")
    if not api_id:
        raise RefusalError(refusal("1501"))
    if api_id not in PATHS:
        raise RefusalError(refusal("1505", api_id=api_id))
    if PATHS[api_id] != request.path:
        raise RefusalError(refusal("1504", api_id=api_id, uri=request.path))


def _query(body: dict[str, Any]) -> Query:
    for name in ("dt", "mrkt_tp", "stex_tp"):
        if body.get(name) in (None, ""):
            raise RefusalError(refusal("1511", api_id=API_ID, parameter=name))
    query = Query(*(_text(body, name) for name in ("dt", "mrkt_tp", "stex_tp")))
    _check_form("dt", _EIGHT_DIGITS.fullmatch(query.dt))
    _check_form("stex_tp", query.stex_tp in SUFFIXES)
    return query


def _check_form(name: str, well_formed: object) -> None:
    if not well_formed:
        raise RefusalError(refusal("1517", api_id=API_ID, parameter=name, reason="form"))


def _traded_on(dt: str, today: date) -> bool:
    """Whether it is a weekday up to today; False for a date that no calendar has."""
    if not _EIGHT_DIGITS.fullmatch(dt):
        return False
    try:
        asked = date(int(dt[:4]), int(dt[4:6]), int(dt[6:]))
    except ValueError:
        return False
    return asked <= today and asked.weekday() < _SATURDAY
