"""Faults: what can go wrong on purpose, on which call, and what the answer then looks like.

A fault either replaces the answer, before any check, or spoils the one that the checks gave.
"""

from collections.abc import Callable
from typing import Any, Final

from attrs import evolve, field, frozen

from ._codes import CODES
from ._market import BLANK_ROW
from ._replies import LIST, Reply, blocked, html, rate_limited, refusal

_ELSEWHERE: Final = "https://elsewhere.invalid"  # RFC 2606: never resolves


@frozen
class Fault:
    """One fault: `kind` strikes `times` arrivals of `api_id`, from the `call`-th on.

    `times` may be `math.inf`. `seconds` is the wait of "slow" and the Retry-After of "rate_limit";
    `code` is the inner code of "code". ValueError for a kind or code nobody knows.
    """

    kind: str
    api_id: str = "ka90004"
    call: int = 1
    times: float = 1
    seconds: float = 0.0
    code: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse what would never strike, or could not be answered."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; allowed: {', '.join(KINDS)}")
        if self.kind == "code" and self.code not in CODES:
            raise ValueError(f"unknown code {self.code!r}; allowed: {', '.join(CODES)}")
        if self.call < 1 or self.times < 1 or self.seconds < 0:
            raise ValueError("call and times count from 1, seconds from 0")

    def strikes(self, api_id: str, call: int) -> bool:
        """Whether this arrival is one of those."""
        return self.api_id == api_id and self.call <= call < self.call + self.times


@frozen
class Situation:
    """What a fault may know of the call it strikes."""

    fault: Fault
    api_id: str
    path: str
    asked_key: str
    limit: int
    expire_tokens: Callable[[], None] = field(repr=False)


def struck(situation: Situation, answer: Callable[[], Reply]) -> tuple[Reply, str | None]:
    """Apply the fault: the answer to send, and the fault's name if it changed anything."""
    kind = situation.fault.kind
    if kind in _REPLACING:
        return _REPLACING[kind](situation), kind
    ordinary = answer()
    spoiled = _SPOILING[kind](ordinary, situation)
    return spoiled, None if spoiled is ordinary else kind


def _rate_limit(situation: Situation) -> Reply:
    reply = rate_limited(situation.api_id, situation.limit)
    if not situation.fault.seconds:
        return reply
    return evolve(reply, headers={**reply.headers, "retry-after": f"{situation.fault.seconds:g}"})


def _token_dies(situation: Situation) -> Reply:
    situation.expire_tokens()
    return refusal("8005", api_id=situation.api_id)


def _code(situation: Situation) -> Reply:
    return refusal(
        situation.fault.code,
        api_id=situation.api_id,
        uri=situation.path,
        parameter="dt",
        reason="-",
        limit=situation.limit,
    )


def _redirect(situation: Situation) -> Reply:
    return Reply(status=307, body=b"", headers={"location": _ELSEWHERE + situation.path})


_REPLACING: Final[dict[str, Callable[[Situation], Reply]]] = {
    "rate_limit": _rate_limit,
    "rate_limit_200": lambda at: evolve(_rate_limit(at), status=200),
    "server_error": lambda _: Reply(
        status=500, body=b"Internal Server Error", content_type="text/plain"
    ),
    "unavailable_html": lambda _: html(503, "Service Unavailable", "<p>Try again later.</p>"),
    "maintenance_html": lambda _: html(200, "시스템 점검 안내", "<p>서비스 점검 중입니다.</p>"),
    "firewall": lambda _: blocked(),
    "token_dies": _token_dies,
    "code": _code,
    "redirect": _redirect,
}


def _bytes_changed(change: Callable[[bytes], bytes]) -> "_Spoil":
    return lambda reply, _: evolve(reply, body=change(reply.encoded()))


def _with_invalid_byte(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + b"\xff" + raw[middle:]


def _body_changed(change: Callable[[dict[str, Any]], dict[str, Any]]) -> "_Spoil":
    def spoil(reply: Reply, _: Situation) -> Reply:
        return evolve(reply, body=change(reply.body)) if isinstance(reply.body, dict) else reply

    return spoil


def _list_changed(change: Callable[[list[Any]], list[Any] | None]) -> "_Spoil":
    def spoil(reply: Reply, _: Situation) -> Reply:
        if not isinstance(reply.body, dict) or LIST not in reply.body:
            return reply
        return evolve(reply, body={**reply.body, LIST: change(reply.body[LIST])})

    return spoil


def _missing_list(reply: Reply, _: Situation) -> Reply:
    if not isinstance(reply.body, dict) or LIST not in reply.body:
        return reply
    return evolve(reply, body={name: part for name, part in reply.body.items() if name != LIST})


def _with_blank_row(rows: list[Any]) -> list[Any]:
    middle = len(rows) // 2
    return [*rows[:middle], BLANK_ROW, *rows[middle:]]


def _with_unreadable_row(rows: list[Any]) -> list[Any]:
    middle = len(rows) // 2
    return [*rows[:middle], {**rows[middle], "buy_cntr_qty": "abc"}, *rows[middle + 1 :]]


def _with_unknown_fields(body: dict[str, Any]) -> dict[str, Any]:
    extended = {**body, "tot_7": "7", "srv_info": {"node": "3"}}
    if LIST in body:
        extended[LIST] = [{**row, "new_field": "new", "new_number": 1} for row in body[LIST]]
    return extended


def _next_key(choose: Callable[[Reply, Situation], str | None]) -> "_Spoil":
    """Say Y with the chosen key; None leaves the page alone, and so does what it said anyway."""

    def spoil(reply: Reply, situation: Situation) -> Reply:
        key = choose(reply, situation)
        headers = {**reply.headers, "cont-yn": "Y", "next-key": key or ""}
        if "next-key" not in reply.headers or key is None or headers == reply.headers:
            return reply
        return evolve(reply, headers=headers)

    return spoil


_Spoil = Callable[[Reply, Situation], Reply]
_SPOILING: Final[dict[str, _Spoil]] = {
    "truncated_json": _bytes_changed(lambda raw: raw[: len(raw) // 2]),
    "broken_utf8": _bytes_changed(_with_invalid_byte),
    "empty_body": _bytes_changed(lambda _: b""),
    "null_list": _list_changed(lambda _: None),
    "missing_list": _missing_list,
    "empty_list": _list_changed(lambda _: []),
    "blank_row": _list_changed(_with_blank_row),
    "unreadable_row": _list_changed(_with_unreadable_row),
    "unknown_fields": _body_changed(_with_unknown_fields),
    "text_return_code": _body_changed(
        lambda body: {**body, "return_code": str(body.get("return_code"))}
    ),
    "empty_key": _next_key(lambda _, __: ""),
    "repeat_key": _next_key(lambda _, at: at.asked_key or None),
    "first_key": _next_key(lambda reply, _: next(iter(reply.walk_keys), None)),
    "slow": lambda reply, at: evolve(reply, wait_seconds=at.fault.seconds),
    "disconnect": lambda reply, _: evolve(reply, cut_short=True),
}

KINDS: Final = (*_REPLACING, *_SPOILING)
