"""Sharing on one host: a directory of small files for each app key.

    DIRECTORY/<account>/<api-id>.json    the queue of a bucket
    DIRECTORY/<account>/token.json       the token
    DIRECTORY/<account>/*.lock           empty; locked while the JSON file of that name is changed

`account` is a fingerprint of host and app key.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from attrs import asdict

from kiwoom_async import SharingReport
from kiwoom_async.errors import require_extra, short_repr

from ._locked_file import LockedFile
from ._outage_policy import outage_policy
from ._queue import (
    Bucket,
    SlotReply,
    SlotRequest,
    advance_clock,
    grant_or_queue,
    hold_permit,
    new_bucket,
    new_bucket_wait_ms,
    pause_bucket,
)
from ._report import sharing_report
from ._shared_rate_limiter import SharedRateLimiter
from ._shared_token_store import SharedTokenStore
from ._store import T, structure
from ._token_leases import TokenLeases

_TOKEN = "token"  # noqa: S105 - a file's name


class SharedFiles:
    """Shares between the programs of one user on one host, through files in a directory.

    directory: on a local disk, the same for all programs; without it the user's state directory,
        for which the extra `files` is needed.
    wait_seconds: how long a call waits for the directory to be usable again before it raises
        SharingError; 0 raises at once.
    local_share: instead of raising, this program makes so many requests a second while the
        directory cannot be used.
    reserved: the sum of the local shares of all programs, and the same for all of them; without
        it, this program's. It is left unused at all times, because no program can know which
        others cannot use the directory.

    Only the user can read the files; `token.json` holds the token in plain text.
    """

    def __init__(
        self,
        directory: str | Path | None = None,
        *,
        wait_seconds: float = 0.0,
        local_share: int | None = None,
        reserved: int | None = None,
    ) -> None:
        self.directory = _state_directory() if directory is None else _absolute_path(directory)
        self._outage_policy = outage_policy(wait_seconds, local_share, reserved)

    def __repr__(self) -> str:
        return f"SharedFiles({str(self.directory)!r})"

    def rate_limiter(
        self, account: str, api_id: str, requests_per_second: float
    ) -> SharedRateLimiter:
        """Return the rate limiter of an api-id."""
        bucket = FileBucketStore(self._file(account, api_id))
        return SharedRateLimiter(bucket, requests_per_second, self._outage_policy)

    def token_store(self, account: str) -> SharedTokenStore:
        """Return the store of the account's token."""
        return SharedTokenStore(self._token_leases(account), self._outage_policy)

    async def report(self, account: str) -> SharingReport:
        """Report who shares the account; raise SharingError if the store cannot be used."""
        return await run_sync(self._report, account)

    def _report(self, account: str) -> SharingReport:
        names = [path.stem for path in (self.directory / account).glob("*.json")]
        buckets = {
            name: FileBucketStore(self._file(account, name)) for name in names if name != _TOKEN
        }
        place = f"files in {self.directory}"
        return sharing_report(place, account, buckets, self._token_leases(account))

    def _token_leases(self, account: str) -> TokenLeases:
        return TokenLeases(self._file(account, _TOKEN))

    def _file(self, account: str, name: str) -> LockedFile:
        return LockedFile(self.directory / account / f"{name}.json")


class FileBucketStore:
    """A bucket in a file."""

    def __init__(self, file: LockedFile) -> None:
        self._file = file

    def request_slot(self, request: SlotRequest) -> SlotReply:
        """Grant a slot or queue the request."""
        return self._update(
            new_bucket_wait_ms(request),
            lambda bucket, now_ms: grant_or_queue(bucket, now_ms, request),
        )

    def pause(self, new_bucket_ms: float, pause_ms: float, limit: float) -> None:
        """Grant no slot for `pause_ms`."""
        self._update(
            new_bucket_ms,
            lambda bucket, now_ms: pause_bucket(bucket, now_ms, pause_ms, limit),
        )

    def hold(self, new_bucket_ms: float, slot: int, hold_ms: float) -> None:
        """Let the permit of a slot come back no sooner than in `hold_ms`."""
        self._update(
            new_bucket_ms,
            lambda bucket, now_ms: hold_permit(bucket, now_ms, slot, hold_ms),
        )

    def read(self) -> tuple[Bucket | None, float]:
        """Return the stored bucket and the clock in milliseconds."""
        data, now_ms = self._file.read()
        return (structure(data, Bucket, self._file.name) if data else None), now_ms

    def _update(self, first_wait_ms: float, change: Callable[[Bucket, float], T]) -> T:
        def apply(data: dict[str, Any] | None, now_ms: float) -> tuple[dict[str, Any], T]:
            if data is None:
                bucket = new_bucket(now_ms, first_wait_ms)
            else:
                bucket = structure(data, Bucket, self._file.name)
                advance_clock(bucket, now_ms)
            result = change(bucket, now_ms)
            return asdict(bucket), result

        return self._file.update(apply)


def _absolute_path(directory: object) -> Path:
    """Return an absolute path, so that a later change of the working directory does not matter."""
    wrong = f"directory: got {short_repr(directory)}; expected a path"
    if not isinstance(directory, str | Path) or not str(directory) or "\0" in str(directory):
        raise ValueError(wrong)
    try:
        return Path(directory).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{wrong}: {error}") from None


def _state_directory() -> Path:
    with require_extra("files", "platformdirs"):
        from platformdirs import user_state_path  # noqa: PLC0415 - an extra
    return user_state_path("kiwoom_async", appauthor=False) / "sharing"
