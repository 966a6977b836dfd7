"""What can go wrong, as one tree; facts are attributes, the original error is `__cause__`.

    KiwoomError
    |-- TransportError            nothing usable came back
    |   `-- TransportTimeout      ... within the time one attempt may take
    |-- BlockedError              an answer that is not the API's
    |-- ApiError                  the API said no
    |   |-- AuthError             ... to the keys, the token or this machine
    |   `-- RateLimited           ... because too many requests came
    |-- DecodeError               an answer that cannot be read
    |-- ContinuationError         the chain of pages cannot be trusted
    `-- SharingError              where programs share pace and token is out of reach

Imports nothing of ours, so that every other file may raise these.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

# What a user can do about a published code (wire-facts.md, section 3); others speak for themselves.
_ADVICE: Final = {
    "1634": "the request asks for too much; repeating it cannot help",
    "1687": "the server saw the same call going round; start the walk again later",
    "1700": "something else is using this app key; pass a lower requests_per_second",
    "8001": "check the app key and the secret key",
    "8002": "check the app key and the secret key",
    "8005": "another program may have revoked the token",
    "8010": "the token was issued to another IP address",
    "8030": "production keys need Environment.PRODUCTION, mock keys Environment.MOCK",
    "8031": "production keys need Environment.PRODUCTION, mock keys Environment.MOCK",
    "8050": "register this machine's public IP address in the Kiwoom REST API portal",
    "8104": "this request is not offered on the mock host; use Environment.PRODUCTION",
    "8200": "the REST API does not serve corporate accounts",
}


class KiwoomError(Exception):
    """Base of every error this library raises while talking to the server, or on the way there.

    Where they are known: `query`, the query asked; `cursor`, where to resume
    (`pages(query, start=error.cursor)` goes on with the next undelivered row); `page`, how many
    pages of the walk were delivered; `attempts`, how many requests the failed call made.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        # Any, not the classes: they are defined above this file.
        self.query: Any = None
        self.cursor: Any = None
        self.page: int | None = None
        self.attempts: int | None = None

    def locate(self, query: Any, cursor: Any) -> None:
        """Set the query, the cursor to resume at, and the pages delivered before it."""
        self.query, self.cursor, self.page = query, cursor, cursor.page - 1

    def __str__(self) -> str:
        facts: list[str] = []
        if self.query is not None:
            facts.append(str(self.query))
        if self.page is not None:
            facts.append(f"pages delivered: {self.page}")
        if self.attempts is not None:
            facts.append(f"attempts: {self.attempts}")
        message = super().__str__()
        return f"{message} ({', '.join(facts)})" if facts else message


class TransportError(KiwoomError):
    """Nothing usable came back; the HTTP library's error is `__cause__`.

    `local` is true when nothing was sent because this side could not (an exhausted
    connection pool, say): the server is not the reason, and asking again at once is no cure.
    """

    def __init__(self, message: str, *, local: bool = False) -> None:
        super().__init__(message)
        self.local = local


class TransportTimeout(TransportError):
    """No complete answer within the time that one attempt, or the whole walk, may take."""


class BlockedError(KiwoomError):
    """An answer that is not the API's: a firewall, a maintenance page, a redirect.

    `status` is the HTTP status, `excerpt` the beginning of the page as plain text.
    """

    def __init__(self, message: str, *, status: int = 0, excerpt: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.excerpt = excerpt


class ApiError(KiwoomError):
    """The API refused the request.

    `code` is the documented four-digit code that stands in brackets inside the message, or None;
    `return_code` is only its category (wire-facts.md, section 3); `message` is the server's
    sentence, `api_id` the request's, `status` the HTTP status.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        return_code: int | None = None,
        api_id: str = "",
        status: int = 200,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.return_code = return_code
        self.api_id = api_id
        self.status = status

    def __str__(self) -> str:
        advice = _ADVICE.get(self.code or "")
        text = f"{self.api_id}: {super().__str__()}" if self.api_id else super().__str__()
        return f"{text} -- {advice}" if advice else text


class AuthError(ApiError):
    """The keys, the token or this machine's address are refused; the code says which."""


class RateLimited(ApiError):
    """Too many requests.

    `limit` is the requests per second that the server named (유량), or None; `retry_after` the
    seconds it asked to wait, or None (no such header has ever been reported).
    """

    limit: int | None = None
    retry_after: float | None = None


class DecodeError(KiwoomError):
    """An answer that cannot be read; `problems` lists each as "what @ where".

    `damaged` is true when not even a JSON object came, so that the damage may have happened on
    the way and asking again may help; false when the answer itself is not as specified.
    """

    def __init__(
        self, message: str, *, problems: Sequence[str] = (), damaged: bool = False
    ) -> None:
        super().__init__(message)
        self.problems = list(problems)
        self.damaged = damaged


class ContinuationError(KiwoomError):
    """The chain of pages cannot be trusted, so the walk must not go on.

    A continuation key that repeats, one that is missing although more was announced, or a cursor
    that belongs to another query.
    """


class SharingError(KiwoomError):
    """The place where programs share the pace and the token of an app key cannot be used.

    It is out of reach, full, or of another version. No call was sent: without it nobody knows
    whether the limit has room for one.
    """


def decode_error(problems: Sequence[str], *, damaged: bool = False) -> DecodeError:
    """The DecodeError for these problems; its text shows the first few."""
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    text = f"cannot read the answer: {'; '.join(problems[:3])}{more}"
    return DecodeError(text, problems=problems, damaged=damaged)


def short_repr(value: object) -> str:
    """A value for an error text: short, whatever came."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}...{text[-1]}"


@contextmanager
def require_extra(extra: str, *packages: str) -> Iterator[None]:
    """Wrap the import of `packages`: the error for a missing one names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        raise ModuleNotFoundError(
            f"{error.name} is not installed: pip install 'kiwoom-async[{extra}]',"
            f" or in a clone: pip install '.[{extra}]'",
            name=error.name,
        ) from None
