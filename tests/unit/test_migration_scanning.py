"""Listing a source goes on, whatever becomes of its folders meanwhile and however deep they are."""

import os
import shutil
from pathlib import Path

import pytest

from storage.migration.scanning import scan


def test_a_folder_that_vanishes_while_others_are_listed_is_told(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    listing = scan(tmp_path)
    first = next(listing)
    other = tmp_path / ("a" if first.folder == b"b" else "b")
    shutil.rmtree(other)
    (second,) = listing
    assert (first.reason, second.path) == (None, os.fsencode(other.name))
    assert "vanished" in second.reason


def test_a_source_that_vanishes_is_not_an_empty_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(scan(tmp_path / "gone"))


def test_a_folder_too_deep_to_be_opened_is_told(tmp_path, monkeypatch):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").touch()
    monkeypatch.chdir(tmp_path / "source")
    for _ in range(20):
        Path("x" * 250).mkdir()
        os.chdir("x" * 250)
    monkeypatch.chdir(tmp_path)
    found = {one.reason: one.path for one in scan(tmp_path / "source")}
    assert len(found) == 2
    assert found[None] == b"file"
    assert any(reason and "longer than this system opens" in reason for reason in found)
    shutil.rmtree(tmp_path / "source")
