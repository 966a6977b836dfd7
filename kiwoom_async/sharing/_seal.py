"""How a token is sealed where others might read it. Knows no place."""

from collections.abc import Callable
from functools import partial
from typing import Final

from kiwoom_async import SharingError
from kiwoom_async.errors import require_extra

_PLAIN: Final = "plain:"
_SEALED: Final = "fernet:"
_OTHER_KEY: Final = (
    "the shared token was kept by a program with another encryption_key, or with none: give all "
    "programs the same"
)


def seals(key: str | bytes | None) -> tuple[Callable[[str], str], Callable[[str], str]]:
    """How to seal a token, and how to open it again."""
    if key is None:
        return _PLAIN.__add__, partial(_without, _PLAIN)
    with require_extra("redis", "cryptography"):
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 - an extra
    try:
        fernet = Fernet(key)
    except (ValueError, TypeError):
        raise ValueError(
            "encryption_key (KIWOOM_SHARING_KEY): expected 32 bytes in URL-safe base64, as "
            "cryptography.fernet.Fernet.generate_key() makes them"
        ) from None

    def unseal(sealed: str) -> str:
        try:
            return fernet.decrypt(_without(_SEALED, sealed).encode()).decode()
        except InvalidToken:
            raise SharingError(_OTHER_KEY) from None

    return lambda text: _SEALED + fernet.encrypt(text.encode()).decode(), unseal


def _without(mark: str, text: str) -> str:
    if not text.startswith(mark):
        raise SharingError(_OTHER_KEY)
    return text.removeprefix(mark)
