"""The proxy and the certificates that the environment names, checked before anything is sent."""

import ipaddress
import os
import re
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.request import getproxies

import httpx

_PROXY_VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_PROXY_SCHEMES: Final = {"http", "https", "socks5", "socks5h"}


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """Return the proxy for calls to an https host, or None; ValueError for one unusable."""
    proxies = getproxies()
    value = proxies.get("https") or proxies.get("all") or ""
    if not value or _is_exempt(url, proxies.get("no", "")):
        return None
    if "://" not in value:
        value = f"http://{value}"
    variables = [name for name in _PROXY_VARIABLES if os.environ.get(name)]
    variable = variables[0] if variables else "the system's proxy"
    # A password may stand before the host.
    shown = re.sub("^([a-z0-9]+://)?.*@", r"\1***@", value)
    got = f"{variable}: got {shown!r}"
    cure = "correct it, or unset it"
    try:
        parsed = httpx.URL(value)
    except httpx.InvalidURL:
        raise ValueError(f"{got}; expected a URL such as http://host:8080; {cure}") from None
    port_exists = parsed.port is None or 0 < parsed.port < 2**16
    if parsed.scheme not in _PROXY_SCHEMES or not parsed.host or not port_exists:
        schemes = ", ".join(sorted(_PROXY_SCHEMES))
        raise ValueError(f"{got}; expected a URL of {schemes}, with a host and a port; {cure}")
    if parsed.scheme.startswith("socks") and find_spec("socksio") is None:
        raise ValueError(f"{got}; it needs a package: pip install 'httpx[socks]', or unset it")
    return httpx.Proxy(parsed)


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    """Return True if NO_PROXY names the host: itself, its domain, its network, or everything."""
    return any(_matches(url, entry.strip()) for entry in no_proxy.split(",") if entry.strip())


def _matches(url: httpx.URL, entry: str) -> bool:
    if entry == "*":
        return True
    scheme, _, entry = entry.rpartition("://")
    if scheme not in ("", "all", url.scheme):
        return False
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return _matches_name(url, entry)
    try:
        return ipaddress.ip_address(url.host) in network
    except ValueError:  # the host is a name
        return False


def _matches_name(url: httpx.URL, entry: str) -> bool:
    match = re.fullmatch(r"(?P<host>\[.*\]|[^:]*)(?::(?P<port>[0-9]+))?", entry)
    if match is None:
        return False
    port = url.port or (443 if url.scheme == "https" else 80)
    if match["port"] and int(match["port"]) != port:
        return False
    name, host = match["host"].strip("[]").lower(), url.host.lower()
    domain = name.removeprefix("*").lstrip(".")
    # `.example.com` exempts what is in that domain, `example.com` the host of that name as well.
    return host.endswith(f".{domain}") or (host == domain and not name.startswith((".", "*.")))


def certificates() -> ssl.SSLContext:
    """Return the authorities to trust; ValueError if SSL_CERT_FILE or SSL_CERT_DIR is unusable."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    cure = "correct it, or unset it"
    # OpenSSL reads the folder when a certificate is first looked for, and says nothing.
    if folder and not file and not (Path(folder).is_dir() and any(Path(folder).iterdir())):
        raise ValueError(f"SSL_CERT_DIR: got {folder!r}; expected a folder of certificates; {cure}")
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        if file:
            reason = type(error).__name__
            raise ValueError(
                f"SSL_CERT_FILE: got {file!r} ({reason}); expected a file of certificates in PEM "
                f"form; {cure}"
            ) from error
        raise
