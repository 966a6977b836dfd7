"""A Redis server for the whole session."""

from collections.abc import Iterator

import pytest
from support.redis import redis_server


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that tests share; each has keys of its own."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url
