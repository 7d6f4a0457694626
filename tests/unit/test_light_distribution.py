"""`pip install agentruns` without extras is enough to record, and brings nothing else along."""

import json
import re
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What only services need; importing one of them would make every agent slow and large.
HEAVY = {
    "apps", "bson", "flows", "great_expectations", "minio", "prefect", "psycopg", "pymongo",
    "pydantic_settings", "quality", "rich", "storage", "tasks",
}  # fmt: skip
AGENT = """
import json, sys
import agentruns
at_import = sorted(sys.modules)
recorder = agentruns.Recorder("browser-1", spool=sys.argv[1], exit_seconds=0)
with recorder.run("Book a flight") as run:
    run.log("opened the page", url="https://example.com")
    run.progress(25, "logged in", step=1)
    run.screenshot(b"no picture at all")
    run.remember("prefers aisle seats")
result = recorder.flush(0)
facts = [at_import, sorted(sys.modules), agentruns.__file__, result.pending, result.delivering]
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has our wheel and the packages it asks for."""
    folder = tmp_path_factory.mktemp("light")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=False)
    (packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(packages)
    locked = (ROOT / "requirements" / "agent.txt").read_text()
    for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)==", locked):
        link_package(name, packages)
    return folder / "venv" / "bin" / "python"


def link_package(name: str, packages: Path) -> None:
    """Install a package offline: by links to where this environment has it."""
    package = distribution(name)
    for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
        (packages / top).symlink_to(Path(str(package.locate_file(top))))


def test_recording_needs_and_imports_nothing_that_talks_to_a_store(
    python: Path, tmp_path: Path
) -> None:
    command = [python, "-I", "-c", AGENT, tmp_path / "spool"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    at_import, afterwards, file, pending, delivering = json.loads(ended.stdout)
    assert Path(file).is_relative_to(python.parents[1])
    assert HEAVY & {name.partition(".")[0] for name in afterwards} == set()
    assert "pydantic" not in at_import
    assert (pending, delivering) == (6, False)
    assert (
        f"run `agentruns deliver --spool {tmp_path / 'spool'}` (part of agentruns[server])"
        in ended.stderr
    )
    assert not (tmp_path / "spool" / "delivery.log").exists()


def test_the_distribution_says_that_it_is_typed(python: Path) -> None:
    assert list(python.parents[1].glob("lib/python3*/site-packages/agentruns/py.typed"))
