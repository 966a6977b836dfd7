"""httpx where sniffio is installed, as it is with the extra `speed`."""

from measured import measure
from with_httpx import opened

if __name__ == "__main__":
    measure(opened)
