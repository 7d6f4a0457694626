"""A pickle in a folder is a file like any other: it is kept or told, and never loaded."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from agentruns.trajectories import CuaReader
from tests.unit.cua_folders import CuaFolder

pytestmark = pytest.mark.promise(13, by="us")

SCRIPT = str(Path(sys.executable).with_name("agentruns"))
NAMES = ["model.pkl", "0098_agent_response.json", "0097_screenshot_after.png", "state.npy", "x.pt"]


class Loaded:
    """Makes a file when somebody loads it."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.trace,)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "loaded"


@pytest.mark.promise(13, by="us", control=True)
def test_loading_it_would_leave_a_trace(trace: Path) -> None:
    pickle.loads(pickle.dumps(Loaded(trace)))  # noqa: S301 - the proof that the attack works
    assert trace.exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_loads_no_pickle(tmp_path: Path, trace: Path, name: str) -> None:
    folder = CuaFolder(tmp_path).start()
    folder.act({"type": "click", "x": 1, "y": 2})
    (folder.path / "turn_001" / name).write_bytes(pickle.dumps(Loaded(trace)))
    assert list(CuaReader().read(folder.path, "a1"))
    assert not trace.exists()


def test_recording_a_watched_folder_loads_no_pickle_and_follows_nothing(
    tmp_path: Path, trace: Path
) -> None:
    watched, outside = tmp_path / "watched", tmp_path / "outside.txt"
    watched.mkdir()
    outside.write_text("outside of the folder")
    loaded = tmp_path / "pickle"
    loaded.write_bytes(pickle.dumps(Loaded(trace)))
    hostile = (
        f"cp {loaded} {watched}/model.pkl; ln -s {outside} {watched}/link.txt; "
        f"ln -s / {watched}/root; mkfifo {watched}/pipe; ln -s /dev/zero {watched}/device; "
        f"printf x > {watched}/$(printf '\\377').txt; printf fine > {watched}/fine.txt"
    )
    spool = tmp_path / "spool"
    options = ["--agent", "a1", "--spool", str(spool), "--watch", str(watched), "--wait", "0"]
    # Stores that are away: what was recorded is looked at where it waits.
    done = subprocess.run(
        [SCRIPT, "record", *options, "--", "sh", "-c", hostile],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **AWAY},
    )
    assert done.returncode == 0, done.stderr
    assert not trace.exists()
    kept = b"".join(file.read_bytes() for file in spool.rglob("*") if file.is_file())
    assert b"fine.txt" in kept
    assert b"model.pkl" in kept
    assert b"outside of the folder" not in kept


AWAY = {
    "POSTGRES_URL": "postgresql://nobody:none@127.0.0.1:1/none",
    "MONGODB_URL": "mongodb://nobody:none@127.0.0.1:1/",
    "MINIO_ENDPOINT": "127.0.0.1:1",
    "MINIO_ACCESS_KEY": "nobody",
    "MINIO_SECRET_KEY": "nothing-at-all",
}
