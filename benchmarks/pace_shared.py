"""Eight programs that share one app key's pace on a restless line, in real time.

    python benchmarks/pace_shared.py files:/tmp/shared
    python benchmarks/pace_shared.py redis://localhost:6379/0 --calls 1000

An exchange on loopback delays each request and each answer by 150 ms +-40, and counts the calls of
a strict sliding window. Each program is a process that merges three walks.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
from itertools import islice
from time import monotonic
from typing import Final

import pace

from kiwoom_async import KiwoomClient
from kiwoom_async.sharing import from_url

PROGRAMS: Final = 8
WALKS: Final = 3
LINE: Final = pace.jitter(0.300, 0.040)


class Exchange:
    """The exchange of `pace.py` behind a socket; stops serving after so many calls."""

    def __init__(self, calls: int) -> None:
        self.arrivals: list[float] = []
        self.refused = 0
        self.done = asyncio.Event()
        self._calls = calls
        self._accepts = pace.sliding()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while not self.done.is_set():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                await reader.readexactly(int(headers["content-length"]))
                await asyncio.sleep(LINE(monotonic()))
                reply = self._reply(head[0], headers)
                await asyncio.sleep(LINE(monotonic()))
                writer.write(reply)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        writer.close()

    def _reply(self, request_line: str, headers: dict[str, str]) -> bytes:
        if "/oauth2/token" in request_line:
            return _encoded(200, pace.TOKEN, "")
        if not self._accepts(monotonic()):
            self.refused += 1
            return _encoded(429, pace.REFUSED, "")
        self.arrivals.append(monotonic())
        if len(self.arrivals) == self._calls:
            self.done.set()
        number = int(headers.get("next-key") or 1)
        body = {"stk_prm_trde_prst": [pace.ROW | {"stk_cd": f"{number:06}"}], "return_code": 0}
        return _encoded(200, body, f"cont-yn: Y\r\nnext-key: {number + 1}\r\n")


def _encoded(status: int, body: object, headers: str) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n{headers}\r\n"
    return head.encode() + content


async def program(place: str, base_url: str) -> None:
    """Merge walks until the exchange has gone."""
    sharing = from_url(place)
    async with (
        KiwoomClient("the-key", "the-secret", base_url=base_url, sharing=sharing) as kiwoom,
        kiwoom.merge(islice(pace.queries(), WALKS)) as pages,
    ):
        async for _ in pages:
            pass


async def measure(place: str, calls: int) -> None:
    """Run the programs, and print the share of the pace and the refusals."""
    exchange = Exchange(calls)
    server = await asyncio.start_server(exchange.connected, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    command = [sys.executable, __file__, place, "--base-url", base_url]
    programs = [subprocess.Popen(command) for _ in range(PROGRAMS)]  # noqa: S603, ASYNC220
    await exchange.done.wait()
    for each in programs:
        each.kill()
        each.wait()
    server.close()
    arrivals = exchange.arrivals
    shares = [
        (len(part) - 1) / (part[-1] - part[0]) / pace.PER_SECOND
        for part in (arrivals, arrivals[-calls // 2 :])
    ]
    print(f"{place.partition(':')[0]}: {shares[0]:.1%}, {exchange.refused} of {calls} refused;")
    print(f"the second half: {shares[1]:.1%}")


def main() -> None:
    random.seed()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("place")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--base-url")
    options = parser.parse_args()
    if options.base_url:
        asyncio.run(program(options.place, options.base_url))
    else:
        asyncio.run(measure(options.place, options.calls))


if __name__ == "__main__":
    main()
