"""`kill -9` at random moments of `archive fetch`, then one clean run: is the data set the same?

By hand: `python tests/kill_archive.py --kills 200 --seed 1`. The tests do a few.
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
# A process needs about a second for its imports, and all of the work about six.
PACE = 60
UNHURT_PACE = 1000


def fetch_command(folder, pace):
    """The command that a user would type."""
    days = [*DAYS, "--exchange", "KRX", "--exchange", "CONSOLIDATED", "--pace", str(pace)]
    return [sys.executable, "-m", "kiwoom_async", "archive", "fetch", str(folder), *days]


def environment(base_url):
    keys = {"KIWOOM_APP_KEY": "kill-app-key", "KIWOOM_SECRET_KEY": "kill-secret-key"}
    return os.environ | keys | {"KIWOOM_BASE_URL": base_url}


def killed(folder, env, after_seconds):
    """Whether a fetch was still at work when it was killed."""
    process = subprocess.Popen(  # noqa: S603
        fetch_command(folder, PACE), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(after_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    assert process.returncode == 0
    return False


def run_to_the_end(folder, env):
    """Nobody kills this one, so that it need not take its time."""
    command = fetch_command(folder, UNHURT_PACE)
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=120)  # noqa: S603


def files_of(folder):
    """Every file of the data set, byte for byte."""
    data = Archive(folder).dataset
    return {path.relative_to(data): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def states_in_between(folder):
    """Whatever is there after a kill is whole: no file that cannot be read, none that is short."""
    archive = Archive(folder)
    if not (archive.path / "manifest.sqlite").exists():
        return
    for entry in archive.entries():
        if entry.state is State.COMPLETE:
            assert len(archive.read(entry.query)) == entry.rows
    # A kill between renaming a file and writing it down leaves a file that is not known yet.
    damaged = [finding for finding in archive.verify() if finding.damaged]
    assert len(damaged) <= 1, damaged
    assert all(finding.text == "is not in the manifest" for finding in damaged), damaged


def rounds(kills, seed, room):
    """Kill so many times, over as many archives as that takes; how many kills hit a fetch."""
    chance = random.Random(seed)
    hit = archives = 0
    exchange = Sandbox(
        requests_per_second=None, latency_seconds=0, kospi_stocks=250, kosdaq_stocks=150
    )
    with on_a_port(exchange) as base_url:
        env = environment(base_url)
        run_to_the_end(room / "undisturbed", env)
        undisturbed = files_of(room / "undisturbed")
        while hit < kills:
            folder = room / f"killed-{archives}"
            archives += 1
            while hit < kills and killed(folder, env, chance.uniform(0.3, 2.5)):
                hit += 1
                states_in_between(folder)
            run_to_the_end(folder, env)
            assert files_of(folder) == undisturbed
            assert Archive(folder).verify() == []
            leftovers = [*(folder / "partial").iterdir(), *(folder / "processes").iterdir()]
            assert leftovers == []
    return hit, archives, len(undisturbed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as room:
        hit, archives, files = rounds(asked.kills, asked.seed, Path(room))
    seconds = time.monotonic() - began
    kept = f"{archives} archives of {files} files each, all byte-equal"
    print(f"{hit} kills over {kept}: {seconds:.0f} s")


if __name__ == "__main__":
    main()
