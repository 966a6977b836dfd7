"""A server of faults: real TCP in front of the sandbox, each request whole, each answer spoiled.

Seeded, so that a failing case fails again. Knows HTTP/1.1 as far as this library speaks it.
"""

import gzip
import json
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketAttribute
from attrs import evolve, frozen

App = Callable[..., Awaitable[None]]


@frozen
class Request:
    """One request as it came; `page` counts from 1, 0 for a token call."""

    path: str
    headers: dict[str, str]
    body: bytes
    page: int


@frozen
class Answer:
    """What the application would have said."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def raw(self, *, length: int | None = None) -> bytes:
        """On the wire; `length` is what Content-Length says instead of the truth."""
        said = len(self.body) if length is None else length
        kept = [pair for pair in self.headers if pair[0] not in {"content-length", "connection"}]
        lines = [f"HTTP/1.1 {self.status} x", f"content-length: {said}"]
        return "\r\n".join([*lines, *map(": ".join, kept), "", ""]).encode() + self.body

    def saying(self, body: bytes, **headers: str) -> "Answer":
        """The same with another body, and other or more headers."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = [pair for pair in self.headers if pair[0] not in added]
        return evolve(self, body=body, headers=(*kept, *added.items()))


# Plays an answer on a connection.
Play = Callable[[ByteStream, Answer, Random], Awaitable[None]]
# Which fault strikes a request; None for an answer as it should be.
Plan = Callable[[Request], str | None]


class FaultProxy:
    """Answers for `app` on a real socket; `plan` says what goes wrong, `calls` what came."""

    def __init__(self, app: App, plan: Plan = lambda _: None, *, seed: int = 0) -> None:
        self.app = app
        self.plan = plan
        self.calls: Counter[int] = Counter()
        self.struck: Counter[str] = Counter()
        self._chance = Random(seed)
        self._pages: dict[str, int] = {}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The base URL, for as long as the block lasts."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, self._connection)
            yield f"http://127.0.0.1:{port}"
            group.cancel_scope.cancel()

    def forget(self) -> None:
        """Forget the walks so far: keys that come from now on are of page one or new."""
        self._pages.clear()

    async def _connection(self, stream: ByteStream) -> None:
        gone = (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, OSError)
        with suppress(*gone):
            async with stream:
                buffered = b""
                while True:
                    request, buffered = await self._read(stream, buffered)
                    self.calls[request.page] += 1
                    answer = await _asked(self.app, request)
                    self._learn(request, answer)
                    kind = self.plan(request)
                    self.struck[kind or "none"] += 1
                    await FAULTS[kind](stream, answer, self._chance)

    async def _read(self, stream: ByteStream, received: bytes) -> tuple[Request, bytes]:
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            rest += await stream.receive()
        path = first.split()[1]
        key = headers.get("next-key", "")
        page = 0 if path.startswith("/oauth2/") else self._pages.get(key, 1)
        return Request(path, headers, rest[:length], page), rest[length:]

    def _learn(self, request: Request, answer: Answer) -> None:
        key = dict(answer.headers).get("next-key")
        if request.page and key:
            self._pages[key] = request.page + 1


async def _asked(app: App, request: Request) -> Answer:
    """The application's answer, in this process."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw_headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
    scope = {"type": "http", "method": "POST", "path": request.path, "headers": raw_headers}
    await app(scope, receive, send)
    headers = tuple((name.decode(), value.decode()) for name, value in sent[0]["headers"])
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], headers, body)


# ---- faults


def changed(change: Callable[[Answer, Random], Answer]) -> Play:
    """An answer that is sent in full, but is another one."""

    async def play(stream: ByteStream, answer: Answer, chance: Random) -> None:
        await stream.send(change(answer, chance).raw())

    return play


async def reset(stream: ByteStream) -> None:
    """Close with a reset, not with an end."""
    raw: socket.socket = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def _delay(stream: ByteStream, answer: Answer, _: Random) -> None:
    await anyio.sleep(0.02)
    await stream.send(answer.raw())


async def _drip(stream: ByteStream, answer: Answer, _: Random) -> None:
    for byte in answer.raw():
        await stream.send(bytes([byte]))
        await anyio.sleep(0.01)


async def _stop(stream: ByteStream, answer: Answer, chance: Random) -> None:
    raw = answer.raw()
    await stream.send(raw[: chance.randrange(1, len(raw))])
    await anyio.sleep_forever()


async def _reset_before(stream: ByteStream, _: Answer, __: Random) -> None:
    await reset(stream)


async def _reset_middle(stream: ByteStream, answer: Answer, chance: Random) -> None:
    raw = answer.raw()
    await stream.send(raw[: chance.randrange(1, len(raw))])
    await anyio.sleep(0.005)
    await reset(stream)


async def _reset_after(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.raw())
    # Long enough for the answer to be read: a reset throws away what is still on its way.
    await anyio.sleep(0.02)
    await reset(stream)


async def _close_before(stream: ByteStream, _: Answer, __: Random) -> None:
    await stream.aclose()


async def _cut_chunk(stream: ByteStream, answer: Answer, _: Random) -> None:
    kept = [pair for pair in answer.headers if pair[0] != "content-length"]
    head = ["HTTP/1.1 200 OK", "transfer-encoding: chunked", *map(": ".join, kept), "", ""]
    half = answer.body[: len(answer.body) // 2]
    await stream.send("\r\n".join(head).encode() + f"{len(answer.body):x}\r\n".encode() + half)
    await stream.aclose()


async def _length_too_long(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.raw(length=len(answer.body) + 10))
    await stream.aclose()


async def _length_too_short(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.raw(length=len(answer.body) // 2))


async def _whole(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.raw())


def _corrupt(answer: Answer, chance: Random) -> Answer:
    body = bytearray(answer.body)
    for _ in range(1 + len(body) // 50):
        body[chance.randrange(len(body))] = 0xFF  # in no UTF-8 text
    return answer.saying(bytes(body))


def _cut_gzip(answer: Answer, _: Random) -> Answer:
    packed = gzip.compress(answer.body)
    return answer.saying(packed[: len(packed) // 2], content_encoding="gzip")


def _in_the_middle(raw: bytes) -> Callable[[Answer, Random], Answer]:
    def change(answer: Answer, _: Random) -> Answer:
        middle = len(answer.body) // 2
        return answer.saying(answer.body[:middle] + raw + answer.body[middle:])

    return change


def _field(text: str) -> Callable[[Answer, Random], Answer]:
    """The first quantity, or a token's expiry, is `text`, whatever that is in JSON."""

    def change(answer: Answer, _: Random) -> Answer:
        name = "expires_dt" if b'"token"' in answer.body else "buy_cntr_qty"
        form = re.compile(rf'"{name}":"[^"]*"'.encode())
        return answer.saying(form.sub(f'"{name}":{text}'.encode(), answer.body, count=1))

    return change


def _twice(answer: Answer, _: Random) -> Answer:
    name = "token" if b'"token"' in answer.body else "stk_cd"
    twin = f'"{name}":"000000",'.encode()
    return answer.saying(
        answer.body.replace(f'"{name}":'.encode(), twin + f'"{name}":'.encode(), 1)
    )


def _more(name: str, text: str) -> Callable[[Answer, Random], Answer]:
    """One more field, which nobody reads."""
    return lambda answer, _: answer.saying(answer.body[:-1] + f',"{name}":{text}}}'.encode())


def _page(status: int, title: str) -> Play:
    html = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return changed(lambda _, __: Answer(status, (("content-type", "text/html"),), html.encode()))


_BOMB = gzip.compress(bytes(50_000_000))

FAULTS: dict[str | None, Play] = {
    None: _whole,
    "delay": _delay,
    "drip": _drip,
    "stop for ever": _stop,
    "reset before": _reset_before,
    "reset in the middle": _reset_middle,
    "reset after": _reset_after,
    "close before": _close_before,
    "cut chunk": _cut_chunk,
    "cut gzip": changed(_cut_gzip),
    "corrupt bytes": changed(_corrupt),
    "EUC-KR": changed(lambda one, _: one.saying(one.body.decode().encode("euc-kr", "replace"))),
    "broken UTF-8": changed(_in_the_middle(b"\xff")),
    "HTML 200": _page(200, "maintenance"),
    "HTML 400": _page(400, "Request Blocked"),
    "HTML 503": _page(503, "Service Unavailable"),
    "giant header": changed(lambda one, _: one.saying(one.body, x_giant="x" * 300_000)),
    "gzip bomb": changed(lambda one, _: one.saying(_BOMB, content_encoding="gzip")),
    "deep nesting": changed(_more("deep", "[" * 100_000 + "]" * 100_000)),
    "5,000 digits": changed(_more("digits", "7" * 5000)),
    "5,000 digits in a field": changed(_field(f'"{"7" * 5000}"')),
    "NaN in a field": changed(_field("NaN")),
    "NaN elsewhere": changed(_more("nan", "NaN")),
    "duplicate keys": changed(_twice),
    "length too long": _length_too_long,
    "length too short": _length_too_short,
    "truncated JSON": changed(lambda one, _: one.saying(one.body[: len(one.body) // 2])),
    "JSON of another kind": changed(lambda one, _: one.saying(json.dumps([1, 2]).encode())),
    "204": changed(lambda _, __: Answer(204, (), b"")),
    "307 to another host": changed(
        lambda _, __: Answer(307, (("location", "http://elsewhere.invalid/"),), b"")
    ),
    "302 to another host": changed(
        lambda _, __: Answer(302, (("location", "http://elsewhere.invalid/"),), b"")
    ),
    "500": changed(lambda _, __: Answer(500, (), b"Internal Server Error")),
    "empty 200": changed(lambda _, __: Answer(200, (), b"")),
}
