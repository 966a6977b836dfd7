"""Events: small values that a client emits while it works, for progress, logs and metrics.

No event holds a secret, a row or a page.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from ._protocol.audit import Audit
from .errors import KiwoomError

_logger: Final = logging.getLogger("kiwoom_async")


@frozen(kw_only=True)
class SlotWaited:
    """A call got its slot, after so many seconds in the queue.

    `query` is the query asked, here and below; None for the calls that issue and revoke tokens.
    Of `KiwoomClient.call` it is a value with the `api_id`, `path` and `body` of the request.
    """

    api_id: str
    query: Any
    seconds: float

    def __str__(self) -> str:
        return f"{_call_name(self)}: waited {self.seconds:.3f} s for a slot"


@frozen(kw_only=True)
class CallSent:
    """A request is on its way; `attempt` counts from 1."""

    api_id: str
    query: Any
    attempt: int

    def __str__(self) -> str:
        return f"{_call_name(self)}: sent, attempt {self.attempt}"


@frozen(kw_only=True)
class CallEnded:
    """A call was answered, or failed with `error`, so many seconds after it was sent.

    A call that is cancelled, or ended by a bug in a custom transport, emits none. `server_time` is
    the server's clock when it answered (HTTP's `date`), in KST, to the second; None without one.
    """

    api_id: str
    query: Any
    attempt: int
    seconds: float
    error: KiwoomError | None = None
    server_time: datetime | None = None

    def __str__(self) -> str:
        how = "answered" if self.error is None else type(self.error).__name__
        return f"{_call_name(self)}: {how} after {self.seconds:.3f} s, attempt {self.attempt}"


@frozen(kw_only=True)
class CallRetried:
    """The call will be sent again because of `error`, after so many seconds; 0 with a new token."""

    api_id: str
    query: Any
    attempt: int
    error: KiwoomError
    seconds: float

    def __str__(self) -> str:
        why = f"{type(self.error).__name__}: {self.error}"
        return f"{_call_name(self)}: again in {self.seconds:.2f} s, because of {why}"


@frozen(kw_only=True)
class TokenRenewed:
    """A token has been issued: the `first` of this client, or one in place of another."""

    expires: datetime
    first: bool

    def __str__(self) -> str:
        return f"token {'issued' if self.first else 'renewed'}, good until {self.expires}"


@frozen(kw_only=True)
class PageDelivered:
    """A whole page was decoded: its number, its count of rows, and True if it is the last.

    `undecoded` counts its rows that could not be read.
    """

    query: Any
    number: int
    rows: int
    last: bool
    undecoded: int = 0

    def __str__(self) -> str:
        page = f"{self.query}: page {self.number}{', the last,' if self.last else ''}"
        unread = f", and {self.undecoded} that cannot be read" if self.undecoded else ""
        return f"{page} came with {self.rows} rows{unread}"


@frozen(kw_only=True)
class WalkFinished:
    """A walk is over: complete, failed with `error`, stopped early or left half-way (neither).

    `pages` and `rows` count from this walk's start; it is complete when its last page has been
    delivered. Closing the client leaves its walks half-way. `audit` is that of these pages, and
    its findings are logged at WARNING.
    """

    query: Any
    pages: int
    rows: int
    complete: bool
    error: KiwoomError | None = None
    audit: Audit | None = field(default=None, eq=False)

    @property
    def findings(self) -> list[str]:
        """Everything in these pages that does not add up, one sentence each."""
        return [] if self.audit is None else self.audit.findings

    def __str__(self) -> str:
        how = "complete" if self.complete else "left"
        if self.error is not None:
            how = f"failed with {type(self.error).__name__}"
        elif self.audit is not None and self.audit.stopped:
            how = "stopped early"
        counted = f"{self.query}: {how} after {self.pages} pages, {self.rows:,} rows"
        return "; ".join([counted, *self.findings])


Event = (
    SlotWaited | CallSent | CallEnded | CallRetried | TokenRenewed | PageDelivered | WalkFinished
)
Listener = Callable[[Event], object]

_FREQUENT: Final = (SlotWaited, CallSent, CallEnded, PageDelivered)


class EventEmitter:
    """Writes every event to the log `kiwoom_async`, and hands it to the listener."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener

    def emit(self, event: Event) -> None:
        """Log the event and call the listener."""
        _logger.log(_level(event), "%s", event)
        if self._listener is not None:
            self._listener(event)

    @property
    def enabled(self) -> bool:
        """True if the frequent events, of every call and page, reach a listener or the log."""
        return self._listener is not None or _logger.isEnabledFor(logging.DEBUG)


def _level(event: Event) -> int:
    # Errors are raised, so that a log of warnings alone does not repeat them.
    if isinstance(event, PageDelivered) and event.undecoded:
        return logging.WARNING
    if isinstance(event, WalkFinished) and event.audit is not None:
        # Rows that could not be read were logged with their page.
        unreported = len(event.findings) - bool(event.audit.undecoded_rows)
        return logging.WARNING if unreported else logging.INFO
    return logging.DEBUG if isinstance(event, _FREQUENT) else logging.INFO


def _call_name(event: SlotWaited | CallSent | CallEnded | CallRetried) -> str:
    return event.api_id if event.query is None else f"{event.api_id} {event.query}"
