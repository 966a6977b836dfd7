"""What a check of `kiwoom-async doctor` finds, and what is known while the checks go on."""

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

from ._days import last_weekday

T = TypeVar("T")
DayPage: TypeAlias = Page[ProgramTrade]

# What passes at the second attempt is worth no more than a mention; a doctor is not waited for.
_ATTEMPTS: Final = 2
_TIMEOUT_SECONDS: Final = 10.0


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"
    NOT_TRIED = "not tried"


@frozen
class Finding:
    """What a check has found, a line each, and where that is not well, what to do."""

    status: Status
    found: str
    advice: str = ""
    details: Sequence[str] = ()


def failed(error: KiwoomError, advice: str = "") -> Finding:
    """An error of the library, in its own words."""
    return Finding(Status.PROBLEM, f"{type(error).__name__}: {error}", advice)


def now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


@define
class Case:
    """The client that is looked at, what its calls have brought, and what they told."""

    make_client: Callable[..., KiwoomClient]
    in_process: bool
    shares: bool = False
    ended: list[tuple[CallEnded, datetime]] = field(factory=list)
    _retried: list[CallRetried] = field(factory=list)
    _kiwoom: KiwoomClient | None = None
    _token: datetime | KiwoomError | None = None
    _page: DayPage | KiwoomError | None = None

    def begin(self) -> None:
        """Make the client; raises what its class raises."""
        self._kiwoom = self.make_client(
            on_event=self._hear, attempts=_ATTEMPTS, timeout=_TIMEOUT_SECONDS
        )

    async def aclose(self) -> None:
        """Close the client, where there is one."""
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
        """Host and port."""
        url = urlsplit(self.kiwoom.base_url)
        return url.hostname or "", url.port or (443 if self.encrypted else 80)

    @property
    def encrypted(self) -> bool:
        """Whether calls go by TLS."""
        return self.kiwoom.base_url.startswith("https:")

    async def token(self) -> datetime | KiwoomError:
        """Until when the token is valid, or why there is none; asked for once."""
        if self._token is None:
            self._token = await _outcome(self.kiwoom.token_expires())
        return self._token

    async def sharing_reports(self) -> list[SharingReport] | KiwoomError:
        """Who shares what, for each app key, or why that cannot be known."""
        return await _outcome(self.kiwoom.sharing_reports())

    async def page(self) -> DayPage | KiwoomError:
        """Page one of the last weekday, or why there is none; asked for once."""
        if self._page is not None:
            return self._page
        query = ProgramTradeQuery(last_weekday(), Market.KOSPI, Exchange.KRX)
        page: DayPage | KiwoomError = await _outcome(self.kiwoom.page(query))
        self._page = page
        return page

    def why_repeated(self, *, token: bool) -> str:
        """Why the call for the token, or for the page, was sent again; "" when it was not."""
        reasons = [one.error for one in self._retried if (one.query is None) is token]
        return "; ".join(f"{type(error).__name__}: {error}" for error in reasons)

    def _hear(self, event: Event) -> None:
        match event:
            case CallEnded():
                self.ended.append((event, now()))
            case CallRetried():
                self._retried.append(event)
            case _:
                pass


async def _outcome(call: Awaitable[T]) -> T | KiwoomError:
    try:
        return await call
    except KiwoomError as error:
        return error
