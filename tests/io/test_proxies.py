"""Proxies and certificates of the environment: used, spaced by the request itself, or named."""

import ssl
from contextlib import asynccontextmanager, suppress

import anyio
import httpx
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream
from support.http import http, read_request
from support.sender import Sender, send

from kiwoom_async import KiwoomClient
from kiwoom_async._io.network import proxy_for

pytestmark = pytest.mark.httpx_only

API = httpx.URL("https://api.kiwoom.com")
VARIABLES = ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """Real sockets need real time."""
    return request.param


@pytest.fixture
def variables(monkeypatch):
    """Return a function that sets the environment's proxies and certificates."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def set_variables(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_variables


PROXY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxied"),
    [
        ("https://api.kiwoom.com", "", True),
        ("https://api.kiwoom.com", "fe80::/10", True),
        ("https://api.kiwoom.com", "::1/128,[::1],fd00::/8,10.0.0.0/8, 127.0.0.1", True),
        ("https://api.kiwoom.com", "other.com,kiwoom.co", True),
        ("https://api.kiwoom.com", "api.kiwoom.com:8443", True),
        ("https://api.kiwoom.com", "http://api.kiwoom.com", True),
        ("https://api.kiwoom.com", "*", False),
        ("https://api.kiwoom.com", "api.kiwoom.com", False),
        ("https://api.kiwoom.com", "x, KIWOOM.com", False),
        ("https://api.kiwoom.com", ".kiwoom.com", False),
        ("https://kiwoom.com", ".kiwoom.com", True),
        ("https://api.kiwoom.com", "*.kiwoom.com", False),
        ("https://api.kiwoom.com", "api.kiwoom.com:443", False),
        ("https://notkiwoom.com", "kiwoom.com", True),
        ("https://[fe80::1]:8443", "fe80::/10", False),
        ("https://[fd00::5]", "fe80::/10", True),
        ("https://[::1]:8443", "[::1]", False),
        ("https://[::1]:8443", "::1", False),
        ("https://10.1.2.3", "10.0.0.0/8", False),
        ("https://11.1.2.3", "10.0.0.0/8", True),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(url, no_proxy, proxied, variables):
    variables(HTTPS_PROXY=PROXY, NO_PROXY=no_proxy)
    assert (proxy_for(httpx.URL(url)) is not None) == proxied


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"HTTPS_PROXY": "http://user:secret-word@host:99999"}, r"HTTPS_PROXY: got 'http://\*\*\*@host"),
        ({"HTTPS_PROXY": "http://host:port"}, "HTTPS_PROXY: got .* expected a URL such as"),
        ({"HTTPS_PROXY": "ftp://host"}, "HTTPS_PROXY: got 'ftp://host'; expected a URL of http"),
        ({"HTTPS_PROXY": "http://"}, "HTTPS_PROXY: got 'http://'; expected"),
        ({"ALL_PROXY": "http://host:port"}, "ALL_PROXY: got"),
        ({"HTTPS_PROXY": "socks5://host:1080"}, r"HTTPS_PROXY: .* pip install 'httpx\[socks\]'"),
        ({"SSL_CERT_FILE": "/no/such/file"}, "SSL_CERT_FILE: got '/no/such/file' .* PEM form"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_with_its_cure(values, message, variables, monkeypatch):
    monkeypatch.setattr("kiwoom_async._io.network.find_spec", lambda _: None)
    variables(**values)
    with pytest.raises(ValueError, match=message) as caught:
        KiwoomClient("app-key", "secret-key")
    assert "secret-word" not in str(caught.value)
    assert "unset it" in str(caught.value)
    # Neither is for this machine.
    KiwoomClient("app-key", "secret-key", base_url="http://127.0.0.1:1")


def test_an_empty_file_of_certificates_is_named(tmp_path, variables):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    variables(SSL_CERT_FILE=str(empty))
    with pytest.raises(ValueError, match=r"SSL_CERT_FILE: got .*empty\.pem"):
        KiwoomClient("app-key", "secret-key")


@asynccontextmanager
async def tunnel(authority, steps):
    """Serve a proxy that opens a tunnel to a TLS server of its own."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.example").configure_cert(context)

    async def connection(raw):
        with suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            async with raw:
                received = b""
                while b"\r\n\r\n" not in received:
                    received += await raw.receive()
                steps.append("CONNECT")
                await raw.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                stream = await TLSStream.wrap(
                    raw, ssl_context=context, server_side=True, standard_compatible=False
                )
                while True:
                    await read_request(stream)
                    steps.append("request")
                    await stream.send(http(b"{}"))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, connection)
        yield f"http://127.0.0.1:{port}"
        group.cancel_scope.cancel()


@pytest.mark.anyio
@pytest.mark.alone
async def test_requests_travel_through_the_tunnel_of_a_proxy():
    authority, steps = trustme.CA(), []
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with tunnel(authority, steps) as proxy:
        layer = httpx.AsyncHTTPTransport(verify=trusting, proxy=httpx.Proxy(proxy))
        sender = Sender("https://api.example", transport=layer)
        for _ in range(2):
            assert (await send(sender)).body == b"{}"
        await sender.aclose()
    assert steps == ["CONNECT", "request", "request"]


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:pa/ssw0rd@proxy:8080",
        "user:pa/ssw0rd@proxy:8080",
        "socks5://user:pa?ssw0rd/x@proxy:1",
        "ftp://user:ssw0rd@proxy:1",
    ],
)
def test_no_error_shows_the_password_of_a_proxy(proxy, variables):
    variables(HTTPS_PROXY=proxy)
    with pytest.raises(ValueError, match="HTTPS_PROXY: got ") as caught:
        proxy_for(API)
    assert "ssw0rd" not in str(caught.value)


def test_a_folder_of_certificates_that_is_missing_or_empty_is_named(variables, tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        variables(SSL_CERT_DIR=str(folder))
        with pytest.raises(ValueError, match="SSL_CERT_DIR: got "):
            KiwoomClient("app-key", "secret-key")
