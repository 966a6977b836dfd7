"""The host that calls go to: its URL, checked, or an application in this process."""

import ipaddress
from collections.abc import Callable
from typing import Any

import httpx
from httpx import AsyncBaseTransport

from kiwoom_async.errors import short_repr

# `client.py` may not import httpx itself (tests/project/test_layers.py).
__all__ = ["AsyncBaseTransport", "checked_base_url", "in_process"]


def checked_base_url(base_url: str, *, plain_http: bool = False) -> str:
    """Return the URL without a trailing slash; ValueError unless secrets are safe on the way.

    plain_http: allow http to any host.
    """
    if not isinstance(base_url, str):
        raise ValueError(f"base_url: got {short_repr(base_url)}; expected text")
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url: got {base_url!r}; expected a URL") from error
    if url.userinfo or "?" in base_url or "#" in base_url or not url.host:
        raise ValueError("base_url: expected scheme://host[:port][/path] and nothing else")
    if url.port is not None and not 0 < url.port < 2**16:
        raise ValueError(f"base_url: got {base_url!r}; expected a port from 1 to 65535")
    may_be_plain = plain_http or _is_loopback(url.host)
    if url.scheme != "https" and not (url.scheme == "http" and may_be_plain):
        raise ValueError(
            f"base_url: got {base_url!r}; allowed are https, and http for loopback addresses "
            "only, because the secret key is sent there; for http to a host of a private network "
            "pass plain_http=True or set KIWOOM_PLAIN_HTTP=1"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def in_process(app: Callable[..., Any]) -> AsyncBaseTransport:
    """Return a transport that hands requests to an ASGI application in this process."""
    return httpx.ASGITransport(app=app)
