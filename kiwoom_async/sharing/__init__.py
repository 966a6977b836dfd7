"""Share the pace and the token of one app key between programs.

    async with KiwoomClient(app_key, secret_key, sharing=SharedFiles()) as kiwoom:
        ...

`SharedFiles` is for programs on one host, `SharedRedis` for programs on several.
"""

from ._files import SharedFiles
from ._from_url import from_url
from ._redis import SharedRedis

__all__ = ["SharedFiles", "SharedRedis", "from_url"]
