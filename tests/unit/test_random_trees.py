"""Whatever is wrong in a tree of runs: no reader fails, and no file is left out of the account."""

import random
import shutil
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentruns.models import Upload
from agentruns.trajectories import Problem, all_readers
from storage.migration.scanning import members, scan
from tests.random_trees import damage, plant


def test_each_format_is_found_in_a_tree_that_is_whole(tmp_path: Path) -> None:
    found = {member.format for member in members(plant(tmp_path))}
    assert found == {reader.name for reader in all_readers()}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.randoms(use_true_random=False), st.integers(1, 25))
def test_no_damage_stops_a_reader_or_loses_a_file(
    tmp_path: Path, chance: random.Random, times: int
) -> None:
    root = tmp_path / "runs"
    shutil.rmtree(root, ignore_errors=True)
    damage(plant(root), chance, times)
    listed = [Path(str(one.path, "utf-8")) for one in scan(root)]
    there = {path.relative_to(root) for path in root.rglob("*") if not _is_folder(path)}
    assert sorted(listed) == sorted(there)
    items = {(member.item_path, member.format) for member in members(root)}
    assert {Path(str(member.path, "utf-8")) for member in members(root)} <= there
    readers = {reader.name: reader for reader in all_readers()}
    for path, name in sorted(items):
        item = root / str(path, "utf-8")
        records = list(readers[name].read(item, "a1"))
        assert records == list(readers[name].read(item, "a1"))
        ids = [_id(record) for record in records if not isinstance(record, Problem)]
        assert len(ids) == len(set(ids))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _id(record: object) -> object:
    return record.file.id if isinstance(record, Upload) else record.id  # type: ignore[attr-defined]
