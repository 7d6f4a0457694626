"""Trees of runs in every format, damaged at random."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.bad_runs import run
from tests.unit.foreign_runs import atif, browser_use, browsergym, osworld, osworld_line
from tests.unit.organisers import organise_flat
from tests.unit.test_trajectories_cua_do import turn
from tests.unit.test_trajectories_cua_experiment import Experiment

_ODD: tuple[Any, ...] = (None, True, -1, 2**70, 1e308, "", "\0", "../x", [], {}, [[{}]], "x" * 999)
_WORDS = (b"", b"{", b"[1, 2", b"null", b"\xff\xfe\x00", b"<html>", b'{"a":' * 2000, b"NaN")


def plant(root: Path) -> Path:
    """One run in each format, and what lies beside them."""
    run(root / "cua", "one")
    run(root / "cua", "two")
    organise_flat([root / "cua" / "one", root / "cua" / "two"], root / "organized")
    osworld(root / "osworld", [osworld_line(step) for step in range(2)])
    browser_use(root / "browser use")
    browsergym(root / "browsergym")
    atif(root / "atif")
    for number in (1, 2):
        turn(root / "vm" / "20260801-140000", number, {"type": "click", "x": 1, "y": number})
    Experiment(root / "experiment").act({"type": "click", "x": 1, "y": 2})
    (root / "notes.txt").write_text("What we did in May.\n")
    return root


def damage(root: Path, chance: random.Random, times: int) -> None:
    """Do something to some of the files."""
    for _ in range(times):
        files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
        if files:
            chance.choice(_DAMAGES)(chance.choice(files), chance)


def _cut(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randint(0, len(content))])


def _change(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes() or b"x")
    content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)


def _replace(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.choice(_WORDS))


def _spoil(path: Path, chance: random.Random) -> None:
    """Put an odd value somewhere into its JSON."""
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    path.write_text(json.dumps(_spoiled(document, chance)))


def _spoiled(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.2 or not isinstance(value, (dict, list)) or not value:
        return chance.choice(_ODD)
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = chance.choice(keys)
    value[key] = _spoiled(value[key], chance)
    return value


def _remove(path: Path, _: random.Random) -> None:
    path.unlink()


def _move(path: Path, chance: random.Random) -> None:
    """Somewhere else, maybe over another file."""
    others = [each for each in path.parents[1].rglob("*") if each.is_dir()]
    target = chance.choice(others or [path.parent]) / path.name
    if not target.is_dir():
        path.rename(target)


def _copy(path: Path, chance: random.Random) -> None:
    """Its whole folder once more."""
    target = path.parent.with_name(f"{path.parent.name} {chance.randrange(99)}")
    if not target.exists():
        shutil.copytree(path.parent, target, symlinks=True)


def _link(path: Path, _: random.Random) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


_DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    _cut, _change, _replace, _spoil, _spoil, _spoil, _remove, _move, _copy, _link,
)  # fmt: skip
