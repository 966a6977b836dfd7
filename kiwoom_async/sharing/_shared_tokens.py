"""The token that many programs share: one of them issues it, the others wait for that one.

Knows no place but by its steps.
"""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from uuid import uuid4

import anyio
from attrs import evolve

from kiwoom_async import SharingError, Token

from ._declared import WhenAway
from ._desk import Busy, Desk, Lease
from ._place import Errands, program_name

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
        self._program, self._name = uuid4().hex, program_name()
        self._errands = Errands(0.0 if self._alone_if_away else when_away.wait_seconds)
        self._known = ""

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
        await self._errands.run(self._desk.forget, revoked.issue)

    def _issue_of(self, refused: Token | None) -> str:
        if refused is None:
            return ""
        # One that was issued while the place was away is younger than what was known of it.
        return self._known if refused.issue == _LOCAL else refused.issue

    async def _replaced(self, refused: str, issue: Callable[[], Awaitable[Token]]) -> Token:
        while True:
            found = await self._errands.run(self._desk.take, self._program, refused)
            match found:
                case Token():
                    self._known = found.issue
                    return found
                case Lease():
                    return await self._issued(found, issue)
                case Busy():
                    # Not all at the same moment.
                    most_seconds = min(found.seconds, _LOOK_SECONDS)
                    await anyio.sleep(random.uniform(0.5, 1.0) * most_seconds)  # noqa: S311

    async def _issued(self, lease: Lease, issue: Callable[[], Awaitable[Token]]) -> Token:
        put = False
        try:
            token = evolve(await issue(), issue=uuid4().hex)
            await self._errands.run(self._desk.put, self._program, lease, token, self._name)
            put = True
        finally:
            if not put:
                await self._release()
        self._known = token.issue
        return token

    async def _release(self) -> None:
        with anyio.move_on_after(_RELEASE_SECONDS, shield=True):
            # It ends by itself, too, and what went wrong is told already.
            with suppress(SharingError):
                await self._errands.run(self._desk.release, self._program)
