"""FastEngine as an option of a client: what it needs, and what is refused."""

import subprocess
import sys

import pytest
import trio
from support.exchange import QUERY

from kiwoom_async import KiwoomClient
from kiwoom_async.speed import CompiledTransport, FastEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    """Use asyncio in real time: FastEngine needs it, and real sockets."""
    return "asyncio"


@pytest.mark.parametrize(
    "options", [lambda: {"engine": FastEngine()}, lambda: {"transport": CompiledTransport()}]
)
def test_trio_is_refused_with_advice(options):
    async def use():
        async with KiwoomClient("a", "b", **options()) as kiwoom:
            await kiwoom.page(QUERY)

    with pytest.raises(RuntimeError, match="needs asyncio; on trio, use the default engine"):
        trio.run(use)


def test_an_engine_together_with_a_transport_and_invalid_engines_are_refused():
    with pytest.raises(ValueError, match="transport: got one beside engine"):
        KiwoomClient("a", "b", engine=FastEngine(), transport=CompiledTransport())
    for wrong in (FastEngine, CompiledTransport(), "fast"):
        with pytest.raises(ValueError, match="engine: got "):
            KiwoomClient("a", "b", engine=wrong)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("sys.modules['httptools'] = None", "pip install 'kiwoom-async[speed]'"),
        ("sys.modules['msgspec'] = None", "pip install 'kiwoom-async[speed]'"),
        ("import msgspec; msgspec.__version__ = '0.18.6'", "msgspec 0.18.6 is too old"),
    ],
)
def test_the_error_for_a_missing_or_old_package_names_it(code, message):
    command = [sys.executable, "-c", f"import sys; {code}; import kiwoom_async.speed"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert message in run.stderr
