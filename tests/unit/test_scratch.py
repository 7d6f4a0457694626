"""Scratch folders: private, and gone with their process, however it ended."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from storage.errors import SettingsError
from storage.migration.scratch import check_room, scratch

HOLDING = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from storage.migration.scratch import scratch
with scratch() as folder:
    (folder / "x").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_goes_with_the_next_start_and_no_living_one_loses_its_own(place):
    command = [sys.executable, "-c", HOLDING, str(place)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        left = Path(process.stdout.readline().strip())
        with scratch() as folder:
            assert (left / "x").exists()
            assert folder.stat().st_mode & 0o777 == 0o700
            assert folder.parent.stat().st_mode & 0o777 == 0o700
        assert not folder.exists()
        process.kill()
    with scratch():
        assert not left.exists()


def test_a_scratch_folder_that_others_can_enter_is_refused(place):
    base = place / f"agentruns-scratch-{os.geteuid()}"
    base.mkdir()
    base.chmod(0o755)
    with pytest.raises(SettingsError, match="TMPDIR"), scratch():
        pass


def test_a_scratch_folder_that_is_a_link_is_refused(place):
    (place / "elsewhere").mkdir(mode=0o700)
    (place / f"agentruns-scratch-{os.geteuid()}").symlink_to(place / "elsewhere")
    with pytest.raises(SettingsError, match="TMPDIR"), scratch():
        pass


def test_what_the_disk_cannot_hold_is_refused_before_it_is_full():
    with scratch() as folder:
        check_room(folder, 1)
        with pytest.raises(SettingsError, match="TMPDIR"):
            check_room(folder, 2**60)
