"""One app key, many programs: they share its pace and its token.

    async with KiwoomClient(app_key, secret_key, sharing=SharedFiles()) as kiwoom:
        ...

`SharedFiles` for the programs of one host, `SharedRedis` for those of several.
"""

from ._files import SharedFiles
from ._from_url import from_url
from ._redis import SharedRedis

__all__ = ["SharedFiles", "SharedRedis", "from_url"]
