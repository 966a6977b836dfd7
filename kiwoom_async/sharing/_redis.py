"""Sharing between hosts: keys of a Redis or Valkey server.

    kiwoom_async:1:{<account>}:pace:<api-id>    the queue of a bucket, for seven days from its use
    kiwoom_async:1:{<account>}:token            the token, for a day from its last change

`account` is a fingerprint of host and app key. The 1 is the version of the key names; the values
have a format number of their own.
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

from ._encryption import token_cipher
from ._outage_policy import outage_policy
from ._queue import Bucket, SlotReply, SlotRequest
from ._report import sharing_report
from ._shared_rate_limiter import SharedRateLimiter
from ._shared_token_store import SharedTokenStore
from ._store import FORMAT, Change, T, check_format, structure
from ._token_leases import TokenLeases

if TYPE_CHECKING:
    from redis import Redis

# A server on the same network answers within a millisecond.
_TIMEOUT_SECONDS: Final = 2.0
_TOKEN_TTL_SECONDS: Final = 24 * 3600
_MAX_ATTEMPTS: Final = 20
_MAX_BACKOFF_SECONDS: Final = 0.02
_SCRIPT: Final = "_queue.lua"
# Never shows the URL, which may hold a password.
_EXPECTED_URL: Final = (
    "url: expected redis://, rediss:// or unix:// with a host or a path, and a number for the "
    "database, as in redis://localhost:6379/0; options may be db, username, password, ssl_..."
)


class SharedRedis:
    """Shares between programs on several hosts, through a Redis or Valkey server.

    Needs the extra `redis`.

    url: redis://, rediss:// or unix://, with user and password if the server requires them.
    encryption_key: encrypts the token in the server's memory and files; 32 bytes in URL-safe
        base64, as `cryptography.fernet.Fernet.generate_key()` makes them, the same for all
        programs.
    wait_seconds, local_share, reserved: as in `SharedFiles`.

    After a failover to a replica that lags, the slots of the lag may be granted twice.
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
        self._server = RedisServer(url)
        self._cipher = token_cipher(encryption_key)
        self._outage_policy = outage_policy(wait_seconds, local_share, reserved)

    def __repr__(self) -> str:
        return f"SharedRedis({self._server.address!r})"

    def rate_limiter(
        self, account: str, api_id: str, requests_per_second: float
    ) -> SharedRateLimiter:
        """Return the rate limiter of an api-id."""
        bucket = RedisBucketStore(self._server, _key(account, f"pace:{api_id}"))
        return SharedRateLimiter(bucket, requests_per_second, self._outage_policy)

    def token_store(self, account: str) -> SharedTokenStore:
        """Return the store of the account's token."""
        return SharedTokenStore(self._token_leases(account), self._outage_policy)

    async def report(self, account: str) -> SharingReport:
        """Report who shares the account; raise SharingError if the store cannot be used."""
        return await run_sync(self._report, account)

    def _report(self, account: str) -> SharingReport:
        prefix = _key(account, "pace:")
        with self._server.connected() as redis:
            keys = sorted(key.decode() for key in redis.scan_iter(match=f"{prefix}*"))
        buckets = {key.removeprefix(prefix): RedisBucketStore(self._server, key) for key in keys}
        place = f"Redis at {self._server.address}"
        return sharing_report(place, account, buckets, self._token_leases(account))

    def _token_leases(self, account: str) -> TokenLeases:
        return TokenLeases(RedisStore(self._server, _key(account, "token")), self._cipher)


class RedisBucketStore:
    """A bucket under a key, changed by `_queue.lua` on the server's clock."""

    def __init__(self, server: "RedisServer", key: str) -> None:
        self._server = server
        self._key = key

    def request_slot(self, request: SlotRequest) -> SlotReply:
        """Grant a slot or queue the request."""
        reply = self._run("request", asdict(request))
        return structure(reply, SlotReply, self._key)

    def pause(self, new_bucket_ms: float, pause_ms: float, limit: float) -> None:
        """Grant no slot for `pause_ms`."""
        arguments = {"new_bucket_ms": new_bucket_ms, "pause_ms": pause_ms, "limit": limit}
        self._run("pause", arguments)

    def hold(self, new_bucket_ms: float, slot: int, hold_ms: float) -> None:
        """Let the permit of a slot come back no sooner than in `hold_ms`."""
        self._run("hold", {"new_bucket_ms": new_bucket_ms, "slot": slot, "hold_ms": hold_ms})

    def read(self) -> tuple[Bucket | None, float]:
        """Return the stored bucket and the server's clock in milliseconds."""
        reply = self._run("read", {})
        bucket = reply["bucket"]
        return (structure(bucket, Bucket, self._key) if bucket else None), reply["now_ms"]

    def _run(self, action: str, arguments: dict[str, Any]) -> dict[str, Any]:
        with self._server.connected():
            text = self._server.script(
                keys=[self._key], args=[action, FORMAT, json.dumps(arguments)]
            )
        reply: dict[str, Any] = json.loads(text)
        if "format" in reply:
            check_format(reply, f"{self._key} at {self._server.address}")
        return reply


class RedisStore:
    """A JSON object under a key."""

    def __init__(self, server: "RedisServer", key: str) -> None:
        self.name = f"{key} at {server.address}"
        self._server = server
        self._key = key

    def update(self, change: Change[T]) -> T:
        """Apply the change, and again if another program changed the object meanwhile."""
        from redis.exceptions import WatchError  # noqa: PLC0415 - an extra

        with self._server.connected() as redis, redis.pipeline() as pipe:
            for _ in range(_MAX_ATTEMPTS):
                pipe.watch(self._key)  # type: ignore[no-untyped-call]
                data, result = change(*self._read(pipe))
                if data is None:
                    return result
                pipe.multi()
                pipe.set(self._key, json.dumps({"format": FORMAT} | data), ex=_TOKEN_TTL_SECONDS)
                try:
                    pipe.execute()
                except WatchError:
                    # Random, so that the programs do not collide again.
                    time.sleep(random.uniform(0.0, _MAX_BACKOFF_SECONDS))  # noqa: S311
                    continue
                return result
        raise SharingError(
            f"{self.name} was changed by other programs during each of {_MAX_ATTEMPTS} attempts"
        )

    def read(self) -> tuple[dict[str, Any] | None, float]:
        """Return the stored object and the server's clock in milliseconds."""
        with self._server.connected() as redis:
            return self._read(redis)

    def _read(self, redis: "Redis") -> tuple[dict[str, Any] | None, float]:
        text, (seconds, microseconds) = redis.get(self._key), redis.time()
        try:
            data = None if text is None else check_format(json.loads(text), self.name)
        except ValueError as error:
            raise SharingError(f"{self.name} is not JSON; delete it") from error
        return data, 1000.0 * seconds + microseconds / 1000.0


class RedisServer:
    """The connections to one server; its errors are raised as SharingError."""

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
        if not (isinstance(url, str) and _names_a_server(url) and _has_allowed_options(url)):
            raise ValueError(_EXPECTED_URL)
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                # The server may have closed an idle connection: that is no failure.
                retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
            )
            # Does not connect yet, but raises for an unknown option.
            connection: Any = self._redis.connection_pool.make_connection()
        except (ValueError, TypeError):
            # redis-py's message may quote the password.
            raise ValueError(_EXPECTED_URL) from None
        # A socket left to the garbage collector causes a ResourceWarning.
        finalize(self, self._redis.connection_pool.disconnect)
        self._any_error = RedisError
        self._authentication_error = AuthenticationError
        self.address = getattr(connection, "path", "") or f"{connection.host}:{connection.port}"
        text = files("kiwoom_async.sharing").joinpath(_SCRIPT).read_text(encoding="utf-8")
        self.script: Callable[..., Any] = self._redis.register_script(text)

    @contextmanager
    def connected(self) -> Iterator["Redis"]:
        """Wrap every use of the server: its errors are raised as SharingError."""
        try:
            yield self._redis
        except (self._any_error, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            if isinstance(error, self._authentication_error):
                reason = "user or password is missing or wrong; both are part of the URL"
            raise SharingError(f"Redis at {self.address} cannot be used: {reason}") from error


def _names_a_server(url: str) -> bool:
    """Return False if redis-py would ignore a part of the URL without an error."""
    scheme, _, rest = url.partition("://")
    path = rest.partition("?")[0]
    if scheme == "unix":
        return path not in {"", "/"}
    database = path.partition("/")[2]
    return scheme in {"redis", "rediss"} and (not database or database.isdecimal())


def _has_allowed_options(url: str) -> bool:
    """Return False for options that would change the timeouts or how values are read."""
    names = parse_qs(url.partition("?")[2], keep_blank_values=True)
    return all(name in {"db", "password", "username"} or name.startswith("ssl_") for name in names)


def _key(account: str, suffix: str) -> str:
    # The braces put all keys of an account on one node of a cluster.
    return f"kiwoom_async:1:{{{account}}}:{suffix}"
