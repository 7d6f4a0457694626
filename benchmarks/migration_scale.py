"""How much memory a migration takes of a worker, and how much of it is done again after a kill.

`--memory` takes trees of a tenth of the files, of all of them, and one run of many steps and
gigabytes of JSON, each in a process of its own. `--resumption` kills one with SIGKILL when nine
tenths of the items are done, has another go on, and compares that with an undisturbed one.
The servers of `agentruns up` have to run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from benchmarks.measure import tell
from benchmarks.migration import STEPS, fill, fill_long
from benchmarks.sandbox import sandbox
from storage.settings import Settings, stack_file

#: Three a step, and the metadata.
FILES_A_RUN = 3 * STEPS + 1
SHARE = 0.9


def main() -> None:
    """Print what was asked for; both when nothing was."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--files", type=int, default=100_000)
    wanted.add_argument("--steps", type=int, default=5_000, help="of the one long run")
    wanted.add_argument("--json-mb", type=int, default=2_000, help="of the one long run")
    wanted.add_argument("--memory", action="store_true")
    wanted.add_argument("--resumption", action="store_true")
    given = wanted.parse_args()
    if given.memory or not given.resumption:
        _tell_memory(given.files, given.steps, given.json_mb)
    if given.resumption or not given.memory:
        _tell_resumption(given.files)


def _tell_memory(files: int, steps: int, megabytes: int) -> None:
    peaks = []
    for amount in (files // 10, files):
        with _tree() as source:
            fill(source, amount // FILES_A_RUN)
            peaks.append(_undisturbed(source)["peak_bytes"] / 2**20)
        tell(f"migration: peak memory, {amount:,} files", peaks[-1], "MiB", most=300)
    with _tree() as source:
        fill_long(source, steps, megabytes * 1_000_000)
        peaks.append(_undisturbed(source)["peak_bytes"] / 2**20)
    what = f"migration: peak memory, {steps:,} steps, {megabytes:,} MB of JSON"
    tell(what, peaks[-1], "MiB", most=300)
    tell(
        "migration: most memory to that of the fewest files",
        max(peaks) / peaks[0],
        "times",
        most=1.2,
    )


def _tell_resumption(files: int) -> None:
    runs = files // FILES_A_RUN
    with _tree() as source:
        fill(source, runs)
        full = _undisturbed(source)["seconds"]
        with sandbox() as (stores, agent_id):
            with _child(stores.settings, source, agent_id) as child:
                done = _killed_at(child, int(SHARE * runs))
            resumed = _finished(stores.settings, source, agent_id)["seconds"]
    tell("migration: undisturbed", full, "s")
    tell("migration: done when it was killed", done / runs, "of all")
    tell("migration: going on after the kill", resumed / full, "of a run", most=0.15)


@contextmanager
def _tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="agentruns-bench-") as folder:
        yield Path(folder, "runs")


def _undisturbed(source: Path) -> dict[str, Any]:
    with sandbox() as (stores, agent_id):
        return _finished(stores.settings, source, agent_id)


def _finished(settings: Settings, source: Path, agent_id: str) -> dict[str, Any]:
    """What a process said at its end."""
    with _child(settings, source, agent_id) as child:
        lines = list(child.stdout or ())
    if child.returncode:
        raise RuntimeError(f"the migration ended with {child.returncode}")
    told: dict[str, Any] = json.loads(lines[-1])
    return told


def _killed_at(child: "subprocess.Popen[str]", items: int) -> int:
    done = 0
    for line in child.stdout or ():
        done += json.loads(line)["done"]
        if done >= items:
            break
    child.kill()
    return done


def _child(settings: Settings, source: Path, agent_id: str) -> "subprocess.Popen[str]":
    known = {name: value for name, value in dotenv_values(stack_file()).items() if value}
    own = {"POSTGRES_URL": settings.required("postgres_url"), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.migration_child", str(source), agent_id],
        env={**known, **os.environ, **own},
        stdout=subprocess.PIPE,
        text=True,
    )


if __name__ == "__main__":
    main()
