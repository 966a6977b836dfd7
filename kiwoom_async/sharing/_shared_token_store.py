"""The token that many programs share: one program issues it, the others wait for it."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Event, Lock
from typing import Final, TypeVar
from uuid import uuid4

import anyio
from attrs import evolve

from kiwoom_async import SharingError, Token

from ._outage_policy import OutagePolicy
from ._program import program_id, program_name
from ._thread_runner import ThreadRunner
from ._token_leases import Lease, LeaseHeld, TokenLeases

T = TypeVar("T")

# Waiting programs look for the token this often; an issue takes about as long.
_POLL_SECONDS: Final = 0.1
# How long a cancelled program may take to release its lease.
_RELEASE_SECONDS: Final = 2.0
_LOCAL_ISSUE: Final = "local"


class SharedTokenStore:
    """The token of an app key in a shared store.

    While the store cannot be used, a program with a local share issues for itself: that returns
    the token that is valid already (wire-facts.md, fact 7).
    """

    def __init__(self, leases: TokenLeases, policy: OutagePolicy) -> None:
        self._leases = leases
        self._issues_locally = policy.local_share is not None
        self._id = uuid4().hex
        self._runner = ThreadRunner(policy.wait_seconds)
        self._last_issue = ""
        self._call_lock = Lock()

    async def replace(self, refused: Token | None, issue: Callable[[], Awaitable[Token]]) -> Token:
        """Return another program's token, or issue one.

        Raises SharingError if the store cannot be used and this program has no local share.
        """
        try:
            return await self._replace_shared(self._issue_id(refused), issue)
        except SharingError:
            if not self._issues_locally:
                raise
            return evolve(await issue(), issue=_LOCAL_ISSUE)

    async def forget(self, revoked: Token) -> None:
        """Drop a token that was revoked."""
        await self._run(self._leases.forget, self._issue_id(revoked))

    def _issue_id(self, refused: Token | None) -> str:
        if refused is None:
            return ""
        # A token issued locally is newer than the last stored one, which is thus refused as well.
        return self._last_issue if refused.issue == _LOCAL_ISSUE else refused.issue

    async def _replace_shared(
        self, refused_issue: str, issue: Callable[[], Awaitable[Token]]
    ) -> Token:
        # A cancelled caller cannot know if its thread took the lease, so it releases it.
        may_hold_lease = True
        try:
            taken = await self._take(refused_issue)
            token = taken if isinstance(taken, Token) else await self._issue(taken, issue)
            may_hold_lease = False
        except SharingError:
            may_hold_lease = False  # The store cannot be used; the lease expires.
            raise
        finally:
            if may_hold_lease:
                await self._release()
        self._last_issue = token.issue
        return token

    async def _take(self, refused_issue: str) -> Token | Lease:
        """Return the token that another program has issued or is issuing, or the lease."""
        while True:
            taken = await self._run(self._leases.take, program_id(self._id), refused_issue)
            if not isinstance(taken, LeaseHeld):
                return taken
            # Random, so that the waiting programs do not all look at the same moment.
            fraction = random.uniform(0.5, 1.0)  # noqa: S311
            await anyio.sleep(fraction * min(taken.seconds, _POLL_SECONDS))

    async def _issue(self, lease: Lease, issue: Callable[[], Awaitable[Token]]) -> Token:
        token = evolve(await issue(), issue=uuid4().hex)
        await self._run(self._leases.put, program_id(self._id), lease, token, program_name())
        return token

    async def _release(self) -> None:
        # Best effort: the lease expires anyway, and the original error is on its way already.
        with anyio.move_on_after(_RELEASE_SECONDS, shield=True), suppress(SharingError):
            await self._run(self._leases.release, program_id(self._id))

    async def _run(self, call: Callable[..., T], *args: object) -> T:
        """Run the call in a thread.

        The thread of a cancelled caller either does not begin its call any more, or completes it
        before the call that releases the lease.
        """
        abandoned = Event()

        def call_in_order() -> T:
            with self._call_lock:
                if abandoned.is_set():
                    raise SharingError("the caller was cancelled")
                return call(*args)

        try:
            return await self._runner.run(call_in_order)
        finally:
            abandoned.set()
