"""The `issue` argument of TokenStore.replace, for tests."""

from datetime import UTC, datetime, timedelta

import anyio

from kiwoom_async import Token


class TokenIssuer:
    """Issues tokens in 50 ms each and counts them; `value` repeats one, `error` is raised."""

    def __init__(self, lifetime=timedelta(hours=24), value=None, error=None):
        self.issued, self._lifetime, self._value, self._error = 0, lifetime, value, error

    async def __call__(self):
        self.issued += 1
        await anyio.sleep(0.05)
        if self._error is not None:
            raise self._error
        expires = datetime.now(UTC).replace(microsecond=0) + self._lifetime
        return Token(self._value or f"token-{self.issued}", expires)
