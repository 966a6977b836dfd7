"""The faults of `FaultProxy`: each sends a good answer in a wrong way, or sends a wrong answer."""

import gzip
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from random import Random

import anyio
from anyio.abc import ByteStream, SocketAttribute
from attrs import evolve, frozen


@frozen
class Answer:
    """One HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def encoded(self, *, content_length: int | None = None) -> bytes:
        """Return the bytes to send; `content_length` replaces the true length in the header."""
        length = len(self.body) if content_length is None else content_length
        replaced = {"content-length", "connection"}
        headers = [header for header in self.headers if header[0] not in replaced]
        head = [f"HTTP/1.1 {self.status} x", f"content-length: {length}", *map(": ".join, headers)]
        return "\r\n".join([*head, "", ""]).encode() + self.body

    def with_body(self, body: bytes, **headers: str) -> "Answer":
        """Return the answer with another body, and with these headers added or replaced."""
        added = {name.replace("_", "-"): value for name, value in headers.items()}
        unchanged = [header for header in self.headers if header[0] not in added]
        return evolve(self, body=body, headers=(*unchanged, *added.items()))


SendAnswer = Callable[[ByteStream, Answer, Random], Awaitable[None]]


async def _send(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.encoded())


async def _delay(stream: ByteStream, answer: Answer, _: Random) -> None:
    await anyio.sleep(0.02)
    await stream.send(answer.encoded())


async def _drip(stream: ByteStream, answer: Answer, _: Random) -> None:
    for byte in answer.encoded():
        await stream.send(bytes([byte]))
        await anyio.sleep(0.01)


async def _stop_for_ever(stream: ByteStream, answer: Answer, random: Random) -> None:
    await _send_a_part(stream, answer, random)
    await anyio.sleep_forever()


async def _reset_before(stream: ByteStream, _: Answer, __: Random) -> None:
    await _reset(stream)


async def _reset_in_the_middle(stream: ByteStream, answer: Answer, random: Random) -> None:
    await _send_a_part(stream, answer, random)
    await anyio.sleep(0.005)
    await _reset(stream)


async def _reset_after(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.encoded())
    # Time for the client to read the answer: a reset discards bytes that are still in transit.
    await anyio.sleep(0.02)
    await _reset(stream)


async def _send_a_part(stream: ByteStream, answer: Answer, random: Random) -> None:
    raw = answer.encoded()
    await stream.send(raw[: random.randrange(1, len(raw))])


async def _reset(stream: ByteStream) -> None:
    """Close the connection with a TCP reset."""
    raw_socket: socket.socket = stream.extra(SocketAttribute.raw_socket)
    # A linger time of 0 makes close() send RST instead of FIN.
    raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def _close_before(stream: ByteStream, _: Answer, __: Random) -> None:
    await stream.aclose()


async def _cut_chunk(stream: ByteStream, answer: Answer, _: Random) -> None:
    headers = [header for header in answer.headers if header[0] != "content-length"]
    head = ["HTTP/1.1 200 OK", "transfer-encoding: chunked", *map(": ".join, headers), "", ""]
    half = answer.body[: len(answer.body) // 2]
    await stream.send("\r\n".join(head).encode() + f"{len(answer.body):x}\r\n".encode() + half)
    await stream.aclose()


async def _length_too_long(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.encoded(content_length=len(answer.body) + 10))
    await stream.aclose()


async def _length_too_short(stream: ByteStream, answer: Answer, _: Random) -> None:
    await stream.send(answer.encoded(content_length=len(answer.body) // 2))


async def _corrupt_bytes(stream: ByteStream, answer: Answer, random: Random) -> None:
    body = bytearray(answer.body)
    for _ in range(1 + len(body) // 50):
        body[random.randrange(len(body))] = 0xFF  # never part of UTF-8
    await stream.send(answer.with_body(bytes(body)).encoded())


def _modified(modify: Callable[[Answer], Answer]) -> SendAnswer:
    """Return a fault that sends the modified answer whole."""

    async def send_modified(stream: ByteStream, answer: Answer, _: Random) -> None:
        await stream.send(modify(answer).encoded())

    return send_modified


def _truncate(answer: Answer) -> Answer:
    return answer.with_body(answer.body[: len(answer.body) // 2])


def _truncate_gzip(answer: Answer) -> Answer:
    compressed = gzip.compress(answer.body)
    return answer.with_body(compressed[: len(compressed) // 2], content_encoding="gzip")


def _encode_as_euc_kr(answer: Answer) -> Answer:
    return answer.with_body(answer.body.decode().encode("euc-kr", "replace"))


def _insert_in_the_middle(answer: Answer, raw: bytes) -> Answer:
    middle = len(answer.body) // 2
    return answer.with_body(answer.body[:middle] + raw + answer.body[middle:])


def _replace_value(answer: Answer, json_text: str) -> Answer:
    """Replace the first bought quantity, or a token's expiry."""
    name = "expires_dt" if b'"token"' in answer.body else "buy_cntr_qty"
    member = re.compile(rf'"{name}":"[^"]*"'.encode())
    return answer.with_body(member.sub(f'"{name}":{json_text}'.encode(), answer.body, count=1))


def _duplicate_key(answer: Answer) -> Answer:
    """Put a wrong value of the first stock code, or of the token, before the right one."""
    name = "token" if b'"token"' in answer.body else "stk_cd"
    key = f'"{name}":'.encode()
    return answer.with_body(answer.body.replace(key, key + b'"000000",' + key, 1))


def _add_field(answer: Answer, name: str, json_text: str) -> Answer:
    return answer.with_body(answer.body[:-1] + f',"{name}":{json_text}}}'.encode())


def _html_page(status: int, title: str) -> Answer:
    html = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Answer(status, (("content-type", "text/html"),), html.encode())


def _redirect(status: int) -> Answer:
    return Answer(status, (("location", "http://elsewhere.invalid/"),), b"")


_GZIP_BOMB = gzip.compress(bytes(50_000_000))

# By name; None sends the answer as it is.
FAULTS: dict[str | None, SendAnswer] = {
    None: _send,
    "delay": _delay,
    "drip": _drip,
    "stop for ever": _stop_for_ever,
    "reset before": _reset_before,
    "reset in the middle": _reset_in_the_middle,
    "reset after": _reset_after,
    "close before": _close_before,
    "cut chunk": _cut_chunk,
    "cut gzip": _modified(_truncate_gzip),
    "corrupt bytes": _corrupt_bytes,
    "EUC-KR": _modified(_encode_as_euc_kr),
    "broken UTF-8": _modified(lambda answer: _insert_in_the_middle(answer, b"\xff")),
    "HTML 200": _modified(lambda _: _html_page(200, "maintenance")),
    "HTML 400": _modified(lambda _: _html_page(400, "Request Blocked")),
    "HTML 503": _modified(lambda _: _html_page(503, "Service Unavailable")),
    "giant header": _modified(lambda answer: answer.with_body(answer.body, x_giant="x" * 300_000)),
    "gzip bomb": _modified(lambda answer: answer.with_body(_GZIP_BOMB, content_encoding="gzip")),
    "deep nesting": _modified(
        lambda answer: _add_field(answer, "deep", "[" * 100_000 + "]" * 100_000)
    ),
    "5,000 digits": _modified(lambda answer: _add_field(answer, "digits", "7" * 5000)),
    "5,000 digits in a field": _modified(lambda answer: _replace_value(answer, f'"{"7" * 5000}"')),
    "NaN in a field": _modified(lambda answer: _replace_value(answer, "NaN")),
    "NaN elsewhere": _modified(lambda answer: _add_field(answer, "nan", "NaN")),
    "duplicate keys": _modified(_duplicate_key),
    "length too long": _length_too_long,
    "length too short": _length_too_short,
    "truncated JSON": _modified(_truncate),
    "JSON of another kind": _modified(lambda answer: answer.with_body(json.dumps([1, 2]).encode())),
    "204": _modified(lambda _: Answer(204, (), b"")),
    "307 to another host": _modified(lambda _: _redirect(307)),
    "302 to another host": _modified(lambda _: _redirect(302)),
    "500": _modified(lambda _: Answer(500, (), b"Internal Server Error")),
    "empty 200": _modified(lambda _: Answer(200, (), b"")),
}
