"""What a client tells of its work while it is at it: small values, for progress, logs, metrics.

Pure, but for the standard log. No event holds a secret, a row or a page.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from .errors import KiwoomError

_logger: Final = logging.getLogger("kiwoom_async")


@frozen(kw_only=True)
class SlotWaited:
    """A call has got its slot, after so many seconds in the queue."""

    api_id: str
    # The query asked, here and below; None for the calls that issue and revoke tokens.
    query: Any
    seconds: float

    def __str__(self) -> str:
        return f"{_call(self)}: waited {self.seconds:.3f} s for a slot"


@frozen(kw_only=True)
class CallSent:
    """A request is on its way; `attempt` counts from 1."""

    api_id: str
    query: Any
    attempt: int

    def __str__(self) -> str:
        return f"{_call(self)}: sent, attempt {self.attempt}"


@frozen(kw_only=True)
class CallEnded:
    """An answer has come and been read, or an error in its place, so many seconds after sending.

    A call that is cancelled, or broken off by a bug in a custom transport, does not end.
    `server_time` is the server's clock when it answered, in KST and cut to the second; None where
    no answer came, or none that says it (HTTP's `date`).
    """

    api_id: str
    query: Any
    attempt: int
    seconds: float
    error: KiwoomError | None = None
    server_time: datetime | None = None

    def __str__(self) -> str:
        how = "answered" if self.error is None else type(self.error).__name__
        return f"{_call(self)}: {how} after {self.seconds:.3f} s, attempt {self.attempt}"


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
        return f"{_call(self)}: again in {self.seconds:.2f} s, because of {why}"


@frozen(kw_only=True)
class TokenRenewed:
    """A token has been issued: the `first` of this client, or one in place of another."""

    expires: datetime
    first: bool

    def __str__(self) -> str:
        return f"token {'issued' if self.first else 'renewed'}, good until {self.expires}"


@frozen(kw_only=True)
class PageDelivered:
    """A page has come whole: its number, how many rows it has, whether it is the last.

    `undecoded` is how many more rows it has that could not be read.
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
    """A walk is over: complete, failed with `error`, or left half-way (neither).

    `pages` and `rows` count what this walk brought, not what came before its start; complete is
    one whose last page has come. Closing the client leaves its walks half-way.
    """

    query: Any
    pages: int
    rows: int
    complete: bool
    error: KiwoomError | None = field(default=None)

    def __str__(self) -> str:
        failed = f"failed with {type(self.error).__name__}" if self.error else "left"
        how = "complete" if self.complete else failed
        return f"{self.query}: {how} after {self.pages} pages, {self.rows:,} rows"


Event = (
    SlotWaited | CallSent | CallEnded | CallRetried | TokenRenewed | PageDelivered | WalkFinished
)
Tell = Callable[[Event], object]

_OFTEN: Final = (SlotWaited, CallSent, CallEnded, PageDelivered)


class EventEmitter:
    """Writes every event to the log `kiwoom_async`, and hands it to the listener."""

    def __init__(self, listener: Tell | None) -> None:
        self._listener = listener

    def __call__(self, event: Event) -> None:
        """Tell it."""
        _logger.log(_level(event), "%s", event)
        if self._listener is not None:
            self._listener(event)

    @property
    def heard(self) -> bool:
        """Whether somebody hears what happens at every call."""
        return self._listener is not None or _logger.isEnabledFor(logging.DEBUG)

    def of_page(self, page: Any) -> None:
        """Tell that it has come: where that is heard, or where rows of it could not be read."""
        if self.heard or page.undecoded:
            delivered = PageDelivered(
                query=page.query,
                number=page.number,
                rows=len(page.rows),
                last=page.next is None,
                undecoded=len(page.undecoded),
            )
            self(delivered)


def _level(event: Event) -> int:
    # A log that shows warnings only hears of nothing that is raised as an error, too.
    if isinstance(event, PageDelivered) and event.undecoded:
        return logging.WARNING
    return logging.DEBUG if isinstance(event, _OFTEN) else logging.INFO


def _call(event: SlotWaited | CallSent | CallEnded | CallRetried) -> str:
    return event.api_id if event.query is None else f"{event.api_id} {event.query}"
