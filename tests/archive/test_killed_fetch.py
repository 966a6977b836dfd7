"""A fetch process that is killed a few times; `kill_archive.py` does it hundreds of times."""

import kill_archive


def test_a_killed_fetch_resumes_and_leaves_nothing_broken(tmp_path):
    kills, archives, files = kill_archive.kill_and_resume(3, seed=4, folder=tmp_path)
    assert (kills, files) == (3, 40)
    assert archives >= 1
