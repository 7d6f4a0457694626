"""The passwords of a home: made once, completed when we need more of them."""

import json
import stat

import pytest

from apps.stack.credentials import ADDED, Credentials, kept_credentials, read_credentials
from apps.stack.errors import StackError


def written(path, **changes):
    kept_credentials(path)
    known = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in known.items() if value}))
    return {name: value for name, value in known.items() if value}


@pytest.mark.promise(15, by="us")
def test_a_home_that_was_made_before_gets_what_it_lacks_and_keeps_the_rest(tmp_path):
    path = tmp_path / "credentials.json"
    before = written(path, **dict.fromkeys(ADDED))
    assert not before.keys() & ADDED

    kept = kept_credentials(path)

    after = json.loads(path.read_text())
    assert after.items() >= before.items()
    assert len({after[name] for name in ADDED}) == len(ADDED)
    assert kept_credentials(path) == kept == read_credentials(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "changes",
    [{"postgres_password": None}, {"something_else": "x"}],
    ids=["lacks what every home had", "has what nobody knows"],
)
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path, changes):
    path = tmp_path / "credentials.json"
    before = written(path, **changes)
    for read in (read_credentials, kept_credentials):
        with pytest.raises(StackError, match="is damaged"):
            read(path)
    assert json.loads(path.read_text()) == before


def test_a_home_that_was_never_started_has_none(tmp_path):
    assert read_credentials(tmp_path / "credentials.json") is None


@pytest.mark.promise(14, by="us")
def test_credentials_do_not_show_themselves():
    made = Credentials()
    assert made.postgres_operator_password not in repr(made)
