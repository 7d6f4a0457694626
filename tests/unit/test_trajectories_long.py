import shutil
import tracemalloc

import pytest

from agentruns.models import ProgressUpdate
from agentruns.trajectories import CuaReader
from tests.unit.cua_folders import CuaFolder, png

STEPS = 5_000
PICTURE = png(1, noise=12_500)


def write_run(root, steps):
    """A run whose pictures are hard links to one file, so that the disk stays small."""
    folder = CuaFolder(root / str(steps)).start()
    picture = root / "picture.png"
    picture.write_bytes(PICTURE)
    for step in range(steps):
        folder.history = folder.history[:1]  # real histories grow; their reading is bounded too
        folder.act({"type": "click", "x": step, "y": 2}, picture=False)
        turn = folder.path / f"turn_{folder.turn - 1:03d}"
        (turn / f"{folder.number:04d}_screenshot_after.png").hardlink_to(picture)
        folder.number += 1
    return folder.end()


def read_and_measure(folder):
    tracemalloc.start()
    try:
        records = (r for r in CuaReader().read(folder.path, "a1") if isinstance(r, ProgressUpdate))
        steps = sum(record.data["kind"] == "action" for record in records)
        return steps, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_stays_flat_however_long_the_run(tmp_path):
    assert len(PICTURE) > 50_000
    short, long = (read_and_measure(write_run(tmp_path, steps)) for steps in (STEPS // 10, STEPS))
    shutil.rmtree(tmp_path)
    assert (short[0], long[0]) == (STEPS // 10, STEPS)
    # All pictures of the long run are 250 MB; what grows are the names of its files.
    assert long[1] - short[1] < 20_000_000
