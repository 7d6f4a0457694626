import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cua_folders import CuaFolder, data_url, png

ROOT = Path(__file__).parents[2]
STEPS = 1_500
PICTURE = png(1, noise=50_000)


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


READ_AND_MEASURE = """
import json, resource, sys
from pathlib import Path
from agentruns.models import ProgressUpdate
from agentruns.trajectories import CuaReader
records = (r for r in CuaReader().read(Path(sys.argv[1]), "a1") if isinstance(r, ProgressUpdate))
steps = sum(record.data["kind"] == "action" for record in records)
print(json.dumps([steps, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def read_and_measure(folder):
    """Steps read, and the most memory that a process of its own needed for it."""
    command = [sys.executable, "-c", READ_AND_MEASURE, str(folder.path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


@pytest.mark.slow
def test_memory_stays_flat_however_long_the_run(tmp_path):
    assert len(PICTURE) > 200_000
    short, long = (read_and_measure(write_run(tmp_path, steps)) for steps in (STEPS // 10, STEPS))
    shutil.rmtree(tmp_path)
    assert (short[0], long[0]) == (STEPS // 10, STEPS)
    # The pictures of the long run are 300 MB; what grows are the names of its files.
    assert long[1] - short[1] < 25_000_000


READ_HISTORY_AND_MEASURE = """
import json, resource, sys
from pathlib import Path
from agentruns.models import Upload
from agentruns.trajectories import BrowserUseReader
uploads = sum(isinstance(r, Upload) for r in BrowserUseReader().read(Path(sys.argv[1]), "a1"))
print(json.dumps([uploads, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]))
"""


def write_history(root, steps):
    """One JSON file with a picture in each step."""
    item = root / f"{steps}.json"
    with item.open("w") as file:
        file.write('{"history": [')
        for step in range(steps):
            state = {"url": "u", "screenshot": data_url(png(step, noise=100_000))}
            file.write("," * bool(step) + json.dumps({"model_output": None, "state": state}))
        file.write("]}")
    return item


@pytest.mark.slow
def test_memory_stays_flat_however_large_one_json_file_is(tmp_path):
    items = [write_history(tmp_path, steps) for steps in (5, 200)]
    commands = [[sys.executable, "-c", READ_HISTORY_AND_MEASURE, str(item)] for item in items]
    outputs = [subprocess.check_output(command, cwd=ROOT, text=True) for command in commands]
    short, long = map(json.loads, outputs)
    assert (short[0], long[0]) == (5, 200)
    assert items[1].stat().st_size > 100_000_000
    assert long[1] - short[1] < 25_000_000
