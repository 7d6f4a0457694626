"""Sorts the files of cua runs by kind, as the two organiser scripts do."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path


def organise_flat(runs: list[Path], to: Path, seed: int = 1) -> Path:
    """One heap: `trajectory_<class>_<n>.json` in the order of arrival, without the pictures."""
    files = sorted(file for run in runs for file in run.rglob("*.json"))
    random.Random(seed).shuffle(files)
    to.mkdir(parents=True, exist_ok=True)
    numbers: Counter[str] = Counter()
    for file in files:
        kind = "screenshot" if "call_result" in file.name else "other"
        numbers[kind] += 1
        shutil.copyfile(file, to / f"trajectory_{kind}_{numbers[kind]}.json")
    return to


def organise_grouped(runs: list[Path], to: Path) -> Path:
    """Groups: `<turn folder>_<file>`; of two files with one name the last remains."""
    for file in sorted(file for run in runs for file in run.rglob("*") if file.is_file()):
        group = "screenshots" if file.suffix == ".png" else "other"
        group = "agent_responses" if "agent_response" in file.name else group
        (to / group).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, to / group / f"{file.parent.name}_{file.name}")
    return to


def heap(to: Path, *documents: object, pictures: dict[str, bytes] | None = None) -> Path:
    """A flat folder of these documents, bytes as they are."""
    to.mkdir(parents=True, exist_ok=True)
    for number, document in enumerate(documents):
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        (to / f"trajectory_other_{number}.json").write_bytes(content)
    for name, content in (pictures or {}).items():
        (to / "screenshots").mkdir(exist_ok=True)
        (to / "screenshots" / name).write_bytes(content)
    return to
