"""The token that many programs share: one of them issues it, the others wait for that one.

Knows no place but by its steps.
"""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Event, Lock
from typing import Final, TypeVar
from uuid import uuid4

import anyio
from attrs import evolve

from kiwoom_async import SharingError, Token

from ._declared import WhenAway
from ._desk import Busy, Desk, Lease
from ._place import Errands, program_id, program_name

T = TypeVar("T")

# Others look again so often whether the token has come; an issue takes about as long.
_LOOK_SECONDS: Final = 0.1
# For ending a lease in a program that is being cancelled.
_RELEASE_SECONDS: Final = 2.0
_LOCAL: Final = "local"


class SharedTokens:
    """The token of an app key at a place that many programs ask.

    A program that cannot reach it and has a local share issues for itself, which gives the token
    that lives (wire-facts.md, fact 7).
    """

    def __init__(self, desk: Desk, when_away: WhenAway) -> None:
        self._desk = desk
        self._alone_if_away = when_away.local_share is not None
        self._id = uuid4().hex
        self._errands = Errands(when_away.wait_seconds)
        self._known = ""
        self._turn = Lock()

    async def replace(self, refused: Token | None, issue: Callable[[], Awaitable[Token]]) -> Token:
        """Another program's token, or a new one; SharingError when the place is away."""
        try:
            return await self._replaced(self._issue_of(refused), issue)
        except SharingError:
            if not self._alone_if_away:
                raise
            return evolve(await issue(), issue=_LOCAL)

    async def forget(self, revoked: Token) -> None:
        """Drop a token that was revoked."""
        await self._step(self._desk.forget, self._issue_of(revoked))

    def _issue_of(self, refused: Token | None) -> str:
        if refused is None:
            return ""
        # One that was issued while the place was away is younger than what was known of it.
        return self._known if refused.issue == _LOCAL else refused.issue

    async def _replaced(self, refused: str, issue: Callable[[], Awaitable[Token]]) -> Token:
        leased = True  # as soon as a step is begun, for all that a cancelled caller knows
        try:
            found = await self._awaited(refused)
            token = found if isinstance(found, Token) else await self._issued(found, issue)
            leased = False
        except SharingError:
            leased = False  # The place is away, and the lease ends by itself.
            raise
        finally:
            if leased:
                await self._release()
        self._known = token.issue
        return token

    async def _awaited(self, refused: str) -> Token | Lease:
        """What another program has, or will have issued; or the lease to issue one."""
        while True:
            found = await self._step(self._desk.take, program_id(self._id), refused)
            if not isinstance(found, Busy):
                return found
            # Not all at the same moment.
            part = random.uniform(0.5, 1.0)  # noqa: S311
            await anyio.sleep(part * min(found.seconds, _LOOK_SECONDS))

    async def _issued(self, lease: Lease, issue: Callable[[], Awaitable[Token]]) -> Token:
        token = evolve(await issue(), issue=uuid4().hex)
        await self._step(self._desk.put, program_id(self._id), lease, token, program_name())
        return token

    async def _release(self) -> None:
        # It ends by itself, too, and what went wrong is told already.
        with anyio.move_on_after(_RELEASE_SECONDS, shield=True), suppress(SharingError):
            await self._step(self._desk.release, program_id(self._id))

    async def _step(self, step: Callable[..., T], *facts: object) -> T:
        # A cancelled caller leaves a thread behind. Its step is not begun any more, or done before
        # the one that releases the lease.
        gone = Event()

        def in_turn() -> T:
            with self._turn:
                if gone.is_set():
                    raise SharingError("the caller has gone")
                return step(*facts)

        try:
            return await self._errands.run(in_turn)
        finally:
            gone.set()
