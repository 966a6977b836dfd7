"""Access control: issued tokens and the rate window of each (app key, api-id).

The time of each call is passed in; the wall clock can be replaced.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from secrets import token_urlsafe
from typing import Final

from attrs import define, field

KST: Final = timezone(timedelta(hours=9), "KST")
_WINDOW_SECONDS: Final = 1.0


@define
class IssuedToken:
    """One issued token."""

    app_key: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime
    revoked: bool = False


class Access:
    """The tokens issued so far, and the calls that each app key made in the last second.

    `secrets` maps app keys to secret keys; None accepts any pair. `now` returns an aware datetime;
    None means the system clock.
    """

    def __init__(
        self,
        secrets: Mapping[str, str] | None,
        token_lifetime: timedelta,
        now: Callable[[], datetime] | None,
    ) -> None:
        self._secrets = secrets
        self._token_lifetime = token_lifetime
        self._now = now
        self._issued: dict[str, IssuedToken] = {}
        self._latest: dict[str, IssuedToken] = {}
        self._caller_numbers: dict[str, int] = {}
        self._windows: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def now(self) -> datetime:
        """Read the wall clock, in KST."""
        return self._now().astimezone(KST) if self._now else datetime.now(KST)

    def accepts_credentials(self, app_key: str, secret_key: str) -> bool:
        """Return True if the secret key belongs to the app key."""
        return self._secrets is None or self._secrets.get(app_key) == secret_key

    def issue(self, app_key: str) -> IssuedToken:
        """Return the valid token of the app key, or issue a new one."""
        latest = self._latest.get(app_key)
        if latest and self._is_valid(latest):
            return latest
        # `expires_dt` has no fraction of a second; a token must not outlive its stated expiry.
        expires = (self.now() + self._token_lifetime).replace(microsecond=0)
        issued = IssuedToken(app_key, token_urlsafe(48), expires)
        self._latest[app_key] = self._issued[issued.token] = issued
        return issued

    def revoke(self, app_key: str, token: str) -> bool:
        """Revoke a valid token of this app key; return False if there is none such."""
        if self.app_key_if_valid(token) != app_key:
            return False
        self._issued[token].revoked = True
        return True

    def expire_all(self) -> None:
        """Invalidate every token issued so far."""
        for issued in self._issued.values():
            issued.revoked = True

    def app_key_if_valid(self, token: str) -> str | None:
        """Return the app key that a valid token was issued to, None for any other token."""
        issued = self._issued.get(token)
        return issued.app_key if issued and self._is_valid(issued) else None

    def app_key_even_if_invalid(self, token: str) -> str:
        """Return the app key that a token was issued to, "" for a token never issued."""
        issued = self._issued.get(token)
        return issued.app_key if issued else ""

    def caller_number(self, app_key: str) -> int:
        """Number the app keys 1, 2, ... in order of first appearance; "" is 0."""
        if not app_key:
            return 0
        return self._caller_numbers.setdefault(app_key, len(self._caller_numbers) + 1)

    def admit(self, app_key: str, api_id: str, limit: int | None, time: float) -> bool:
        """Count a call in its rate window; return False, uncounted, if the window is full."""
        window = self._windows[app_key, api_id]
        # A negative age was recorded by another event loop, with another clock.
        while window and not 0 <= time - window[0] < _WINDOW_SECONDS:
            window.popleft()
        if limit is not None and len(window) >= limit:
            return False
        window.append(time)
        return True

    def _is_valid(self, issued: IssuedToken) -> bool:
        return not issued.revoked and self.now() < issued.expires
