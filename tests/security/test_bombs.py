"""What is small on disk and endless in memory is told, or kept as it is, and never opened."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from tests.unit.cua_folders import CuaFolder, _chunk, png

pytestmark = pytest.mark.promise(12, by="us")

ROOT = Path(__file__).parents[2]
#: Far less than each of the bombs would take, were it opened.
MOST = 150_000_000
READ = """
import json, re, sys
from pathlib import Path
from agentruns.trajectories import CuaReader, Problem
records = list(CuaReader().read(Path(sys.argv[1]), "a1"))
problems = [one.reason for one in records if isinstance(one, Problem)]
# Not ru_maxrss: that one begins with what the tests' own process has.
most = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(json.dumps([problems, int(most[1]) * 1024]))
"""


def read(folder: CuaFolder) -> tuple[list[str], int]:
    """The problems that a reader in a process of its own told, and the most memory it took."""
    command = [sys.executable, "-c", READ, str(folder.path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    problems, most = json.loads(done.stdout)
    return problems, most


@pytest.fixture
def folder(tmp_path: Path) -> CuaFolder:
    folder = CuaFolder(tmp_path).start()
    folder.act({"type": "click", "x": 412, "y": 230})
    return folder


def first(folder: CuaFolder, name: str) -> Path:
    return min(folder.path.glob(f"turn_*/*_{name}"))


def bomb(side: int) -> bytes:
    """A small PNG that is `side` x `side` pixels when it is opened."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    header = side.to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def test_a_decompression_bomb_is_told_and_never_opened(folder: CuaFolder) -> None:
    content = bomb(20_000)
    assert len(content) < 1_000_000
    first(folder, "screenshot_after.png").write_bytes(content)
    problems, most = read(folder)
    assert "400,000,000 pixels" in " ".join(problems)
    assert most < MOST


def test_half_a_picture_is_told(folder: CuaFolder) -> None:
    first(folder, "screenshot_after.png").write_bytes(png(1)[:100])
    problems, most = read(folder)
    assert "cut off" in " ".join(problems)
    assert most < MOST


@pytest.mark.parametrize("name", ["computer_call_result.json", "screenshot_after.png"])
def test_a_file_of_two_gigabytes_does_not_get_into_memory(folder: CuaFolder, name: str) -> None:
    with first(folder, name).open("r+b") as file:
        file.truncate(2 * 2**30)
    problems, most = read(folder)
    assert problems
    assert most < MOST


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_without_end_is_told(folder: CuaFolder, opening: str) -> None:
    first(folder, "computer_call_result.json").write_text(opening * 2_000_000)
    problems, most = read(folder)
    assert any("nested too deeply" in problem for problem in problems)
    assert most < MOST
