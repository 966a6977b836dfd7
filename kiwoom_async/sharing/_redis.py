"""Sharing between hosts: keys of a Redis or Valkey server.

    kiwoom_async:1:{<account>}:pace:<api-id>    the queue of a bucket, for seven days from its use
    kiwoom_async:1:{<account>}:token            the token, for a day from its last change

`account` is a fingerprint of host and app key; the 1 is that of the keys' names, and what is kept
under them names its format, too.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs
from weakref import finalize

from anyio.to_thread import run_sync
from attrs import asdict

from kiwoom_async import SharingError, SharingReport
from kiwoom_async.errors import require_extra

from ._declared import declared
from ._desk import Desk
from ._place import FORMAT, Step, T, checked_format, structured
from ._queue import Answer, Asked, Bucket
from ._report import report
from ._seal import seals
from ._shared_pace import SharedPace
from ._shared_tokens import SharedTokens

if TYPE_CHECKING:
    from redis import Redis

# A server that is away is found out after so long; one on the same network answers in a thousandth.
_TIMEOUT_SECONDS: Final = 2.0
_TOKEN_SECONDS: Final = 24 * 3600
_TRIES: Final = 20
_RETRY_SECONDS: Final = 0.02
_SCRIPT: Final = "_queue.lua"
_EXPECTED_URL: Final = (
    "url: expected redis://, rediss:// or unix:// with a host or a path, and a number for the "
    "database, as in redis://localhost:6379/0; options may be db, username, password, ssl_..."
)


class SharedRedis:
    """Programs on several hosts share through a Redis or Valkey server. Needs the extra `redis`.

    url: redis://, rediss:// or unix://, with user and password where the server wants them.
    encryption_key: seals the token at the server, for who reads its memory or its file; 32 bytes
        in URL-safe base64, as `cryptography.fernet.Fernet.generate_key()` makes them, the same for
        all programs.
    wait_seconds, local_share, reserved: as in `SharedFiles`.

    After a failover to a replica that lags, the slots of the lag may be given twice.
    """

    def __init__(
        self,
        url: str,
        *,
        encryption_key: str | bytes | None = None,
        wait_seconds: float = 0.0,
        local_share: int | None = None,
        reserved: int | None = None,
    ) -> None:
        self._server = _Server(url)
        self._seal, self._unseal = seals(encryption_key)
        self._when_away = declared(wait_seconds, local_share, reserved)

    def __repr__(self) -> str:
        return f"SharedRedis({self._server.shown!r})"

    def rate_limiter(self, account: str, api_id: str, requests_per_second: float) -> SharedPace:
        """The bucket of an api-id."""
        return SharedPace(
            RedisBucket(self._server, _key(account, f"pace:{api_id}")),
            requests_per_second,
            self._when_away,
        )

    def token_store(self, account: str) -> SharedTokens:
        """Where the account's token is."""
        return SharedTokens(self._desk(account), self._when_away)

    async def report(self, account: str) -> SharingReport:
        """Who shares the account; SharingError where that cannot be known."""
        return await run_sync(self._report, account)

    def _report(self, account: str) -> SharingReport:
        prefix = _key(account, "pace:")
        with self._server.reached() as redis:
            found = sorted(key.decode() for key in redis.scan_iter(match=f"{prefix}*"))
        buckets = {key.removeprefix(prefix): RedisBucket(self._server, key) for key in found}
        place = f"Redis at {self._server.shown}"
        return report(place, account, buckets, self._desk(account))

    def _desk(self, account: str) -> Desk:
        place = RedisObject(self._server, _key(account, "token"))
        return Desk(place, seal=self._seal, unseal=self._unseal)


class RedisBucket:
    """A bucket under a key, changed by a script on the server's clock."""

    def __init__(self, server: "_Server", key: str) -> None:
        self._server = server
        self._key = key

    def ask(self, asked: Asked) -> Answer:
        """Ask for a slot."""
        reply = self._run("ask", asdict(asked))
        return structured(reply, Answer, self._key)

    def hold(self, spacing_ms: float, pause_ms: float, limit: float) -> None:
        """Give no slot for so long."""
        self._run("hold", {"spacing_ms": spacing_ms, "pause_ms": pause_ms, "limit": limit})

    def look(self) -> tuple[Bucket | None, float]:
        """What is known, and the clock."""
        reply = self._run("look", {})
        bucket = reply["bucket"]
        return (structured(bucket, Bucket, self._key) if bucket else None), reply["now_ms"]

    def _run(self, action: str, facts: dict[str, Any]) -> dict[str, Any]:
        with self._server.reached():
            text = self._server.script(keys=[self._key], args=[action, FORMAT, json.dumps(facts)])
        reply: dict[str, Any] = json.loads(text)
        if "format" in reply:
            checked_format(reply, f"{self._key} at {self._server.shown}")
        return reply


class RedisObject:
    """A JSON object under a key."""

    def __init__(self, server: "_Server", key: str) -> None:
        self.where = f"{key} at {server.shown}"
        self._server = server
        self._key = key

    def change(self, step: Step[T]) -> T:
        """Take the step, again when somebody else has taken one meanwhile."""
        from redis.exceptions import WatchError  # noqa: PLC0415 - an extra

        with self._server.reached() as redis, redis.pipeline() as pipe:
            for _ in range(_TRIES):
                pipe.watch(self._key)  # type: ignore[no-untyped-call]
                facts, result = step(*self._found(pipe))
                if facts is None:
                    return result
                pipe.multi()
                pipe.set(self._key, json.dumps({"format": FORMAT} | facts), ex=_TOKEN_SECONDS)
                try:
                    pipe.execute()
                except WatchError:
                    # Not all again at the same moment.
                    time.sleep(random.uniform(0.0, _RETRY_SECONDS))  # noqa: S311
                    continue
                return result
        raise SharingError(f"{self.where} is changed by others without a pause")

    def read(self) -> tuple[dict[str, Any] | None, float]:
        """The facts as they stand, and the clock."""
        with self._server.reached() as redis:
            return self._found(redis)

    def _found(self, redis: "Redis") -> tuple[dict[str, Any] | None, float]:
        text, (seconds, microseconds) = redis.get(self._key), redis.time()
        try:
            facts = None if text is None else checked_format(json.loads(text), self.where)
        except ValueError as error:
            raise SharingError(f"{self.where} is not JSON; delete it") from error
        return facts, 1000.0 * seconds + microseconds / 1000.0


class _Server:
    """The connections to a server, and its errors in our words."""

    def __init__(self, url: str) -> None:
        with require_extra("redis", "redis"):
            from redis import (  # noqa: PLC0415 - an extra
                AuthenticationError,
                ConnectionError,  # noqa: A004 - a RedisError
                Redis,
                RedisError,
            )
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415
        if not (isinstance(url, str) and _names_a_server(url) and _options_are_known(url)):
            raise ValueError(_EXPECTED_URL)
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                # A connection that the server has closed in an idle hour is no failure.
                retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
            )
            # Not connected yet; an option that it does not know shows here.
            ready: Any = self._redis.connection_pool.make_connection()
        except (ValueError, TypeError):
            # What they say may quote the password.
            raise ValueError(_EXPECTED_URL) from None
        # Sockets that are left to the garbage collector are warned of.
        finalize(self, self._redis.connection_pool.disconnect)
        self._errors = RedisError, AuthenticationError
        self.shown = getattr(ready, "path", "") or f"{ready.host}:{ready.port}"
        text = files("kiwoom_async.sharing").joinpath(_SCRIPT).read_text(encoding="utf-8")
        self.script: Callable[..., Any] = self._redis.register_script(text)

    @contextmanager
    def reached(self) -> Iterator["Redis"]:
        """Around every use: SharingError for whatever goes wrong there."""
        any_error, not_let_in = self._errors
        try:
            yield self._redis
        except (any_error, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, not_let_in):
                reason = "it wants a user and a password, or others; they stand in the URL"
            raise SharingError(f"Redis at {self.shown} cannot be used: {reason}") from error


def _names_a_server(url: str) -> bool:
    """Whether nothing of it would be passed over in silence."""
    kind, _, rest = url.partition("://")
    path = rest.partition("?")[0]
    if kind == "unix":
        return path not in {"", "/"}
    database = path.partition("/")[2]
    return kind in {"redis", "rediss"} and (not database or database.isdecimal())


def _options_are_known(url: str) -> bool:
    """Whether no option changes what is promised here: what is read, and how long is waited."""
    names = parse_qs(url.partition("?")[2], keep_blank_values=True)
    return all(name in {"db", "password", "username"} or name.startswith("ssl_") for name in names)


def _key(account: str, rest: str) -> str:
    # The braces keep the keys of an account on one node of a cluster.
    return f"kiwoom_async:1:{{{account}}}:{rest}"
