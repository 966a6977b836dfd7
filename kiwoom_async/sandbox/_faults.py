"""Faults: errors to provoke, the calls they strike, and the answers they cause.

A fault either replaces the answer before any check, or modifies the answer that the checks gave.
"""

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve, field, frozen

from ._codes import CODES
from ._replies import Reply, firewall_page, html_page, rate_limited, refusal

_OTHER_HOST: Final = "https://elsewhere.invalid"  # RFC 2606: never resolves


@frozen
class Fault:
    """One fault: `kind` strikes `times` arrivals of `api_id`, from the `call`-th on.

    `times` may be `math.inf`. `seconds` is the wait of "slow" and the Retry-After of "rate_limit";
    `code` is the inner code of "code"; `field` is the row's field that "unreadable_row" changes, by
    default its first quantity ("qty" in the name), or its last field. Faults of rows strike the
    list of the answer under whatever name, and leave an answer without rows as it is. Raises
    ValueError for an unknown kind or code.
    """

    kind: str
    api_id: str = "ka90004"
    call: int = 1
    times: float = 1
    seconds: float = 0.0
    code: str = ""
    field: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse a fault that would never strike or has no answer."""
        if self.kind not in KINDS:
            raise ValueError(f"kind: got {self.kind!r}; expected one of {', '.join(KINDS)}")
        if self.kind == "code" and self.code not in CODES:
            raise ValueError(f"code: got {self.code!r}; expected one of {', '.join(CODES)}")
        if self.call < 1:
            raise ValueError(f"call: got {self.call!r}; expected 1 or more")
        if self.times < 1:
            raise ValueError(f"times: got {self.times!r}; expected 1 or more")
        if self.seconds < 0:
            raise ValueError(f"seconds: got {self.seconds!r}; expected 0 or more")

    def strikes(self, api_id: str, call: int) -> bool:
        """Return True if the fault strikes the `call`-th arrival of `api_id`."""
        return self.api_id == api_id and self.call <= call < self.call + self.times


@frozen
class FaultContext:
    """The fault to apply and the call it strikes."""

    fault: Fault
    api_id: str
    path: str
    requested_key: str
    limit: int
    expire_tokens: Callable[[], None] = field(repr=False)


def apply_fault(
    context: FaultContext, answer_normally: Callable[[], Reply]
) -> tuple[Reply, str | None]:
    """Return the answer to send, and the fault's kind, or None if it changed nothing.

    `answer_normally` is called only for faults that modify an answer.
    """
    kind = context.fault.kind
    if kind in _REPLACEMENTS:
        return _REPLACEMENTS[kind](context), kind
    reply = answer_normally()
    modified = _MODIFICATIONS[kind](reply, context)
    return modified, None if modified is reply else kind


def _rate_limit(context: FaultContext) -> Reply:
    reply = rate_limited(context.api_id, context.limit)
    if not context.fault.seconds:
        return reply
    return evolve(reply, headers={**reply.headers, "retry-after": f"{context.fault.seconds:g}"})


def _token_dies(context: FaultContext) -> Reply:
    context.expire_tokens()
    return refusal("8005", api_id=context.api_id)


def _code(context: FaultContext) -> Reply:
    return refusal(
        context.fault.code,
        api_id=context.api_id,
        uri=context.path,
        parameter="dt",
        reason="-",
        limit=context.limit,
    )


def _redirect(context: FaultContext) -> Reply:
    return Reply(status=307, body=b"", headers={"location": _OTHER_HOST + context.path})


_REPLACEMENTS: Final[dict[str, Callable[[FaultContext], Reply]]] = {
    "rate_limit": _rate_limit,
    "rate_limit_200": lambda context: evolve(_rate_limit(context), status=200),
    "server_error": lambda _: Reply(
        status=500, body=b"Internal Server Error", content_type="text/plain"
    ),
    "unavailable_html": lambda _: html_page(503, "Service Unavailable", "<p>Try again later.</p>"),
    "maintenance_html": lambda _: html_page(
        200, "시스템 점검 안내", "<p>서비스 점검 중입니다.</p>"
    ),
    "firewall": lambda _: firewall_page(),
    "token_dies": _token_dies,
    "code": _code,
    "redirect": _redirect,
}


def _truncate(reply: Reply) -> Reply:
    raw = reply.encoded()
    return evolve(reply, body=raw[: len(raw) // 2])


def _insert_invalid_byte(reply: Reply) -> Reply:
    raw = reply.encoded()
    middle = len(raw) // 2
    return evolve(reply, body=raw[:middle] + b"\xff" + raw[middle:])


def _modify_body(reply: Reply, modify: Callable[[dict[str, Any]], dict[str, Any]]) -> Reply:
    """Return the reply with its JSON object modified; any other reply as it is."""
    return evolve(reply, body=modify(reply.body)) if isinstance(reply.body, dict) else reply


def _modify_rows(reply: Reply, modify: Callable[[list[Any]], list[Any] | None]) -> Reply:
    """Return the page with its rows modified; a reply without a list as it is."""
    rows_key = reply.rows_key
    if rows_key is None or not isinstance(reply.body, dict):
        return reply
    rows = reply.body[rows_key]
    modified = modify(rows)
    return reply if modified is rows else evolve(reply, body={**reply.body, rows_key: modified})


def _remove_list(reply: Reply) -> Reply:
    if reply.rows_key is None or not isinstance(reply.body, dict):
        return reply
    body = {name: value for name, value in reply.body.items() if name != reply.rows_key}
    return evolve(reply, body=body)


def _insert_blank_row(rows: list[Any]) -> list[Any]:
    if not rows:
        return rows
    middle = len(rows) // 2
    return [*rows[:middle], dict.fromkeys(rows[middle], ""), *rows[middle:]]


def _spoil_a_row(rows: list[Any], name: str) -> list[Any]:
    middle = len(rows) // 2
    if not rows or (name and name not in rows[middle]):
        return rows
    spoilt = {**rows[middle], name or _quantity_or_last(rows[middle]): "abc"}
    return [*rows[:middle], spoilt, *rows[middle + 1 :]]


def _quantity_or_last(row: dict[str, Any]) -> str:
    return next((name for name in row if "qty" in name), next(reversed(row)))


def _add_unknown_fields(reply: Reply) -> Reply:
    new_fields = {"new_field": "new", "new_number": 1}
    extended = _modify_rows(reply, lambda rows: [{**row, **new_fields} for row in rows])
    return _modify_body(extended, lambda body: {**body, "tot_7": "7", "srv_info": {"node": "3"}})


def _return_code_as_text(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "return_code": str(body.get("return_code"))}


def _continue_with(reply: Reply, key: str | None) -> Reply:
    """Return the page with `cont-yn: Y` and this key.

    Returns the reply itself if it is no page, if it has these headers already, or if `key` is None.
    """
    if "next-key" not in reply.headers or key is None:
        return reply
    headers = {**reply.headers, "cont-yn": "Y", "next-key": key}
    return reply if headers == reply.headers else evolve(reply, headers=headers)


_MODIFICATIONS: Final[dict[str, Callable[[Reply, FaultContext], Reply]]] = {
    "truncated_json": lambda reply, _: _truncate(reply),
    "broken_utf8": lambda reply, _: _insert_invalid_byte(reply),
    "empty_body": lambda reply, _: evolve(reply, body=b""),
    "null_list": lambda reply, _: _modify_rows(reply, lambda _: None),
    "missing_list": lambda reply, _: _remove_list(reply),
    "empty_list": lambda reply, _: _modify_rows(reply, lambda _: []),
    "blank_row": lambda reply, _: _modify_rows(reply, _insert_blank_row),
    "unreadable_row": lambda reply, context: _modify_rows(
        reply, lambda rows: _spoil_a_row(rows, context.fault.field)
    ),
    "unknown_fields": lambda reply, _: _add_unknown_fields(reply),
    "text_return_code": lambda reply, _: _modify_body(reply, _return_code_as_text),
    "empty_key": lambda reply, _: _continue_with(reply, ""),
    "repeat_key": lambda reply, context: _continue_with(reply, context.requested_key or None),
    "first_key": lambda reply, _: _continue_with(reply, next(iter(reply.walk_keys), None)),
    "slow": lambda reply, context: evolve(reply, wait_seconds=context.fault.seconds),
    "disconnect": lambda reply, _: evolve(reply, cut_short=True),
}

KINDS: Final = (*_REPLACEMENTS, *_MODIFICATIONS)
