"""The options of SharedFiles and SharedRedis, from_url, and missing extras."""

import subprocess
import sys

import pytest
from cryptography.fernet import Fernet

from kiwoom_async.sharing import SharedFiles, from_url


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"local_share": 0}, "local_share: got 0; expected 1 request/s or more"),
        ({"local_share": 0.5}, "local_share: got 0.5; expected a whole number of requests/s"),
        ({"local_share": True}, "local_share: got True; expected a whole number"),
        ({"local_share": 2, "reserved": 1}, r"reserved: got 1; expected local_share \(2\) or more"),
        ({"wait_seconds": -1}, "wait_seconds: got -1; expected 0 or more"),
        ({"wait_seconds": float("inf")}, "wait_seconds: got inf; expected 0 or more"),
        ({"directory": 7}, "directory: got 7; expected a path"),
        ({"directory": ""}, "directory: got ''; expected a path"),
        ({"directory": "a\0b"}, "directory: got .*; expected a path"),
        ({"directory": "~nobody-of-this-name/x"}, "directory: got .*; expected a path: "),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SharedFiles(**({"directory": "here"} | options))


def test_from_url_takes_files_and_server_urls_and_shows_no_password(tmp_path, monkeypatch):
    monkeypatch.setenv("KIWOOM_SHARING_KEY", Fernet.generate_key().decode())
    assert from_url(f"files:{tmp_path}").directory == tmp_path
    assert repr(from_url("redis://:secret@localhost:1234/0")) == "SharedRedis('localhost:1234')"
    assert repr(from_url("unix:///run/redis.sock")) == "SharedRedis('/run/redis.sock')"
    for text in ("file", "files:", "http://localhost", "", "secret@localhost:6379"):
        with pytest.raises(ValueError, match=r"sharing: got .*; allowed are files, f") as caught:
            from_url(text)
        assert "secret" not in str(caught.value)
    monkeypatch.setenv("KIWOOM_SHARING_KEY", "short")
    with pytest.raises(ValueError, match=r"\(KIWOOM_SHARING_KEY\): expected 32 bytes"):
        from_url("redis://localhost")


@pytest.mark.parametrize(
    ("blocked", "extra", "code"),
    [
        ("platformdirs", "files", "SharedFiles()"),
        ("redis", "redis", "SharedRedis('redis://localhost')"),
        ("cryptography", "redis", "SharedRedis('redis://localhost', encryption_key='a')"),
    ],
)
def test_the_error_for_a_missing_extra_names_it(blocked, extra, code):
    program = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {blocked!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name}', name=name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from kiwoom_async.sharing import SharedFiles, SharedRedis\n"
        f"SharedFiles('here')\n{code}"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: S603, PLW1510
    assert f"pip install 'kiwoom-async[{extra}]'" in run.stderr.splitlines()[-1]
