"""Sharing on one host: a directory with small files, for each app key its own.

    DIRECTORY/<account>/<api-id>.json    the queue of a bucket
    DIRECTORY/<account>/token.json       the token
    DIRECTORY/<account>/*.lock           empty; locked while its neighbour is changed

`account` is a fingerprint of host and app key.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from attrs import asdict

from kiwoom_async import SharingReport
from kiwoom_async.errors import require_extra, short_repr

from ._declared import declared
from ._desk import Desk
from ._locked import LockedFile
from ._place import T, structured
from ._queue import Answer, Asked, Bucket, arrive, ask, hold, new_bucket, unknown_for_ms
from ._report import report
from ._shared_pace import SharedPace
from ._shared_tokens import SharedTokens

_TOKEN = "token"  # noqa: S105 - a file's name


class SharedFiles:
    """Programs of one user on one host share through files in a directory.

    directory: on a local disk, the same for all programs; without it the user's state directory,
        which the extra `files` finds.
    wait_seconds: how long a call waits for the directory to be usable again before it raises
        SharingError; 0 is at once.
    local_share: how many requests a second this program may make while the directory cannot be
        used, instead.
    reserved: what the local shares of all programs add up to, the same for all programs; without
        it, this program's. It is left unused as long as all is well, because nobody knows who
        else cannot use the directory.

    The files can be read by their user only; `token.json` holds the token as it is.
    """

    def __init__(
        self,
        directory: str | Path | None = None,
        *,
        wait_seconds: float = 0.0,
        local_share: int | None = None,
        reserved: int | None = None,
    ) -> None:
        self.directory = _state_directory() if directory is None else _checked(directory)
        self._when_away = declared(wait_seconds, local_share, reserved)

    def __repr__(self) -> str:
        return f"SharedFiles({str(self.directory)!r})"

    def rate_limiter(self, account: str, api_id: str, requests_per_second: float) -> SharedPace:
        """The bucket of an api-id."""
        return SharedPace(
            FileBucket(self._file(account, api_id)),
            requests_per_second,
            self._when_away,
        )

    def token_store(self, account: str) -> SharedTokens:
        """Where the account's token is."""
        desk = Desk(self._file(account, _TOKEN))
        return SharedTokens(desk, self._when_away)

    async def report(self, account: str) -> SharingReport:
        """Who shares the account; SharingError where that cannot be known."""
        return await run_sync(self._report, account)

    def _report(self, account: str) -> SharingReport:
        names = [path.stem for path in (self.directory / account).glob("*.json")]
        buckets = {name: FileBucket(self._file(account, name)) for name in names if name != _TOKEN}
        place = f"files in {self.directory}"
        return report(place, account, buckets, Desk(self._file(account, _TOKEN)))

    def _file(self, account: str, name: str) -> LockedFile:
        return LockedFile(self.directory / account / f"{name}.json")


class FileBucket:
    """A bucket in a file."""

    def __init__(self, file: LockedFile) -> None:
        self._file = file

    def ask(self, asked: Asked) -> Answer:
        """Ask for a slot."""
        unknown_ms = unknown_for_ms(asked)
        return self._change(unknown_ms, lambda bucket, now_ms: ask(bucket, now_ms, asked))

    def hold(self, spacing_ms: float, pause_ms: float, limit: float) -> None:
        """Give no slot for so long."""
        self._change(spacing_ms, lambda bucket, now_ms: hold(bucket, now_ms, pause_ms, limit))

    def look(self) -> tuple[Bucket | None, float]:
        """What is known, and the clock."""
        facts, now_ms = self._file.read()
        return (structured(facts, Bucket, self._file.where) if facts else None), now_ms

    def _change(self, spacing_ms: float, step: Callable[[Bucket, float], T]) -> T:
        def change(facts: dict[str, Any] | None, now_ms: float) -> tuple[dict[str, Any], T]:
            bucket = new_bucket(now_ms, spacing_ms)
            if facts is not None:
                bucket = structured(facts, Bucket, self._file.where)
                arrive(bucket, now_ms)
            result = step(bucket, now_ms)
            return asdict(bucket), result

        return self._file.change(change)


def _checked(directory: object) -> Path:
    """An absolute path: the program may change its directory on the way."""
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
