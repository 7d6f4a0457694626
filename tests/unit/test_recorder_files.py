"""Screenshots and files, kept byte by byte with the digest that was taken at the source."""

import base64
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agentruns import Recorder, Run
from agentruns.models import StoredFile, Upload
from agentruns.recording.read_file import IN_MEMORY_BYTES, read_file
from agentruns.recording.uploads import Content, content_of
from tests.unit.cua_folders import png
from tests.unit.spools import records

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
JPEG = b"\xff\xd8\xff\xe0" + bytes(40) + b"\xff\xd9"
WEBP = b"RIFF" + (20).to_bytes(4, "little") + b"WEBP" + bytes(16)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Recorder("a", spool=tmp_path / "spool", deliver=False, exit_seconds=0) as recorder:
        yield recorder.start_run()


def kept(run: Run, file_id: UUID) -> tuple[StoredFile, bytes]:
    uploads = [one for one in records(run._writer._spool) if isinstance(one, Upload)]
    (upload,) = [one for one in uploads if one.file.id == file_id]
    content = Path(upload.content).read_bytes()
    assert hashlib.sha256(content).hexdigest() == upload.file.sha256
    assert len(content) == upload.file.size_bytes
    return upload.file, content


@pytest.mark.parametrize(
    ("picture", "content_type", "extension"),
    [
        (png(1), "image/png", ".png"),
        (JPEG, "image/jpeg", ".jpg"),
        (WEBP, "image/webp", ".webp"),
        (GIF, "image/gif", ".gif"),
    ],
    ids=["png", "jpeg", "webp", "gif"],
)
def test_a_picture_is_known_by_its_content(
    run: Run, picture: bytes, content_type: str, extension: str
) -> None:
    file, content = kept(run, run.screenshot(picture, step=3, name="login page"))
    assert content == picture
    assert (file.bucket, file.content_type) == ("screenshots", content_type)
    assert file.object_path == f"a/{run.task_id}/{file.sha256}{extension}"
    assert file.metadata == {"step": 3, "name": "login page"}


@pytest.mark.promise(12, by="us")
@pytest.mark.parametrize(
    ("content", "content_type", "fault"),
    [
        (b"", "text/plain; charset=utf-8", "The file is empty."),
        (png(1)[:-30], "image/png", "The picture (image/png) is cut off before its end."),
        (
            b"<html>",
            "text/plain; charset=utf-8",
            "The file is not a PNG, JPEG, GIF or WebP picture.",
        ),
    ],
    ids=["empty", "cut off", "no picture"],
)
def test_what_is_no_whole_picture_is_kept_as_a_file_that_says_why(
    run: Run, content: bytes, content_type: str, fault: str
) -> None:
    file, stored = kept(run, run.screenshot(content, step=1))
    assert stored == content
    assert (file.bucket, file.content_type) == ("binaries", content_type)
    assert file.metadata == {"step": 1, "fault": fault}


@pytest.mark.parametrize("as_path", [Path, str])
def test_a_path_is_read_and_gives_the_name(
    run: Run, tmp_path: Path, as_path: type[Path] | type[str]
) -> None:
    picture = tmp_path / "after login.png"
    picture.write_bytes(png(2))
    (tmp_path / "link.png").symlink_to(picture)
    file, content = kept(run, run.screenshot(as_path(tmp_path / "link.png")))
    assert content == png(2)
    assert file.bucket == "screenshots"
    assert file.metadata["name"] == "link.png"
    assert "modified_at" in file.metadata


def test_every_call_has_a_row_of_its_own_and_equal_frames_one_object(run: Run) -> None:
    first, second = run.screenshot(png(1), step=1), run.screenshot(png(1), step=2)
    assert first != second
    assert kept(run, first)[0].object_path == kept(run, second)[0].object_path
    assert len(list(run._writer._spool.folder.rglob("*.png"))) == 1


def test_buffers_are_as_good_as_bytes(run: Run) -> None:
    for buffer in (bytearray(png(1)), memoryview(png(1))):
        assert kept(run, run.screenshot(buffer))[1] == png(1)


def test_a_file_is_kept_with_its_name_and_type(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.7 and more")
    file, _ = kept(run, run.file(report, pages=2))
    assert (file.bucket, file.content_type) == ("binaries", "application/pdf")
    assert file.object_path.endswith(".pdf")
    assert (file.metadata["name"], file.metadata["pages"]) == ("report.pdf", 2)


def test_a_file_may_be_called_otherwise(run: Run) -> None:
    file, _ = kept(run, run.file(b"a,b\n1,2\n", content_type="text/csv", name="table.csv"))
    assert (file.content_type, file.metadata) == ("text/csv", {"name": "table.csv"})
    assert file.object_path.endswith(".csv")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\nb", "\u202egnp.exe", "x" * 300 + ".txt", "no\udcffutf8.md"]
)
def test_no_name_gets_into_the_way_of_an_object(run: Run, name: str) -> None:
    file, content = kept(run, run.file(b"text", name=name))
    assert content == b"text"
    assert file.object_path.startswith(f"a/{run.task_id}/{file.sha256}")


def test_a_large_file_is_copied_without_being_held_in_memory(run: Run, tmp_path: Path) -> None:
    large = tmp_path / "video.mp4"
    large.write_bytes(b"\0\0\0\x20ftypisom" + os.urandom(IN_MEMORY_BYTES))
    file, content = kept(run, run.file(large))
    assert content == large.read_bytes()
    assert file.content_type == "video/mp4"


def test_a_large_file_that_changes_meanwhile_is_read_again(run: Run, tmp_path: Path) -> None:
    growing = tmp_path / "video.webm"
    growing.write_bytes(bytes(IN_MEMORY_BYTES + 1))
    stop = threading.Event()

    def grow() -> None:
        with growing.open("ab") as file:
            while not stop.wait(0.001):
                file.write(b"more")
                file.flush()

    writing = threading.Thread(target=grow)
    writing.start()
    threading.Timer(0.2, stop.set).start()
    file, content = kept(run, run.file(growing))
    writing.join()
    assert content == growing.read_bytes()[: file.size_bytes]


def test_a_large_file_has_the_size_of_what_was_read_although_it_has_grown_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = tmp_path / "video.webm"
    growing.write_bytes(bytes(IN_MEMORY_BYTES + 1))
    fstat = os.fstat

    def grow(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        with growing.open("ab") as file:
            file.write(b"more")
        return status

    monkeypatch.setattr("agentruns.recording.read_file.os.fstat", grow)
    read = read_file(growing)
    monkeypatch.undo()
    content = growing.read_bytes()[: read.size]
    assert read.sha256 == hashlib.sha256(content).hexdigest()


def test_a_file_that_never_stops_changing_is_refused_with_the_reason(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = tmp_path / "video.webm"
    changing.write_bytes(bytes(IN_MEMORY_BYTES + 1))

    def read_and_change(*given: Any) -> Content:
        content = content_of(*given)
        with changing.open("r+b") as file:
            file.write(os.urandom(16))
        return content

    monkeypatch.setattr("agentruns.recording.event_writer.PAUSE_SECONDS", 0)
    monkeypatch.setattr("agentruns.recording.event_writer.content_of", read_and_change)
    with pytest.raises(ValueError, match="changed while it was read"):
        run.file(changing)


def test_what_is_cut_from_the_text_of_a_file_is_nothing(run: Run) -> None:
    content = b"password=tr0ub4dor\0\xff"
    assert kept(run, run.file(content))[1] == content
