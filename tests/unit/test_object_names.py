"""Which names of objects can be paths, and how those that cannot are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import SettingsError
from storage.migration.object_names import (
    IS_PREFIX,
    fault_of,
    fault_of_item,
    is_unfit,
    judged,
    unfit_path,
)
from storage.migration.prefix_place import address_of
from storage.migration.staging import path_below

NAMES = st.text(st.sampled_from(["a", "b", "/", ".", "-", "\0", "\\", "ä", " "]), max_size=12)


@given(NAMES)
def test_a_name_without_a_fault_stays_below_its_folder(tmp_path_factory, name):
    root = tmp_path_factory.getbasetemp() / "root"
    if fault_of(name) is None:
        path = path_below(root, name)
        assert path.resolve().is_relative_to(root.resolve())
        assert path.relative_to(root).as_posix() == name
    else:
        with pytest.raises(ValueError, match="no path"):
            path_below(root, name)


@given(st.sets(NAMES))
def test_each_name_is_judged_once_and_no_fit_one_is_a_folder_of_another(names):
    found = list(judged(sorted(names)))
    assert sorted(one.name for one in found) == sorted(names)
    fit = {one.name for one in found if one.fault is None}
    assert not any(other.startswith(f"{name}/") for name in fit for other in fit)
    for name, fault in found:
        if fault:
            assert is_unfit(unfit_path(name))
            assert fault_of_item(unfit_path(name)) == fault


def test_a_name_that_begins_others_is_told_although_names_lie_between():
    names = ["a", "a-b", "a.txt", "a/b/c", "b", "b.", "c/d", "c/d/e"]
    assert {one.name: one.fault for one in judged(names)} == {
        **dict.fromkeys(names),
        "a": IS_PREFIX,
        "c/d": IS_PREFIX,
    }


@pytest.mark.parametrize(
    ("told", "name", "prefix"),
    [
        ("s3://old-runs/team/a", "s3://old-runs/team/a", "team/a/"),
        ("s3://old-runs/team/a//", "s3://old-runs/team/a", "team/a/"),
        ("s3://old-runs", "s3://old-runs", ""),
        ("s3://old-runs/", "s3://old-runs", ""),
        ("s3://old.runs/größe 1", "s3://old.runs/größe 1", "größe 1/"),
    ],
)
def test_a_source_has_one_name_however_it_is_written(told, name, prefix):
    address = address_of(told)
    assert (address.name, address.prefix) == (name, prefix)


@pytest.mark.parametrize(
    "told",
    ["s3://", "s3:///x", "s3://B/x", "s3://a..b/x", "s3://abc/..", "s3://abc//x", "s3://a b"],
)
def test_a_source_that_means_nothing_is_told(told):
    with pytest.raises(SettingsError):
        address_of(told)
