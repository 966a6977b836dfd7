"""The two cures for httpcore 1.0.9, and the only file that reads private parts of other libraries.

1. httpcore loses pool slots for good when a request is cancelled while it waits for a connection
   (encode/httpcore issue 1093). So no request ever waits there: `CONNECTION_LIMIT` calls at most
   are under way, as many as the pool has connections. And a native Task.cancel reaches httpcore
   as the cancellation of a scope, which it survives: see `RoundTrip.run_in_child_task`.

2. Bytes behind an answer would be taken for the answer to the next call on that connection.
   httpcore looks at the socket only; what has been read from it already is in

   - the response stream, down to httpcore's HTTP11 connection: `_stream` (httpx 0.28.1),
     `_httpcore_stream` (httpx 0.28.1), `_stream`, `_connection`, `_h11_state` (httpcore 1.0.9);
   - the network stream: `_network_stream`, `_stream` (httpcore 1.0.9), `_protocol.read_queue` and
     `_read_bio` (anyio 4.16), `_incoming` (trio 0.34).

   When a release of httpx or httpcore no longer has its parts, `inspect_connection` returns
   UNKNOWN: the engine then warns once and keeps no connection. To cure that, find where the
   parts have gone, and correct the names here; the tests in `tests/io/test_httpcore_guard.py`
   are red until then.
"""

from enum import Enum
from typing import Any, Final

import httpx

# One app key has at most 75 calls under way (five a second, fifteen seconds each). Others wait.
CONNECTION_LIMIT: Final = 100
WARNING: Final = (
    "this version of httpx or httpcore hides what follows an answer on its connection: "
    "connections are not kept, which makes calls slower; use httpx 0.28 with httpcore 1.0"
)


class Connection(Enum):
    """The connection of an answer: fit for the next call, marked to be closed, or not known."""

    CLEAN = "clean"
    DISCARDED = "discarded"
    UNKNOWN = "unknown"


def inspect_connection(response: httpx.Response) -> Connection:
    """Have a connection closed, not kept, if more bytes than one answer came on it.

    To be called when the body has been read, and before the response is closed, for answers of
    httpcore (they have the extension `network_stream`).
    """
    if response.extensions.get("http_version") == b"HTTP/2":
        return Connection.CLEAN  # each frame says which answer it belongs to
    stream: Any = response.stream
    try:
        connection = stream._stream._httpcore_stream._stream._connection  # noqa: SLF001
        trailing, _ = connection._h11_state.trailing_data  # noqa: SLF001
        network_stream = connection._network_stream._stream  # noqa: SLF001
    except AttributeError:
        return Connection.UNKNOWN
    if not trailing and not _has_read_ahead(network_stream):
        return Connection.CLEAN
    # httpcore closes a connection in this state when its response is closed.
    connection._h11_state.send_failed()  # noqa: SLF001
    return Connection.DISCARDED


def _has_read_ahead(stream: Any) -> bool:
    """Return True if anyio or trio hold bytes that httpcore has not asked for yet."""
    while stream is not None:
        # TLS records, of anyio or of trio; then what anyio took from the socket.
        records = getattr(stream, "_read_bio", None) or getattr(stream, "_incoming", None)
        protocol = getattr(stream, "_protocol", None)
        if (records is not None and records.pending) or getattr(protocol, "read_queue", None):
            return True
        stream = getattr(stream, "transport_stream", None)
    return False
