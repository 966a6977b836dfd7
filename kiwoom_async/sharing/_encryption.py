"""Encryption of stored tokens."""

from typing import Final, Protocol

from kiwoom_async import SharingError
from kiwoom_async.errors import require_extra

_PLAIN: Final = "plain:"
_ENCRYPTED: Final = "fernet:"
_OTHER_KEY: Final = (
    "encryption_key: the shared token was stored by a program with another key, or with none; give"
    " all programs the same"
)


class TokenCipher(Protocol):
    """Turns a token into the text that is stored, and back."""

    def encrypt(self, token: str) -> str:
        """Return the text to store."""
        ...

    def decrypt(self, stored: str) -> str:
        """Return the token; raise SharingError if it was stored with another key."""
        ...


class PlainText:
    """Stores the token as it is, behind a prefix."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix

    def encrypt(self, token: str) -> str:
        """Return the prefix and the token."""
        return self._prefix + token

    def decrypt(self, stored: str) -> str:
        """Return the text after the prefix."""
        return _without_prefix(self._prefix, stored)


class FernetCipher:
    """Encrypts with Fernet; raises ValueError for a key that is none."""

    def __init__(self, key: str | bytes) -> None:
        with require_extra("redis", "cryptography"):
            from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 - an extra
        self._invalid_token = InvalidToken
        try:
            self._fernet = Fernet(key)
        except (ValueError, TypeError):
            raise ValueError(
                "encryption_key (KIWOOM_SHARING_KEY): expected 32 bytes in URL-safe base64, as "
                "cryptography.fernet.Fernet.generate_key() makes them"
            ) from None

    def encrypt(self, token: str) -> str:
        """Return the encrypted token behind a prefix."""
        return _ENCRYPTED + self._fernet.encrypt(token.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """Return the token."""
        try:
            return self._fernet.decrypt(_without_prefix(_ENCRYPTED, stored).encode()).decode()
        except self._invalid_token:
            raise SharingError(_OTHER_KEY) from None


def token_cipher(key: str | bytes | None) -> TokenCipher:
    """Return the cipher for this key; without one the token is stored in plain text."""
    return PlainText(_PLAIN) if key is None else FernetCipher(key)


def _without_prefix(prefix: str, stored: str) -> str:
    if not stored.startswith(prefix):
        raise SharingError(_OTHER_KEY)
    return stored.removeprefix(prefix)
