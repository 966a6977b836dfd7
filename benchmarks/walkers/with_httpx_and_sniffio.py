"""httpx where sniffio is installed, too: the equal of kiwoom_async with the extra `speed` on httpx."""

from measured import measure
from with_httpx import opened

if __name__ == "__main__":
    measure(opened)
