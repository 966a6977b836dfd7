"""Who may call: tokens and their life, and the sliding window that each api-id has.

Knows app keys; tells nobody. Both clocks come from outside.
"""

import secrets as randomness
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

from attrs import define, field

KST: Final = timezone(timedelta(hours=9), "KST")
_WINDOW_SECONDS: Final = 1.0


@define
class Grant:
    """One issued token."""

    app_key: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime
    revoked: bool = False


class Access:
    """The tokens issued so far and who holds them."""

    def __init__(
        self,
        secrets: Mapping[str, str] | None,
        lifetime: timedelta,
        now: Callable[[], datetime] | None,
    ) -> None:
        self._secrets = secrets
        self._lifetime = lifetime
        self._now = now
        self._issued: dict[str, Grant] = {}
        self._latest: dict[str, Grant] = {}
        self._numbers: dict[str, int] = {}
        self._windows: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def moment(self) -> datetime:
        """Read the wall clock, in KST."""
        return self._now().astimezone(KST) if self._now else datetime.now(KST)

    def accepts(self, app_key: str, secret_key: str) -> bool:
        """Whether the pair opens the door."""
        return self._secrets is None or self._secrets.get(app_key) == secret_key

    def issue(self, app_key: str) -> Grant:
        """Give the app key its living token, or a new one."""
        latest = self._latest.get(app_key)
        if latest and self._lives(latest):
            return latest
        # `expires_dt` has no fraction of a second; a token must not outlive what it says.
        expires = (self.moment() + self._lifetime).replace(microsecond=0)
        grant = Grant(app_key, randomness.token_urlsafe(48), expires)
        self._latest[app_key] = self._issued[grant.token] = grant
        return grant

    def revoke(self, app_key: str, token: str) -> bool:
        """End a living token of this app key; False when there is no such token."""
        if self.holder(token) != app_key:
            return False
        self._issued[token].revoked = True
        return True

    def expire_all(self) -> None:
        """End every token issued so far."""
        for grant in self._issued.values():
            grant.revoked = True

    def holder(self, token: str) -> str | None:
        """Find the app key a living token was issued to."""
        grant = self._issued.get(token)
        return grant.app_key if grant and self._lives(grant) else None

    def past_holder(self, token: str) -> str:
        """Find the app key a token was issued to, dead or alive; "" for a token of nobody's."""
        grant = self._issued.get(token)
        return grant.app_key if grant else ""

    def number(self, app_key: str) -> int:
        """1, 2, ... in order of first appearance; 0 for nobody."""
        if not app_key:
            return 0
        return self._numbers.setdefault(app_key, len(self._numbers) + 1)

    def admits(self, app_key: str, api_id: str, limit: int | None, time: float) -> bool:
        """Whether the window has room; only what it admits fills it."""
        window = self._windows[app_key, api_id]
        # A negative age means that another event loop, with another clock, wrote it.
        while window and not 0 <= time - window[0] < _WINDOW_SECONDS:
            window.popleft()
        if limit is not None and len(window) >= limit:
            return False
        window.append(time)
        return True

    def _lives(self, grant: Grant) -> bool:
        return not grant.revoked and self.moment() < grant.expires
