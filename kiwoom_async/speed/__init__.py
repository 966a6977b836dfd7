"""FastEngine: compiled HTTP, and pages read by msgspec, column by column.

    async with KiwoomClient(app_key, secret_key, engine=FastEngine()) as kiwoom:
        ...

A third of the processor's time that the default engine takes, on asyncio only, without proxies.
Extra: speed (httptools, msgspec).
"""

from kiwoom_async.errors import require_extra

_OLDEST_MSGSPEC = (0, 19)

with require_extra("speed", "httptools", "msgspec"):
    import httptools  # noqa: F401 - the files below need them
    import msgspec

if tuple(map(int, msgspec.__version__.split(".")[:2])) < _OLDEST_MSGSPEC:
    raise ImportError(
        f"msgspec {msgspec.__version__} is too old for kiwoom_async.speed, which needs 0.19 or "
        "later: pip install --upgrade msgspec"
    )

from ._engine import FastEngine  # noqa: E402 - below the check
from ._transport import CompiledTransport  # noqa: E402

__all__ = ["CompiledTransport", "FastEngine"]
