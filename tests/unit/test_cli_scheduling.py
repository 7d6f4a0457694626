"""A source is scheduled under the name by which its migration is found."""

import pytest

from apps.cli.scheduling import _place
from storage.errors import SettingsError


@pytest.mark.parametrize("told", ["s3://old-runs/team-a", "s3://old-runs/team-a/"])
def test_a_prefix_is_named_as_its_migration_is(told):
    assert _place(told) == "s3://old-runs/team-a"


def test_what_is_no_prefix_is_not_scheduled():
    with pytest.raises(SettingsError, match="names no bucket"):
        _place("http://example.com/runs")
