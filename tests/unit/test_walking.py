"""Every path below a folder."""

import os
from pathlib import Path

import pytest

from agentruns.trajectories.walking import walk


def test_everything_below_is_given_once_and_in_order(tmp_path):
    for name in ("b/2.json", "b/1.json", "a.png", "c/d/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in walk(tmp_path)]
    assert found == ["a.png", "b/1.json", "b/2.json", "c/d/e.txt"]


@pytest.mark.promise(13, by="us")
def test_links_and_pipes_are_given_and_not_followed(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert {path.name for path in walk(tmp_path)} == {"round", "pipe"}


@pytest.mark.promise(13, by="us")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_listed_is_given_itself(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert list(walk(tmp_path)) == [tmp_path / "closed"]


@pytest.mark.promise(13, by="us")
def test_names_that_are_no_utf8_are_given(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.json")).touch()
    assert [os.fsencode(path.name) for path in walk(tmp_path)] == [b"\xff.json"]
