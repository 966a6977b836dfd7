"""A server of pages made beforehand, so that a walk measures the client and little else.

Speaks just enough HTTP/1.1 for a well-behaved client; one process serves all contenders. `P00101`
has few pages, `P10102` as many as the first argument says; the second is the rows of a page.
"""

import asyncio
import json
import sys

from kiwoom_async.sandbox import Sandbox

FEW_PAGES = 20
ROWS_PER_PAGE = 100

_TOKEN = {
    "token": "_hBKqFYY_kv5ZJr3J1TWDtkwtDDb-xHKas1VOqg6YYZYn9ZhyiA4uoRgnatmUdjAWtGSU8po",
    "token_type": "Bearer",
    "expires_dt": "29991231235959",
}
_STATUS = {"return_code": 0, "return_msg": "정상적으로 처리되었습니다"}
_TOTALS = {f"tot_{number}": "" for number in range(1, 7)}


def encoded_pages(count: int, rows_per_page: int = ROWS_PER_PAGE) -> list[bytes]:
    """Return so many pages, which repeat a day on which a third of the stocks have traded.

    Each row has a stock code of its own: a client may refuse pages that repeat.
    """
    day = Sandbox(kospi_stocks=2_472).rows("20261120", "P00101", "1")
    pages: list[bytes] = []
    for first in range(0, count * rows_per_page, rows_per_page):
        numbers = range(first, first + rows_per_page)
        rows = [day[number % len(day)] | {"stk_cd": f"{number:06}"} for number in numbers]
        page = {"stk_prm_trde_prst": rows} | _TOTALS | _STATUS
        pages.append(json.dumps(page, ensure_ascii=False).encode())
    return pages


class CannedConnection(asyncio.Protocol):
    """One connection; answers each request by its market and `next-key`."""

    def __init__(self, pages: list[bytes]) -> None:
        self._pages = pages
        self._page_counts = {b"P00101": FEW_PAGES, b"P10102": len(pages)}
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, to answer by."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request received whole."""
        self._received += data
        while True:
            head, separator, rest = self._received.partition(b"\r\n\r\n")
            if not separator:
                return
            path = head.split(b" ", 2)[1]
            headers = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
            length = int(headers.get(b"content-length", b"0"))
            if len(rest) < length:
                return
            body, self._received = rest[:length], rest[length:]
            self._transport.write(self._answer(path, headers, body))

    def _answer(self, path: bytes, headers: dict[bytes, bytes], body: bytes) -> bytes:
        if path == b"/oauth2/token":
            return _reply(json.dumps(_TOKEN | _STATUS).encode(), b"")
        index = int(headers.get(b"next-key", b"").strip() or b"0")
        page_count = next(n for market, n in self._page_counts.items() if market in body)
        more = index + 1 < page_count
        key = str(index + 1).encode() if more else b""
        continuation = b"cont-yn: " + (b"Y" if more else b"N") + b"\r\nnext-key: " + key
        return _reply(self._pages[index], continuation + b"\r\napi-id: ka90004\r\n")


def _reply(body: bytes, headers: bytes) -> bytes:
    length = str(len(body)).encode()
    common = b"Content-Type: application/json;charset=UTF-8\r\nContent-Length: " + length + b"\r\n"
    return b"HTTP/1.1 200 OK\r\n" + common + headers + b"\r\n" + body


async def serve(many_pages: int, rows_per_page: int) -> None:
    """Serve for ever; the first line on standard output is the URL."""
    pages = encoded_pages(max(FEW_PAGES, many_pages), rows_per_page)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: CannedConnection(pages), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
