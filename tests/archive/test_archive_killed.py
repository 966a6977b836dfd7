"""The archive and sudden death: a few kills of a real process; `kill_archive.py` does hundreds."""

import kill_archive


def test_a_killed_fetch_leaves_nothing_broken_and_goes_on(tmp_path):
    hit, archives, files = kill_archive.rounds(3, seed=4, room=tmp_path)
    assert (hit, files) == (3, 40)
    assert archives >= 1
