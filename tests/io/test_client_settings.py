"""Making a client: its settings, its base URL, and from_env."""

import math

import pytest

from kiwoom_async import KiwoomClient

pytestmark = pytest.mark.anyio


def test_invalid_settings_are_refused_by_the_constructor():
    for options, message in [
        ({"environment": "mock"}, "environment: got 'mock'"),
        ({"attempts": 0}, "attempts: got 0"),
        ({"attempts": True}, "attempts: got True"),
        ({"attempts": 2.5}, r"attempts: got 2\.5"),
        ({"timeout": 0}, "timeout: got 0"),
        ({"timeout": None}, "timeout: got None"),
        ({"requests_per_second": -1}, "requests_per_second: got -1"),
        ({"requests_per_second": math.nan}, "requests_per_second: got nan"),
        ({"requests_per_second": True}, "requests_per_second: got True"),
        ({"base_url": "http://api.kiwoom.com"}, "http for loopback addresses only"),
    ]:
        with pytest.raises(ValueError, match=message):
            KiwoomClient("app-key", "secret-key", **options)


@pytest.mark.parametrize(
    "url",
    ["https://api.kiwoom.com", "https://proxy.example/kiwoom/", "http://localhost:8080",
     "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:8080"],
)  # fmt: skip
async def test_https_and_loopback_base_urls_are_accepted(url):
    async with KiwoomClient("app-key", "secret-key", base_url=url) as kiwoom:
        assert url.rstrip("/") in repr(kiwoom)


@pytest.mark.parametrize(
    "url",
    ["http://api.kiwoom.com", "http://127.0.0.1.evil.example", "http://127.0.0.1@evil.example",
     "http://evillocalhost", "http://0.0.0.0", "http://10.0.0.1", "http://localhost.evil.example", "ftp://localhost",
     "api.kiwoom.com", "", "https://", "https://user:pass@api.kiwoom.com", "https://a.example/?x=1",
     "https://a.example/#x", "https://a.example?", "https://a.example#",
     "https://a.example:0", "https://a.example:99999",
     "http://[::2]", "http://\\127.0.0.1", 5],
)  # fmt: skip
def test_other_base_urls_are_refused(url):
    with pytest.raises(ValueError, match=r"^base_url: "):
        KiwoomClient("app-key", "secret-key", base_url=url)


def test_a_password_in_a_base_url_is_not_quoted():
    with pytest.raises(ValueError, match=r"^base_url: ") as caught:
        KiwoomClient("app-key", "secret-key", base_url="https://user:hunter2@api.kiwoom.com")
    assert "hunter2" not in str(caught.value)


async def test_from_env_reads_keys_environment_and_base_url(monkeypatch):
    for name in ("KIWOOM_APP_KEY", "KIWOOM_SECRET_KEY", "KIWOOM_ENVIRONMENT", "KIWOOM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="KIWOOM_APP_KEY and KIWOOM_SECRET_KEY"):
        KiwoomClient.from_env()
    monkeypatch.setenv("KIWOOM_APP_KEY", "app-key")
    monkeypatch.setenv("KIWOOM_SECRET_KEY", "secret-key")
    async with KiwoomClient.from_env() as kiwoom:
        assert repr(kiwoom) == "<KiwoomClient https://api.kiwoom.com, 5 requests/s>"
    monkeypatch.setenv("KIWOOM_ENVIRONMENT", "Mock")
    async with KiwoomClient.from_env() as kiwoom:
        assert repr(kiwoom) == "<KiwoomClient https://mockapi.kiwoom.com, 1 requests/s>"
    monkeypatch.setenv("KIWOOM_BASE_URL", "")
    async with KiwoomClient.from_env() as kiwoom:
        assert "https://mockapi.kiwoom.com" in repr(kiwoom)
    monkeypatch.setenv("KIWOOM_BASE_URL", "http://localhost:8080")
    async with KiwoomClient.from_env(requests_per_second=3) as kiwoom:
        assert repr(kiwoom) == "<KiwoomClient http://localhost:8080, 3 requests/s>"
    monkeypatch.setenv("KIWOOM_ENVIRONMENT", "test")
    with pytest.raises(ValueError, match="KIWOOM_ENVIRONMENT: got 'test'; allowed are"):
        KiwoomClient.from_env()
