"""A Redis server for the whole session, and the two kinds of shared store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from support.redis import redis_server

from kiwoom_async.sharing import SharedFiles, SharedRedis


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that all tests use, each with its own account."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=["files", "redis"])
def make_sharing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[..., SharedFiles | SharedRedis]:
    """A function; each call returns the `sharing` of another program on the same store."""
    if request.param == "files":
        return lambda **options: SharedFiles(tmp_path / "shared", **options)
    url = request.getfixturevalue("redis_url")
    return lambda **options: SharedRedis(url, **options)


@pytest.fixture
def account() -> str:
    """An account that no other test uses."""
    return uuid4().hex[:16]
