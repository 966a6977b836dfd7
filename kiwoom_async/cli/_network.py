"""The checks of `kiwoom-async doctor` below HTTP: DNS, connection and certificate."""

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

from ._diagnosis import Diagnosis, Finding, Status

_TIMEOUT_SECONDS: Final = 10.0
_NO_NETWORK: Final = Finding(Status.SKIPPED, "in this process, without a network")


async def check_dns(diagnosis: Diagnosis) -> Finding:
    """Look up the addresses of the API's host."""
    if skipped := _skipped(diagnosis):
        return skipped
    host, port = diagnosis.address
    try:
        with anyio.fail_after(_TIMEOUT_SECONDS):
            results = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Finding(
            Status.PROBLEM,
            f"{host} is not found: {_root_cause(error)}",
            "check the network, its DNS server, and KIWOOM_BASE_URL where it is set",
        )
    addresses = dict.fromkeys(str(address[0]) for *_, address in results)
    if list(addresses) == [host]:
        return Finding(Status.OK, f"{host} is an address, there is nothing to look up")
    return Finding(Status.OK, f"{host} is at {', '.join(addresses)}")


async def check_connection(diagnosis: Diagnosis) -> Finding:
    """Connect to the API's host and verify its certificate."""
    if skipped := _skipped(diagnosis):
        return skipped
    try:
        with anyio.fail_after(_TIMEOUT_SECONDS):
            return await _connect(diagnosis)
    except ssl.SSLError as error:
        return Finding(
            Status.PROBLEM,
            f"connected, but no TLS: {_root_cause(error)}",
            "a proxy or a virus scanner that opens TLS has a certificate of its own: name its "
            "file in SSL_CERT_FILE; if it is expired or not valid yet, check this machine's clock",
        )
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        host, port = diagnosis.address
        return Finding(
            Status.PROBLEM,
            f"no connection to {host}, port {port}: {_root_cause(error)}",
            "is the server up, the port right, and no firewall in between?",
        )


def _skipped(diagnosis: Diagnosis) -> Finding | None:
    """Return the finding for calls that make no connection of their own, else None."""
    if diagnosis.in_process:
        return _NO_NETWORK
    if proxy := _proxy(diagnosis):
        return Finding(Status.SKIPPED, f"left to the proxy {proxy}, which the environment names")
    return None


async def _connect(diagnosis: Diagnosis) -> Finding:
    host, port = diagnosis.address
    if not diagnosis.encrypted:
        await anyio.aclose_forcefully(await anyio.connect_tcp(host, port))
        return Finding(Status.OK, f"connected to port {port}; no TLS on loopback")
    stream = await anyio.connect_tcp(host, port, tls=True, ssl_context=_ssl_context())
    try:
        return Finding(Status.OK, _describe_tls(stream))
    finally:
        # An orderly TLS shutdown would wait for the server's reply.
        await anyio.aclose_forcefully(stream)


def _ssl_context() -> ssl.SSLContext:
    # The certificates that the calls will trust, chosen as in httpx 0.28; not the system's.
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or not folder:
        return ssl.create_default_context(cafile=file or certifi.where())
    return ssl.create_default_context(capath=folder)


def _describe_tls(stream: ByteStream) -> str:
    read_attribute = stream.extra
    certificate: Any = read_attribute(TLSAttribute.peer_certificate)
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    version = read_attribute(TLSAttribute.tls_version)
    return f"{version}; the certificate is valid until {expires:%Y-%m-%d}"


def _proxy(diagnosis: Diagnosis) -> str:
    """Return host and port of the proxy that the calls use, "" for none; never its password."""
    host, _ = diagnosis.address
    # Calls to loopback, the only ones without TLS, never use a proxy.
    if not diagnosis.encrypted or proxy_bypass(host):
        return ""
    proxies = getproxies()
    url = proxies.get("https") or proxies.get("all") or ""
    return urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]


def _root_cause(error: BaseException) -> str:
    """Return the innermost cause, in the operating system's words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_SECONDS:g} s"
    if isinstance(error.__cause__, OSError):
        return _root_cause(error.__cause__)
    if isinstance(error.__cause__, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(map(_root_cause, error.__cause__.exceptions)))
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ConnectionError) and error.errno:
        # asyncio, uvloop and trio word these errors differently.
        return os.strerror(error.errno)
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
