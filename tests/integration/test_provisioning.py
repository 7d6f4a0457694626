"""Agents let into the three stores and shut out again, on real servers with their own keys."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from agentruns.models import AgentTask, LogEntry, ProgressUpdate, utcnow
from storage.access import AgentKey, Provisioning
from storage.access.credentials import (
    credentials_file,
    environment_of,
    write_credentials,
    write_manifest,
)
from storage.access.postgres import PostgresAccess
from storage.errors import AccessDenied, RecordNotFound, StorageError, StoreUnavailable
from storage.settings import Settings, settings_from
from storage.stores import Stores
from tests.integration.test_writer import upload
from tests.own_spool import wait_until

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def access(settings: Settings) -> Iterator[Provisioning]:
    with Provisioning(settings) as access:
        yield access


def as_agent(key: AgentKey, settings: Settings) -> Settings:
    """The settings of a process that has this key and nothing else."""
    return settings_from(environment_of(key, settings))


def records_of(agent_id: str) -> list[AgentTask | LogEntry | ProgressUpdate]:
    task = AgentTask(agent_id=agent_id, title="a task", status="in_progress")
    about = {"agent_id": agent_id, "task_id": task.id}
    return [task, LogEntry(**about, message="said"), ProgressUpdate(**about, step=1)]


def writes(key: AgentKey, settings: Settings) -> bool:
    """Whether the key opens all three stores; raises what a store has to say."""
    records = records_of(key.agent_id)
    task = records[0]
    assert isinstance(task, AgentTask)
    with closing(Stores(as_agent(key, settings))) as stores:
        written = stores.writer.write([*records, upload(task, PNG + key.key_id.encode())])
        assert written.rejected == ()
        return written.files == 1


def refusing(key: AgentKey, settings: Settings) -> list[str]:
    """The stores that let this key in no more."""
    own = as_agent(key, settings)
    task = AgentTask(agent_id=key.agent_id, title="late", status="in_progress")
    entry = LogEntry(agent_id=key.agent_id, message="late")
    with closing(Stores(own)) as stores:
        attempts: dict[str, Callable[[], object]] = {
            "postgres": lambda: stores.postgres.store_rows(tasks=[task]),
            "mongodb": lambda: stores.mongo.store_logs(key.agent_id, [entry]),
            "minio": lambda: stores.minio.put(upload(task, PNG)),
        }
        return [name for name, attempt in attempts.items() if _is_refused(attempt)]


def _answers(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except AccessDenied:
        return True
    return False


def added(access: Provisioning, agent_id: str, **options: bool) -> AgentKey:
    key = access.add(agent_id, **options)
    assert key is not None
    return key


EVERYWHERE = ["postgres", "mongodb", "minio"]


def test_an_agent_that_was_let_in_writes_into_all_three_stores(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = added(access, agent_id)

    assert writes(key, settings)
    (known,) = access.agent(agent_id).keys
    assert (known.key_id, known.state(utcnow())) == (key.key_id, "valid")


def test_an_append_only_agent_writes_as_well(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = added(access, agent_id, append_only=True)

    assert writes(key, settings)
    assert access.agent(agent_id).append_only


def test_where_it_is_set_agents_are_append_only_by_default(
    settings: Settings, agent_id: str
) -> None:
    with Provisioning(settings.model_copy(update={"agentruns_append_only": True})) as access:
        key = added(access, agent_id)
        assert access.agent(agent_id).append_only
    assert writes(key, settings)


def test_adding_an_agent_twice_leaves_its_key_alone(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = added(access, agent_id)

    assert access.add(agent_id) is None

    assert writes(key, settings)
    assert len(access.agent(agent_id).keys) == 1


@pytest.mark.parametrize("away", ["mongodb_url", "minio_endpoint"])
def test_what_was_cut_off_when_a_store_was_away_is_finished_by_the_next_try(
    access: Provisioning, settings: Settings, agent_id: str, away: str
) -> None:
    nowhere = {
        "mongodb_url": {"mongodb_url": "mongodb://u:p@127.0.0.1:9"},
        "minio_endpoint": {"minio_endpoint": "127.0.0.1:9"},
    }
    told = settings.model_dump() | nowhere[away]
    broken = Settings.model_validate({name: told[name] for name in told if told[name] is not None})
    with Provisioning(broken) as cut, pytest.raises(StoreUnavailable):
        cut.add(agent_id)
    (begun,) = access.agent(agent_id).keys
    assert begun.state(utcnow()) == "begun"

    key = added(access, agent_id)

    assert key.key_id == begun.key_id
    assert writes(key, settings)


def test_after_a_rotation_both_keys_work_until_the_old_one_is_over(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    old = added(access, agent_id)

    new = access.rotate(agent_id, timedelta(hours=1))

    assert writes(old, settings)
    assert writes(new, settings)
    assert access.retire() == []
    assert old.key_id in access.retire(utcnow() + timedelta(hours=2))
    assert refusing(old, settings) == EVERYWHERE
    assert writes(new, settings)


def test_a_rotation_without_grace_ends_the_old_key_at_once(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    old = added(access, agent_id)

    new = access.rotate(agent_id, timedelta())

    assert refusing(old, settings) == EVERYWHERE
    assert writes(new, settings)


def test_a_disabled_agent_is_refused_by_all_stores_and_its_connections_end(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = added(access, agent_id)
    url = as_agent(key, settings).required("postgres_url")
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

        assert access.disable(agent_id) == [key.key_id]

        assert wait_until(lambda: not _answers(connection), 10)
    assert refusing(key, settings) == EVERYWHERE
    with pytest.raises(AccessDenied, match=f"agentruns agents rotate {agent_id}"):
        access.add(agent_id)


def test_a_disabled_agent_comes_back_with_a_new_key_only(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    old = added(access, agent_id)
    access.disable(agent_id)

    new = access.rotate(agent_id, timedelta(hours=1))

    assert writes(new, settings)
    assert refusing(old, settings) == EVERYWHERE


def test_what_a_cut_off_disabling_left_open_is_closed_by_the_next_look(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = added(access, agent_id)
    told = settings.model_dump() | {"minio_endpoint": "127.0.0.1:9"}
    broken = Settings.model_validate({name: told[name] for name in told if told[name] is not None})
    with Provisioning(broken) as cut, pytest.raises(StoreUnavailable):
        cut.disable(agent_id)
    assert refusing(key, settings) == ["postgres", "mongodb"]

    assert key.key_id in access.retire()

    assert refusing(key, settings) == EVERYWHERE
    assert key.key_id not in access.retire()


def without(settings: Settings, **away: str) -> Settings:
    """The same settings, with stores that are away."""
    told = settings.model_dump() | away
    return Settings.model_validate({name: told[name] for name in told if told[name] is not None})


NO_MONGODB = "mongodb://u:p@127.0.0.1:9"


def test_another_rotation_does_not_prolong_a_key_that_is_ending(
    access: Provisioning, agent_id: str
) -> None:
    first = added(access, agent_id)
    access.rotate(agent_id, timedelta(hours=1))

    access.rotate(agent_id, timedelta(hours=24))

    second, ending = access.agent(agent_id).keys[1:]
    assert ending.key_id == first.key_id
    assert ending.expires_at is not None
    assert ending.expires_at < utcnow() + timedelta(hours=2)
    assert second.expires_at is not None
    assert second.expires_at > utcnow() + timedelta(hours=23)


def test_a_store_that_is_away_does_not_keep_open_the_others(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    keys = [added(access, agent_id), access.rotate(agent_id, timedelta(hours=1))]

    with (
        Provisioning(without(settings, mongodb_url=NO_MONGODB)) as cut,
        pytest.raises(StoreUnavailable),
    ):
        cut.disable(agent_id)

    for key in keys:
        assert refusing(key, settings) == ["postgres", "minio"]


def test_a_key_that_cannot_be_taken_back_keeps_back_no_other(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    keys = [added(access, f"{agent_id}-{name}") for name in "ab"]
    for key in keys:
        access.rotate(key.agent_id, timedelta(hours=1))
    lost, good = sorted(keys, key=lambda key: key.key_id)
    elsewhere = json.dumps({lost.agent_id: NO_MONGODB})
    later = utcnow() + timedelta(hours=2)

    with (
        Provisioning(without(settings, mongodb_clusters=elsewhere)) as cut,
        pytest.raises(StoreUnavailable),
    ):
        cut.retire(later)

    assert refusing(good, settings) == EVERYWHERE
    assert access.retire(later) == [lost.key_id]


def test_a_key_that_could_not_be_kept_is_replaced_by_the_next_try(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    def full(_: AgentKey) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        access.add(agent_id, keep=full)
    kept: list[AgentKey] = []

    key = access.add(agent_id, keep=kept.append)

    assert [key] == kept
    assert writes(kept[0], settings)


def test_a_rotation_whose_key_could_not_be_kept_leaves_the_old_one(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    old = added(access, agent_id)

    def full(_: AgentKey) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        access.rotate(agent_id, timedelta(), full)

    assert writes(old, settings)


def test_who_finishes_an_append_only_agent_leaves_it_append_only(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    with (
        Provisioning(without(settings, minio_endpoint="127.0.0.1:9")) as cut,
        pytest.raises(StoreUnavailable),
    ):
        cut.add(agent_id, append_only=True)

    added(access, agent_id)  # as a delivery does

    assert access.agent(agent_id).append_only


def test_who_has_a_key_with_more_rights_is_not_said_to_be_append_only(
    access: Provisioning, agent_id: str
) -> None:
    added(access, agent_id)
    with pytest.raises(AccessDenied, match="may change and delete"):
        access.add(agent_id, append_only=True)


def test_many_who_let_in_one_agent_at_the_same_time_make_one_key(
    settings: Settings, agent_id: str
) -> None:
    kept: list[AgentKey] = []

    def let_in() -> AgentKey | None:
        with Provisioning(settings) as access:
            return access.add(agent_id, keep=kept.append)

    with ThreadPoolExecutor(3) as pool:
        keys = [each.result() for each in [pool.submit(let_in) for _ in range(3)]]

    assert list(filter(None, keys)) == kept
    assert len(kept) == 1
    assert writes(kept[0], settings)


def test_an_agent_disabled_while_it_is_let_in_is_out_everywhere(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    told: list[AgentKey] = []

    def disable(key: AgentKey) -> None:
        told.append(key)
        PostgresAccess(settings.required("postgres_url")).disable(agent_id)
        # Whoever looks now thinks that nothing is left of the key.
        PostgresAccess(settings.required("postgres_url")).retire(key.key_id)

    with pytest.raises(AccessDenied, match="disabled while"):
        access.add(agent_id, keep=disable)

    assert refusing(told[0], settings) == EVERYWHERE


@pytest.mark.parametrize("bad", ["", "A", "a/b", "../a", "a" * 58, "a b", "ä"])
def test_what_is_no_agent_id_is_refused(access: Provisioning, bad: str) -> None:
    with pytest.raises(ValueError, match="agent id"):
        access.add(bad)


def test_an_unknown_agent_is_told_as_such(access: Provisioning, agent_id: str) -> None:
    for act in (access.agent, access.disable, lambda a: access.rotate(a, timedelta())):
        with pytest.raises(RecordNotFound, match=agent_id):
            act(agent_id)


def test_agents_are_listed_page_by_page(access: Provisioning, agent_id: str) -> None:
    names = [f"{agent_id}-{n}" for n in range(3)]
    for name in names:
        added(access, name)

    first = access.agents(limit=2)
    second = access.agents(limit=2, after=first.next)

    assert [agent.agent_id for agent in (*first, *second)] == names
    assert second.next is None


@pytest.mark.promise(14, by="us")
def test_no_secret_is_in_what_is_shown_of_an_agent(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = added(access, agent_id)
    secret = key.secret.get_secret_value()

    shown = f"{access.agent(agent_id)!r} {access.agents()!r} {key!r}"

    assert secret not in shown
    assert key.minio_access_key not in shown


def test_an_agent_cannot_let_others_in(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = added(access, agent_id)
    with Provisioning(as_agent(key, settings)) as own, pytest.raises(StorageError):
        own.add(f"{agent_id}-friend")
    with pytest.raises(RecordNotFound):
        access.agent(f"{agent_id}-friend")


def test_credentials_are_for_their_owner_only(
    access: Provisioning, agent_id: str, tmp_path: Path
) -> None:
    environment = access.environment_of(added(access, agent_id))
    file, manifest = credentials_file(agent_id, tmp_path / "keys"), tmp_path / "secret.json"
    write_credentials(file, environment)
    write_manifest(manifest, environment)

    for path in (file, manifest):
        assert path.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
