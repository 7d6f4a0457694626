"""What recorded commands leave in watched folders, through to the stores."""

import sys
import threading
from pathlib import Path

import pytest

from agentruns.models import Status, new_id
from storage.stores import Stores
from tests.integration.recorded_commands import (
    EXAMPLES,
    PNG,
    RUN,
    messages_of,
    record,
    record_argv,
)
from tests.own_spool import own_spool

__all__ = ["own_spool"]  # a fixture of another file

pytestmark = pytest.mark.usefixtures("own_spool")


def replay(folder: Path, *options: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / "replay.py"), str(RUN), "--to", str(folder), *options]


def test_plain_files_become_objects(stores: Stores, agent_id: str, tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("was here before")
    code = (
        f"import os; os.chdir({str(tmp_path)!r}); open('page.txt', 'wb').write({PNG!r}); "
        "open('report.html', 'w').write('<script>'); open('.hidden.part', 'w').write('x'); "
        "os.symlink('/etc/passwd', 'link'); os.mkfifo('pipe')"
    )
    # The spool lies in this folder, too, and does not record itself.
    done = record(agent_id, code, watch=[tmp_path])
    files = stores.postgres.get_binary_files(task_id=done.task_id).items
    assert {(f.metadata["name"].partition("/")[2], f.bucket, f.content_type) for f in files} == {
        ("page.txt", "screenshots", "image/png"),
        ("report.html", "binaries", "text/plain; charset=utf-8"),
        (".hidden.part", "binaries", "text/plain; charset=utf-8"),
    }
    assert done.delivered.files == 3
    (picture,) = [file for file in files if file.bucket == "screenshots"]
    assert stores.minio.download("screenshots", picture.object_path) == PNG


def test_a_file_that_grows_is_stored_once_and_whole(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    code = (
        f"import time\nfile = open({str(watched / 'growing.bin')!r}, 'wb')\n"
        "for n in range(30):\n"
        "  file.write(b'%d' % (n % 10) * 1000); file.flush(); time.sleep(0.1)\n"
    )
    done = record(agent_id, code, watch=[watched])
    (file,) = stores.postgres.get_binary_files(task_id=done.task_id).items
    assert file.size_bytes == 30_000
    kept = stores.minio.download("binaries", file.object_path)
    assert kept == (watched / "growing.bin").read_bytes()


def test_a_large_file_is_stored_whole(stores: Stores, agent_id: str, tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    code = f"open({str(watched / 'video.bin')!r}, 'wb').write(bytes(range(256)) * 80_000)"
    done = record(agent_id, code, watch=[watched])
    (file,) = stores.postgres.get_binary_files(task_id=done.task_id).items
    assert file.size_bytes == 20_480_000
    assert stores.minio.download("binaries", file.object_path)[-256:] == bytes(range(256))


def test_a_trajectory_becomes_steps_and_screenshots(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "trajectories"
    folder.mkdir()
    done = record_argv(
        agent_id, *replay(folder, "--delay", "0"), watch=[folder, tmp_path / "never made"]
    )
    assert (done.pending, done.rejected, done.status) == (0, 0, Status.COMPLETED)
    assert done.delivered.progress > 2
    progress = stores.postgres.get_task_progress(done.task_id, limit=1000).items
    assert len(progress) == done.delivered.progress
    stored = {file.sha256 for file in stores.postgres.get_binary_files(task_id=done.task_id)}
    assert len(stored) >= len({path.read_bytes() for path in RUN.rglob("*.png")}) > 0
    messages = messages_of(stores, done)
    assert len(messages) == done.delivered.logs
    assert [m for m in messages if "was not recorded" in m] == [
        f"{tmp_path / 'never made'} was not recorded: the watched folder does not exist"
    ]


def test_an_agent_that_dies_in_the_middle_leaves_what_it_had_done(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "trajectories"
    folder.mkdir()
    done = record_argv(agent_id, *replay(folder, "--delay", "0", "--die-at", "12"), watch=[folder])
    assert (done.status, done.exit_code) == (Status.FAILED, 137)
    assert (done.pending, done.rejected) == (0, 0)
    assert done.delivered.progress > 0
    messages = messages_of(stores, done)
    assert any("was not recorded" in message for message in messages)
    assert any("killed by SIGKILL" in message for message in messages)


def test_steps_are_in_the_stores_while_the_command_runs(
    stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    folder = tmp_path / "trajectories"
    folder.mkdir()
    task_id = new_id()
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not (seen or over.wait(0.2)):
            seen.extend(filter(None, [len(stores.postgres.get_task_progress(task_id))]))

    looking = threading.Thread(target=look)
    looking.start()
    # Long enough for a delivery to start, and for the agent to be let in, on any machine.
    done = record_argv(agent_id, *replay(folder, "--delay", "0.5"), watch=[folder], task_id=task_id)
    over.set()
    looking.join()
    # Some were there before the last was written.
    assert 0 < seen[0] < done.delivered.progress
    assert len(stores.postgres.get_task_progress(task_id, limit=1000)) == done.delivered.progress
