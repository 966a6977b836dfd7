"""Kill `archive fetch` at random moments, fetch the rest, and compare with an undisturbed archive.

By hand: `PYTHONPATH=tests python tests/archive/kill_archive.py --kills 200 --seed 1`. The tests do
three kills.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.servers import on_a_port

from kiwoom_async.archive import Archive, State
from kiwoom_async.sandbox import Sandbox

DAYS = ("--from", "2026-11-02", "--to", "2026-11-13")
# Requests a second. A process needs about a second for its imports; at this pace the whole fetch
# takes about six.
KILLED_PACE = 60
UNDISTURBED_PACE = 1000


def fetch_command(folder, pace):
    """Return the command that a user would type."""
    days = [*DAYS, "--exchange", "KRX", "--exchange", "CONSOLIDATED", "--pace", str(pace)]
    return [sys.executable, "-m", "kiwoom_async", "archive", "fetch", str(folder), *days]


def environment(base_url):
    keys = {"KIWOOM_APP_KEY": "kill-app-key", "KIWOOM_SECRET_KEY": "kill-secret-key"}
    return os.environ | keys | {"KIWOOM_BASE_URL": base_url}


def kill_fetch(folder, env, after_seconds):
    """Run a fetch and kill it; return False if it had already ended."""
    process = subprocess.Popen(  # noqa: S603
        fetch_command(folder, KILLED_PACE),
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(after_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    assert process.returncode == 0
    return False


def complete_fetch(folder, env):
    """Run a fetch to its end."""
    command = fetch_command(folder, UNDISTURBED_PACE)
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=120)  # noqa: S603


def read_files(folder):
    """Return the bytes of every file of the data set, by its relative path."""
    data = Archive(folder).dataset
    return {path.relative_to(data): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def check_after_kill(folder):
    """Assert that every complete walk can be read and no file is damaged."""
    archive = Archive(folder)
    if not (archive.path / "manifest.sqlite").exists():
        return
    for entry in archive.entries():
        if entry.state is State.COMPLETE:
            assert len(archive.read(entry.query)) == entry.rows
    # A kill between the rename of a file and the write of its entry leaves one unknown file.
    damaged = [finding for finding in archive.verify() if finding.damaged]
    assert len(damaged) <= 1, damaged
    text = "is not in the manifest; fetch collects it again"
    assert all(finding.text == text for finding in damaged), damaged


def check_complete(folder, expected_files):
    """Assert that the archive equals the undisturbed one, and that nothing is left over."""
    assert read_files(folder) == expected_files
    assert Archive(folder).verify() == []
    assert [*(folder / "partial").iterdir(), *(folder / "processes").iterdir()] == []


def kill_and_resume(kills, seed, folder):
    """Kill so many fetches, over as many archives as that takes.

    Returns the kills, the archives, and the files of each archive, as counts.
    """
    random_moments = random.Random(seed)
    done = archives = 0
    sandbox = Sandbox(
        requests_per_second=None, latency_seconds=0, kospi_stocks=250, kosdaq_stocks=150
    )
    with on_a_port(sandbox) as base_url:
        env = environment(base_url)
        complete_fetch(folder / "undisturbed", env)
        undisturbed = read_files(folder / "undisturbed")
        while done < kills:
            archive = folder / f"killed-{archives}"
            archives += 1
            while done < kills and kill_fetch(archive, env, random_moments.uniform(0.3, 2.5)):
                done += 1
                check_after_kill(archive)
            complete_fetch(archive, env)
            check_complete(archive, undisturbed)
    return done, archives, len(undisturbed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        kills, archives, files = kill_and_resume(arguments.kills, arguments.seed, Path(folder))
    seconds = time.monotonic() - began
    equal = f"{archives} archives of {files} files each, all byte-equal"
    print(f"{kills} kills over {equal}: {seconds:.0f} s")


if __name__ == "__main__":
    main()
