"""The checks of `kiwoom-async doctor` below HTTP: name, connection, certificate."""

import os
import socket
import ssl
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import certifi
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute

from ._case import Case, Finding, Status

_TIMEOUT_SECONDS: Final = 10.0
_NO_NETWORK: Final = Finding(Status.SKIPPED, "in this process, without a network")


async def name(case: Case) -> Finding:
    """Whether the host's name is known, and to which addresses it leads."""
    if case.in_process:
        return _NO_NETWORK
    host, port = case.address
    if proxy := _proxy(case):
        return Finding(Status.SKIPPED, f"left to the proxy {proxy}, which the environment names")
    try:
        with anyio.fail_after(_TIMEOUT_SECONDS):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Finding(
            Status.PROBLEM,
            f"{host} is not found: {_reason(error)}",
            "check the network, its DNS server, and KIWOOM_BASE_URL where it is set",
        )
    addresses = dict.fromkeys(str(address[0]) for *_, address in found)
    if list(addresses) == [host]:
        return Finding(Status.OK, f"{host} is an address, there is nothing to look up")
    return Finding(Status.OK, f"{host} is at {', '.join(addresses)}")


async def connection(case: Case) -> Finding:
    """Whether the host takes a connection, and proves who it is."""
    if case.in_process:
        return _NO_NETWORK
    if proxy := _proxy(case):
        return Finding(Status.SKIPPED, f"left to the proxy {proxy}, which the environment names")
    try:
        with anyio.fail_after(_TIMEOUT_SECONDS):
            return await _connected(case)
    except ssl.SSLError as error:
        return Finding(
            Status.PROBLEM,
            f"connected, but no TLS: {_reason(error)}",
            "a proxy or a virus scanner that opens TLS has a certificate of its own: name its "
            "file in SSL_CERT_FILE; one expired, or not valid yet, may be this machine's clock",
        )
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        host, port = case.address
        return Finding(
            Status.PROBLEM,
            f"no connection to {host}, port {port}: {_reason(error)}",
            "is the server up, the port right, and no firewall in between?",
        )


async def _connected(case: Case) -> Finding:
    host, port = case.address
    if not case.encrypted:
        await anyio.aclose_forcefully(await anyio.connect_tcp(host, port))
        return Finding(Status.OK, f"connected to port {port}; no TLS on loopback")
    stream = await anyio.connect_tcp(host, port, tls=True, ssl_context=_trusting())
    try:
        return Finding(Status.OK, _certificate(stream))
    finally:
        # A goodbye by the rules would wait for the server's.
        await anyio.aclose_forcefully(stream)


def _trusting() -> ssl.SSLContext:
    # As the HTTP library chooses (httpx 0.28), not as the system does: the calls will meet the
    # same.
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or not folder:
        return ssl.create_default_context(cafile=file or certifi.where())
    return ssl.create_default_context(capath=folder)


def _certificate(stream: ByteStream) -> str:
    tell = stream.extra
    shown: Any = tell(TLSAttribute.peer_certificate)
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    version = tell(TLSAttribute.tls_version)
    return f"{version}; the certificate is valid until {ends:%Y-%m-%d}"


def _proxy(case: Case) -> str:
    """Host and port of the proxy that the calls take, "" for none; never its password."""
    host, _ = case.address
    # Calls to this machine take none (see `_transport`).
    if not case.encrypted or proxy_bypass(host):
        return ""
    named = getproxies()
    url = named.get("https") or named.get("all") or ""
    return urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]


def _reason(error: BaseException) -> str:
    """What lies at the bottom, in the system's words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_SECONDS:g} s"
    if isinstance(error.__cause__, OSError):
        return _reason(error.__cause__)
    if isinstance(error.__cause__, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(map(_reason, error.__cause__.exceptions)))
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ConnectionError) and error.errno:
        # The event loops have words of their own, each.
        return os.strerror(error.errno)
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
