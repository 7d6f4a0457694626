"""What is found in watched folders while a command writes into them."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from agentruns.cleaning import Cleaner, SecretPatterns
from agentruns.commands import changes as changes_module
from agentruns.commands.left_files import upload_of
from agentruns.commands.watching import FolderWatch
from agentruns.models import AnyRecord, LogEntry, ProgressUpdate, Upload

TASK = UUID("00000000-0000-7000-8000-000000000001")
USUAL = Cleaner()
EXAMPLES = Path(__file__).parents[2] / "examples"
REPLAY = EXAMPLES / "replay.py"
RUN = EXAMPLES / "runs" / "2026-11-23_uitars157b_010146_11c0"


class Followed:
    """What a watch has given so far."""

    def __init__(
        self, *folders: Path, besides: Path | None = None, cleaner: Cleaner = USUAL
    ) -> None:
        self.watch = FolderWatch(folders, "browser-1", TASK, cleaner, besides=besides)
        self.records: list[AnyRecord] = []

    @contextmanager
    def following(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._follow, args=[ended])
        thread.start()
        time.sleep(0.3)
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def names(self) -> list[str]:
        uploads = [record for record in self.records if isinstance(record, Upload)]
        return [str(upload.file.metadata["name"]).partition("/")[2] for upload in uploads]

    def rest(self) -> list[str]:
        self.records = list(self.watch.rest())
        return self.names()

    def _follow(self, ended: threading.Event) -> None:
        for found in self.watch.follow(ended):
            self.records.extend(found)


def until(condition: Callable[[], object], seconds: float = 8) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


@pytest.fixture(params=["told", "looked for"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of noticing a change: inotify, and looking every second."""
    if request.param == "looked for":

        def missing(*_: object) -> Iterator[None]:
            raise ImportError("watchfiles")

        monkeypatch.setattr(changes_module, "_told", missing)
    return str(request.param)


def test_a_new_file_is_taken_once_it_has_stopped_changing(way: str, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("was here before")
    followed = Followed(tmp_path)
    with followed.following():
        (tmp_path / "new.txt").write_text("done at once")
        (tmp_path / "deep" / "er").mkdir(parents=True)
        with (tmp_path / "deep" / "er" / "growing.txt").open("w") as file:
            for _ in range(8):
                file.write("more\n")
                file.flush()
                time.sleep(0.3)
            assert followed.names() == ["new.txt"]
        assert until(lambda: len(followed.names()) == 2)
        assert followed.names() == ["new.txt", "deep/er/growing.txt"]
    assert followed.rest() == []


def test_a_file_that_changes_again_is_taken_again(way: str, tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    with followed.following():
        (tmp_path / "page.txt").write_text("one")
        assert until(lambda: followed.names() == ["page.txt"])
        (tmp_path / "page.txt").write_text("two!")
        assert until(lambda: len(followed.names()) == 2)
    ids = {record.file.id for record in followed.records if isinstance(record, Upload)}
    assert len(ids) == 2


def test_what_is_named_as_unfinished_waits_for_the_end(way: str, tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    with followed.following():
        for name in ("video.part", ".hidden", "moved.tmp"):
            (tmp_path / name).write_text(name)
        time.sleep(2.5)
        (tmp_path / "moved.tmp").rename(tmp_path / "moved.txt")
        assert until(lambda: followed.names() == ["moved.txt"])
    assert followed.rest() == [".hidden", "video.part"]


def test_a_trajectory_becomes_steps_while_it_is_written(way: str, tmp_path: Path) -> None:
    folder, again = tmp_path / "folder", tmp_path / "again" / "folder"
    folder.mkdir()
    followed, at_once = Followed(folder), Followed(again)
    replay = [sys.executable, REPLAY, RUN, "--to", folder, "--delay", "0.2"]
    with followed.following(), subprocess.Popen(replay, stdout=subprocess.DEVNULL) as agent:
        assert until(lambda: any(isinstance(one, ProgressUpdate) for one in followed.records))
        assert agent.poll() is None
    given = {_identity(record): record for record in [*followed.records, *followed.watch.rest()]}
    shutil.copytree(folder, again)
    whole = {_identity(record) for record in at_once.watch.rest()}
    assert whole <= given.keys()
    # Besides what one reading of it all gives, only what its saver said about itself meanwhile.
    assert {given[extra].message for extra in given.keys() - whole} == {
        "the agent's own saver: running"
    }
    ids = [_identity(record) for record in followed.records]
    assert len(ids) == len(set(ids))


@pytest.mark.promise(13, by="us")
def test_links_and_what_they_lead_to_are_left_alone(way: str, tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.txt").write_text("not ours")
    (folder / "before").symlink_to(outside)
    followed = Followed(folder)
    with followed.following():
        (folder / "later").symlink_to(outside)
        (folder / "file").symlink_to(outside / "secret.txt")
        os.mkfifo(folder / "pipe")
        (outside / "new.txt").write_text("not ours either")
        time.sleep(2.5)
    assert followed.records == []
    assert followed.rest() == []


def test_a_file_that_was_only_touched_is_not_given_again(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    (tmp_path / "report.txt").write_text("one")
    assert followed.rest() == ["report.txt"]
    os.utime(tmp_path / "report.txt", ns=(1, 1))
    assert followed.rest() == []
    (tmp_path / "report.txt").write_text("two")
    assert followed.rest() == ["report.txt"]


def test_no_name_and_no_trajectory_brings_a_secret_along(tmp_path: Path) -> None:
    """Neither one that everybody knows nor one that only the user does."""
    cleaner = Cleaner(SecretPatterns([r"EMP-[0-9]{6}"]))
    followed = Followed(tmp_path, cleaner=cleaner)
    (tmp_path / "EMP-111111.txt").write_text("1")
    (tmp_path / "sk-abcdefghij0123456789.txt").write_text("2")
    turn = tmp_path / "EMP-333333" / "turn_000"
    turn.mkdir(parents=True)
    (turn.parent / "metadata.json").write_text('{"trajectory_id": "EMP-444444"}')
    said = '{"model": "m", "response": {"output": [{"type": "message", "content": "EMP-555555"}]}}'
    (turn / "0000_agent_response.json").write_text(said)
    (turn / "0001_EMP-666666.png").write_bytes(b"\x89PNG\r\n\x1a\n 1 IEND\xaeB`\x82")
    followed.rest()
    told = "\n".join(
        (record.file if isinstance(record, Upload) else record).model_dump_json()
        for record in [*followed.records, followed.watch.warning(turn, "so")]
    )
    assert "[redacted]" in told
    assert "EMP-" not in told
    assert "sk-abc" not in told


@pytest.mark.promise(13, by="us")
def test_a_folder_that_became_a_link_leads_nowhere(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "inner").mkdir(parents=True)
    outside.mkdir()
    (outside / "page.txt").write_text("not ours")
    (folder / "inner").rmdir()
    (folder / "inner").symlink_to(outside)
    with pytest.raises(OSError, match="a link leads there"):
        upload_of(folder / "inner" / "page.txt", Path("folder/page.txt"), "browser-1", TASK, USUAL)


def test_a_folder_that_appears_or_is_replaced_is_followed(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    followed = Followed(folder)
    with followed.following():
        folder.mkdir()
        (folder / "one.txt").write_text("1")
        assert until(lambda: followed.names() == ["one.txt"])
    replaced = Followed(folder)
    with replaced.following():
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "two.txt").write_text("2")
        assert until(lambda: replaced.names() == ["two.txt"])


def test_the_spool_does_not_record_itself(way: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    followed = Followed(tmp_path, besides=spool)
    with followed.following():
        spool.mkdir()
        (spool / "events.db").write_text("growing")
        (tmp_path / "seen.txt").write_text("seen")
        assert until(lambda: followed.names() == ["seen.txt"])
        time.sleep(1.5)
    assert followed.names() == ["seen.txt"]
    assert followed.rest() == []


def test_a_folder_that_never_was_is_told_at_the_end(tmp_path: Path) -> None:
    followed = Followed(tmp_path / "never")
    assert followed.rest() == []
    (entry,) = followed.records
    assert isinstance(entry, LogEntry)
    assert entry.message.endswith("was not recorded: the watched folder does not exist")


def _identity(record: AnyRecord) -> UUID:
    return record.file.id if isinstance(record, Upload) else record.id
