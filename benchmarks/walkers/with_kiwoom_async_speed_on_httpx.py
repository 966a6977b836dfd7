"""kiwoom_async with the extra `speed`, as installed: the same rows over httpx's own transport."""

from measured import measure
from with_kiwoom_async import opened

if __name__ == "__main__":
    measure(opened)
