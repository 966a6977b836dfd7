"""The sandbox on a real socket."""

import re
import socket
import sys

import httpx
import pytest
import uvicorn
from support.bare_client import CREDENTIALS, QUERY
from support.servers import on_a_port

from kiwoom_async.sandbox import Fault, Sandbox, serve


@pytest.fixture
def base_url():
    sandbox = Sandbox(faults=[Fault("disconnect", call=2)], requests_per_second=None)
    with on_a_port(sandbox) as base_url:
        yield base_url


def test_on_a_port_other_clients_are_served_and_a_disconnect_breaks_their_connection(base_url):
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        token = client.post("/oauth2/token", json=CREDENTIALS).json()["token"]
        headers = {"api-id": "ka90004", "authorization": f"Bearer {token}"}

        def request_page():
            return client.post(
                "/api/dostk/stkinfo", json=QUERY | {"dt": "20250901"}, headers=headers
            )

        first = request_page()
        assert (first.json()["return_code"], first.headers["cont-yn"]) == (0, "Y")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            request_page()
        assert request_page().json() == first.json()


def test_serve_reports_its_base_url_once_the_port_is_bound(monkeypatch):
    served, ready = [], []
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, **_: served.append(server.config.app))
    sandbox = Sandbox()
    serve(sandbox, port=0, ready=ready.append)
    assert served == [sandbox]
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9][0-9]*", ready[0])


def test_serve_raises_for_a_port_in_use_and_reports_no_base_url():
    ready = []
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(Sandbox(), port=taken.getsockname()[1], ready=ready.append)
    assert ready == []


def test_without_uvicorn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"pip install 'kiwoom-async\[sandbox\]'"):
        serve(Sandbox())
