"""httpx with sniffio installed, as the extra `speed` does."""

from measured import measure
from with_httpx import open_pages

if __name__ == "__main__":
    measure(open_pages)
