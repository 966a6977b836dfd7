"""kiwoom_async with the extra `speed`: the same rows over the compiled transport."""

from measured import measure
from with_kiwoom_async import opened

from kiwoom_async.speed import CompiledTransport

if __name__ == "__main__":
    measure(lambda url: opened(url, transport=CompiledTransport()))
