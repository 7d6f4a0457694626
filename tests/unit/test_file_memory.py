"""What was read a moment ago is known, as long as somebody asks for it."""

import hashlib
import subprocess
import sys

import pytest

from agentruns.trajectories.file_memory import LARGEST_KEPT, MEMORY, MOST_KEPT
from agentruns.trajectories.files import Unreadable, fingerprint, read_content
from tests.unit.cua_folders import png

WORDS = b'{"status": "completed"}'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.json").write_bytes(WORDS)
    (tmp_path / "a.png").write_bytes(png(1))
    return tmp_path


def test_nothing_is_remembered_unasked(folder):
    read_content(folder, "a.json")
    (folder / "a.json").write_bytes(b"{}")
    assert read_content(folder, "a.json").data == b"{}"


def test_what_was_read_is_known_until_it_is_to_be_forgotten(folder):
    with MEMORY.remembering():
        read_content(folder, "a.json")
        (folder / "a.json").write_bytes(b"{}")
        assert read_content(folder, "a.json").data == WORDS
        assert fingerprint(folder, "a.json").sha256 == hashlib.sha256(WORDS).hexdigest()
        MEMORY.forget()
        assert read_content(folder, "a.json").data == b"{}"
    (folder / "a.json").write_bytes(WORDS)
    assert read_content(folder, "a.json").data == WORDS


def test_what_is_known_is_no_larger_than_what_is_asked_for(folder):
    with MEMORY.remembering():
        read_content(folder, "a.json")
        with pytest.raises(Unreadable, match="more than the 10 that are read"):
            read_content(folder, "a.json", 10)


def test_of_a_picture_only_its_hash_is_kept(folder):
    with MEMORY.remembering():
        read_content(folder, "a.png")
        assert MEMORY.content(folder, "a.png") is None
        printed = MEMORY.fingerprint(folder, "a.png")
    assert printed.sha256 == hashlib.sha256(png(1)).hexdigest()
    assert printed.size_bytes == len(png(1))


def test_its_memory_is_bounded(folder):
    many = MOST_KEPT // LARGEST_KEPT + 1
    with MEMORY.remembering():
        for number in range(many):
            (folder / str(number)).write_bytes(bytes(LARGEST_KEPT))
            read_content(folder, str(number))
        kept = [number for number in range(many) if MEMORY.content(folder, str(number))]
    assert len(kept) == many - 1


GROWTH = """
import re, sys
from pathlib import Path
from agentruns.trajectories.files import read_content

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

folder, kept = Path(sys.argv[1]), []
bytes(8 * 2**20)  # from now on, the C library keeps what is smaller
before = resident()
for batch in range(20):
    frames = []
    for number in range(100):
        frames.append(read_content(folder, "frame"))
        kept.extend(read_content(folder, "words") for _ in range(3))
print(resident() - before)
"""


def test_pictures_take_the_place_of_those_read_before_them(tmp_path):
    (tmp_path / "frame").write_bytes(bytes(20_000))
    (tmp_path / "words").write_bytes(bytes(600))
    told = subprocess.run(
        [sys.executable, "-c", GROWTH, tmp_path], check=True, capture_output=True, text=True
    )
    assert int(told.stdout) < 20
