"""How a request travels, and within what time.

Turns whatever happens on the way into TransportError, TransportTimeout or DecodeError; does not
know what an answer means, nor how HTTP is spoken: a line does.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, Protocol

import anyio
import httpx
from httpx import AsyncBaseTransport

from kiwoom_async._protocol.messages import Request, Response
from kiwoom_async.errors import KiwoomError, TransportError, TransportTimeout

from .httpx_line import HttpxLine

Carry = Callable[[Request], Awaitable[Response]]

__all__ = ["AsyncBaseTransport", "Transport", "checked_base_url", "in_process"]

# Nothing is said goodbye to over the network; a custom transport may want to.
_CLOSING_SECONDS: Final = 5.0
# At five calls a second and fifteen seconds for each, 75 are under way at the most.
_CONNECTIONS: Final = 100


def checked_base_url(base_url: str) -> str:
    """The URL without a trailing slash, or ValueError unless secrets are safe on the way there."""
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(f"base_url: {base_url!r} is not a URL") from error
    if url.userinfo or {*"?#"} & {*base_url} or not url.host:
        raise ValueError("base_url: expected scheme://host[:port][/path] and nothing else")
    if url.port is not None and not 0 < url.port < 2**16:
        raise ValueError(f"base_url: got {base_url!r}; expected a port from 1 to 65535")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.host)):
        raise ValueError(
            f"base_url: got {base_url!r}; allowed are https, and http for loopback addresses "
            "only, because the secret key is sent there"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_process(app: Callable[..., Any]) -> AsyncBaseTransport:
    """A transport that hands requests to an ASGI application in this process."""
    return httpx.ASGITransport(app=app)


class Line(Protocol):
    """How HTTP is spoken with one host."""

    def at_hand(self) -> Carry | None:
        """How to make a call on a connection that is there, and is the caller's from now on.

        One that stands a native `Task.cancel` at any moment of the call; None where there is none.
        """
        ...

    async def carry(self, request: Request, connected: Callable[[], object]) -> Response:
        """The whole answer, or an error of httpx's.

        `connected` is called when a new connection has been opened, and is ready.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class Transport:
    """Calls to one host."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_seconds: float,
        transport: AsyncBaseTransport | None,
    ) -> None:
        self._host = httpx.URL(base_url).netloc.decode()
        self._timeout_seconds = timeout_seconds
        self._places = anyio.Semaphore(_CONNECTIONS, fast_acquire=True)
        # A line of its own takes less time than httpx's requests. Asked of the class: what stands
        # around another transport may pass on whatever it is asked for.
        line_to = getattr(type(transport), "line_to", None)
        self._line: Line = (
            HttpxLine(base_url, transport, connections=_CONNECTIONS)
            if line_to is None
            else line_to(transport, base_url)
        )

    async def aclose(self) -> None:
        """Close every connection, in a program that is being cancelled, too."""
        with anyio.move_on_after(_CLOSING_SECONDS, shield=True):
            await self._line.aclose()

    async def send(
        self, request: Request, connected: Callable[[], Coroutine[Any, Any, None]]
    ) -> Response:
        """The whole answer, within the time that one attempt may take.

        `connected` is run, beside the call, when a new connection had to be opened for it, and is
        ready; it has no more time than the attempt.
        """
        outcomes: list[Response | BaseException] = []

        async def attempt(carry: Carry) -> None:
            # Kept, not raised: a failing child would take the place of a cancellation from
            # outside that comes at the same moment, and that one would be lost. So would one that
            # meets the deadline, were it the group's.
            try:
                with anyio.CancelScope(deadline=deadline):
                    outcomes.append(await self._exchange(request, carry))
            except KiwoomError as error:
                outcomes.append(error)

        async with self._places:
            deadline = anyio.current_time() + self._timeout_seconds
            if (carry := self._line.at_hand()) is not None:
                await attempt(carry)
            else:
                await self._beside(attempt, connected, deadline, outcomes)
        if not outcomes and anyio.current_time() >= deadline:
            raise TransportTimeout(
                f"{request.api_id}: no complete answer within {self._timeout_seconds:g} s"
            )
        if not outcomes:
            raise TransportError(f"{request.api_id}: the transport cancelled itself")
        if isinstance(outcomes[0], BaseException):
            raise outcomes[0]
        return outcomes[0]

    async def _beside(
        self,
        attempt: Callable[[Carry], Coroutine[Any, Any, None]],
        connected: Callable[[], Coroutine[Any, Any, None]],
        deadline: float,
        outcomes: list[Response | BaseException],
    ) -> None:
        """The attempt in a task of its own, and `connected` in another one.

        httpcore 1.0.9 loses pool slots for good when a request is cancelled while it waits for a
        connection (encode/httpcore issue 1093). So none ever waits there, and a native Task.cancel
        reaches the request as the cancellation of a scope, which httpcore survives.
        """

        async def in_time() -> None:
            with anyio.CancelScope(deadline=deadline):
                await connected()

        try:
            async with anyio.create_task_group() as group:
                tell_connected = partial(group.start_soon, in_time)
                group.start_soon(attempt, partial(self._line.carry, connected=tell_connected))
        except BaseExceptionGroup as failed:
            # A bug in a custom transport or pace; the group is our affair. It comes out even
            # where the answer was there already.
            outcomes[:0] = failed.exceptions

    async def _exchange(self, request: Request, carry: Carry) -> Response:
        try:
            return await carry(request)
        except httpx.PoolTimeout as error:
            raise TransportTimeout(
                f"{request.api_id}: no connection of the pool was free", local=True
            ) from error
        except httpx.TimeoutException as error:
            raise TransportTimeout(f"{request.api_id}: {type(error).__name__}") from error
        except httpx.UnsupportedProtocol as error:
            raise TransportError(f"{request.api_id}: {type(error).__name__}", local=True) from error
        except httpx.ProtocolError as error:
            kind = type(error)
        except (httpx.HTTPError, OSError) as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise TransportError(f"{request.api_id} at {self._host}: {reason}") from error
        # Raised out here, because not even its context may be the original: that one quotes what
        # was sent, or what came, which may be what was sent.
        local = issubclass(kind, httpx.LocalProtocolError)
        problem = kind("its text is not shown: it quotes what travelled")
        raise TransportError(f"{request.api_id}: {kind.__name__}", local=local) from problem
