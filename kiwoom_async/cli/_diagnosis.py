"""The shared state of the checks of `kiwoom-async doctor`, and the findings they return."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from attrs import define, field, frozen

from kiwoom_async import (
    CallEnded,
    CallRetried,
    Event,
    Exchange,
    KiwoomClient,
    KiwoomError,
    Market,
    Page,
    ProgramTrade,
    ProgramTradeQuery,
    SharingReport,
)

from ._queries import last_weekday

T = TypeVar("T")
TradePage: TypeAlias = Page[ProgramTrade]

# A second attempt shows that a failure was a passing one; more would keep the user waiting.
_ATTEMPTS: Final = 2
_TIMEOUT_SECONDS: Final = 10.0


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"
    NOT_TRIED = "not tried"


@frozen
class Finding:
    """The status of a check, the reason for it, and advice where something is to be done.

    `details` are further lines.
    """

    status: Status
    message: str
    advice: str = ""
    details: Sequence[str] = ()


def problem(error: KiwoomError, advice: str = "") -> Finding:
    """Return the finding of a problem that an error of the library describes."""
    return Finding(Status.PROBLEM, f"{type(error).__name__}: {error}", advice)


def now() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)


@define
class Diagnosis:
    """The client under examination, the cached results of its calls, and its events.

    ended_calls: each with the time at which it ended.
    """

    make_client: Callable[..., KiwoomClient]
    in_process: bool
    uses_sharing: bool = False
    ended_calls: list[tuple[CallEnded, datetime]] = field(factory=list)
    _retries: list[CallRetried] = field(factory=list)
    _kiwoom: KiwoomClient | None = None
    _token: datetime | KiwoomError | None = None
    _page: TradePage | KiwoomError | None = None

    def open_client(self) -> None:
        """Make the client; raises what `make_client` raises."""
        self._kiwoom = self.make_client(
            on_event=self._record, attempts=_ATTEMPTS, timeout=_TIMEOUT_SECONDS
        )

    async def aclose(self) -> None:
        """Close the client, if there is one."""
        if self._kiwoom is not None:
            await self._kiwoom.aclose()

    @property
    def kiwoom(self) -> KiwoomClient:
        """The client."""
        if self._kiwoom is None:
            raise AssertionError("unreachable: every other check needs the settings")
        return self._kiwoom

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the API."""
        url = urlsplit(self.kiwoom.base_url)
        return url.hostname or "", url.port or (443 if self.encrypted else 80)

    @property
    def encrypted(self) -> bool:
        """True if calls use TLS."""
        return self.kiwoom.base_url.startswith("https:")

    async def token(self) -> datetime | KiwoomError:
        """Return when the token expires, or the error of its issue; calls once."""
        if self._token is None:
            self._token = await _result_or_error(self.kiwoom.token_expires())
        return self._token

    async def sharing_reports(self) -> list[SharingReport] | KiwoomError:
        """Return the sharing report of each app key, or the error of reading them."""
        return await _result_or_error(self.kiwoom.sharing_reports())

    async def page(self) -> TradePage | KiwoomError:
        """Return page one of the last weekday, or the error of its call; calls once."""
        if self._page is not None:
            return self._page
        query = ProgramTradeQuery(last_weekday(), Market.KOSPI, Exchange.KRX)
        page: TradePage | KiwoomError = await _result_or_error(self.kiwoom.page(query))
        self._page = page
        return page

    def retry_reasons(self, *, token: bool) -> str:
        """Return why the call for the token, else for the page, was repeated; "" if it was not."""
        errors = [retry.error for retry in self._retries if (retry.query is None) is token]
        return "; ".join(f"{type(error).__name__}: {error}" for error in errors)

    def _record(self, event: Event) -> None:
        match event:
            case CallEnded():
                self.ended_calls.append((event, now()))
            case CallRetried():
                self._retries.append(event)
            case _:
                pass


async def _result_or_error(call: Awaitable[T]) -> T | KiwoomError:
    try:
        return await call
    except KiwoomError as error:
        return error
