"""What a body may be: unpacked as it comes, within a limit. Pure; knows no HTTP library."""

import zlib
from typing import Final

from kiwoom_async.errors import decode_error

# A page is some 12 kB; nothing of this API is near it.
LARGEST_BODY_BYTES: Final = 8 * 1024 * 1024
# Headers of every request: what the answer's body may be.
ACCEPTED: Final = {"accept": "*/*", "accept-encoding": "gzip"}
_OTHERS: Final = {"br", "compress", "deflate", "x-gzip", "zstd"}


class Unpacker:
    """Takes a body chunk by chunk, and never holds more of it than is allowed.

    httpx's own decoders unpack a chunk whatever comes of it: 50 kB of gzip may be 50 MB.
    """

    def __init__(self, encoding: str) -> None:
        self._body = bytearray()
        self._gzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None
        # We accept nothing else; some servers name the absence of an encoding.
        known = encoding in {"", "gzip", "identity"}
        # Only such names are shown: nobody has looked for secrets yet.
        named = f"the encoding {encoding}" if encoding in _OTHERS else "an encoding"
        self._problem = "" if known else f"{named} that was not asked for"

    def take(self, chunk: bytes) -> bool:
        """Whether more is wanted."""
        if self._gzip is not None and not self._problem:
            if self._gzip.eof:
                chunk, self._problem = b"", "bytes after the end of gzip"
            try:
                chunk = self._gzip.decompress(chunk, LARGEST_BODY_BYTES + 1 - len(self._body))
            except zlib.error as error:
                self._problem = str(error)
        self._body += chunk
        return not self._problem and len(self._body) <= LARGEST_BODY_BYTES

    def whole(self) -> bytes:
        """All of it, or DecodeError."""
        if len(self._body) > LARGEST_BODY_BYTES:
            raise decode_error([f"more than {LARGEST_BODY_BYTES:,} bytes @ body"])
        if self._gzip is not None and self._gzip.unused_data:
            self._problem = self._problem or "bytes after the end of gzip"
        if self._gzip is not None and self._body and not self._gzip.eof:
            self._problem = self._problem or "gzip that ends in the middle"
        if self._problem:
            raise decode_error([f"{self._problem} @ body"], damaged=True)
        return bytes(self._body)
