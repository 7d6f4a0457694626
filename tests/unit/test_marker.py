"""Whom credentials are for, against what a store says of itself."""

from pathlib import Path
from uuid import uuid4

import pytest

from storage.access.credentials import rename_kept, write_credentials
from storage.errors import AccessDenied, AnotherEnvironment
from storage.marker import Guard, Marker, guard_of, told
from storage.settings import settings_from


def test_a_store_without_a_marker_is_everybodys() -> None:
    Guard("dev", uuid4()).check("MongoDB", None)


def test_the_same_environment_is_let_in_whatever_its_installation() -> None:
    Guard("dev").check("MongoDB", Marker(environment="dev", installation=uuid4()))


def test_another_environment_is_refused_with_both_names_and_what_to_do() -> None:
    marker = Marker(environment="prod", installation=uuid4())
    words = r"^MongoDB .*'prod'.*'dev'.*AGENTRUNS_ENVIRONMENT=prod.*agentruns environment show"
    with pytest.raises(AnotherEnvironment, match=words) as refused:
        Guard("dev").check("MongoDB", marker)
    assert isinstance(refused.value, AccessDenied)


def test_a_key_of_one_installation_is_refused_by_another_of_the_same_environment() -> None:
    made_for, found = uuid4(), Marker(environment="dev", installation=uuid4())
    guard = guard_of(settings_from({"AGENTRUNS_INSTALLATION": str(made_for)}))
    with pytest.raises(AnotherEnvironment, match=f"{found.installation}.*{made_for}"):
        guard.check("MinIO", found)
    guard.check("MinIO", found.model_copy(update={"installation": made_for}))


@pytest.mark.parametrize(
    "values", [None, {}, [], {"environment": "dev"}, {"environment": "P\n", "installation": "x"}]
)
def test_what_is_no_marker_is_refused_and_never_taken_for_none(values: object) -> None:
    with pytest.raises(AnotherEnvironment, match="environment set NAME --yes"):
        told("MinIO", values)


def test_only_the_keys_of_a_renamed_installation_follow(tmp_path: Path) -> None:
    ours, theirs = uuid4(), uuid4()
    for name, installation in {"a": ours, "b": theirs}.items():
        told_to = {"AGENTRUNS_ENVIRONMENT": "dev", "AGENTRUNS_INSTALLATION": str(installation)}
        write_credentials(tmp_path / f"{name}.env", {"POSTGRES_URL": "p$x#y", **told_to})
    write_credentials(tmp_path / "old.env", {"AGENTRUNS_ENVIRONMENT": "dev"})

    assert rename_kept(ours, "staging", tmp_path) == ["a"]

    assert "AGENTRUNS_ENVIRONMENT=staging\n" in (tmp_path / "a.env").read_text()
    assert "POSTGRES_URL=p$x#y\n" in (tmp_path / "a.env").read_text()
    assert "AGENTRUNS_ENVIRONMENT=dev\n" in (tmp_path / "b.env").read_text()
    assert (tmp_path / "a.env").stat().st_mode & 0o777 == 0o600
