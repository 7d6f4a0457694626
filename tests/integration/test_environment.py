"""Stores say which environment they belong to, and credentials of another one do not open them."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from minio import Minio
from pymongo import MongoClient

from agentruns.models import Bucket, LogEntry, new_id
from agentruns.spool import Spool
from apps.stack import Stack
from storage.access import AuditLog, Provisioning, keep_for
from storage.access.agent_settings import settings_of
from storage.access.credentials import credentials_file, write_credentials
from storage.access.installation import Installation
from storage.deletion import Deleting
from storage.delivery import Delivery
from storage.errors import AccessDenied, AnotherEnvironment
from storage.marker import Guard, guard_of
from storage.minio.removing import ObjectRemover
from storage.postgres import PostgresAdapter
from storage.postgres.schema import migrate
from storage.settings import Settings, settings_from, settings_in
from storage.stores import Stores
from tests.integration.deliveries import a_task, everything, records_of, stored, written
from tests.integration.test_cli import Done, agentruns

BOTH = r"'prod'.*'dev'"


@pytest.fixture(scope="module")
def prod(clean_environment: None, short_folders: Path) -> Iterator[Stack]:
    """Servers of another environment, beside those of the other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTRUNS_ENVIRONMENT", "prod")
        stack = Stack(short_folders / "prod")
        stack.up(prefect=False)
    yield stack
    stack.reset()


class Raw:
    """The three markers of some servers, by the stores' own drivers."""

    def __init__(self, stack: Stack) -> None:
        self._told = stack.environment()

    def markers(self) -> list[dict[str, str]]:
        with self._postgres() as postgres, self._mongo() as mongo:
            rows = postgres.execute("SELECT environment, id::text FROM installation").fetchall()
            documents = mongo["agentruns"]["installation"].find()
            found = [{"environment": name, "installation": id_} for name, id_ in rows]
            found += [
                {"environment": one["environment"], "installation": str(one["installation"])}
                for one in documents
            ]
        return [*found, *self._objects()]

    def forget(self) -> None:
        """As stores are that were made before there were markers."""
        with self._postgres("POSTGRES_OWNER_URL") as postgres, self._mongo() as mongo:
            postgres.execute("DELETE FROM installation")
            mongo.drop_database("agentruns")
        self._minio.remove_object("agentruns", "environment.json")

    def _objects(self) -> list[dict[str, str]]:
        names = [item.object_name or "" for item in self._minio.list_objects("agentruns")]
        told = [json.loads(self._minio.get_object("agentruns", name).read()) for name in names]
        return [{name: one[name] for name in ("environment", "installation")} for one in told]

    def _postgres(self, name: str = "POSTGRES_URL") -> psycopg.Connection[Any]:
        return psycopg.connect(self._told[name])

    def _mongo(self) -> MongoClient[dict[str, Any]]:
        return MongoClient(self._told["MONGODB_URL"], uuidRepresentation="standard")

    @property
    def _minio(self) -> Minio:
        keys = self._told["MINIO_ACCESS_KEY"], self._told["MINIO_SECRET_KEY"]
        return Minio(self._told["MINIO_ENDPOINT"], *keys, secure=False, region="us-east-1")


def of(stack: Stack, **changed: str) -> Settings:
    return settings_from(stack.environment() | changed)


def foreign(stack: Stack) -> Settings:
    """The right addresses and passwords in an environment that is not the stores'."""
    return of(stack, AGENTRUNS_ENVIRONMENT="dev")


# Marking


def test_the_first_start_marks_all_three_stores_alike(prod: Stack) -> None:
    first, *others = Raw(prod).markers()
    assert first["environment"] == "prod"
    assert others == [first, first]
    assert prod.environment()["AGENTRUNS_ENVIRONMENT"] == "prod"
    assert prod.environment("evaluator")["AGENTRUNS_ENVIRONMENT"] == "prod"


def test_a_later_start_keeps_the_markers_and_refuses_another_name(
    prod: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Raw(prod).markers()
    prod.up(prefect=False)
    monkeypatch.setenv("AGENTRUNS_ENVIRONMENT", "staging")
    with pytest.raises(AnotherEnvironment, match=r"'prod'.*'staging'.*AGENTRUNS_ENVIRONMENT=prod"):
        prod.up(prefect=False)
    assert Raw(prod).markers() == before
    assert prod.environment()["AGENTRUNS_ENVIRONMENT"] == "prod"


def test_two_first_uses_at_once_give_one_marker(prod: Stack) -> None:
    for _ in range(3):
        Raw(prod).forget()
        with ThreadPoolExecutor(6) as pool:
            claims = list(pool.map(lambda _: Installation(of(prod)).claim(), range(6)))
        assert len({claim.marker.installation for claim in claims}) == 1
        first, *others = Raw(prod).markers()
        assert others == [first, first]
        assert first["installation"] == str(claims[0].marker.installation)


def test_stores_without_a_marker_are_open_to_all_and_marked_by_the_operator(
    prod: Stack, agent_id: str
) -> None:
    Raw(prod).forget()
    with Stores(foreign(prod)) as stores:
        stores.postgres.get_tasks()
        stores.mongo.read_logs(agent_id=agent_id)
        assert not list(stores.minio.list("screenshots", agent_id))
    claimed = Installation(of(prod)).claim()
    assert claimed.unmarked == {}
    assert [one["environment"] for one in Raw(prod).markers()] == ["prod"] * 3
    assert Installation(of(prod)).claim().marker.installation == claimed.marker.installation


def test_a_store_that_is_away_is_marked_the_next_time(prod: Stack) -> None:
    Raw(prod).forget()
    away = of(prod, MONGODB_URL="mongodb://nobody:s3cret@127.0.0.1:9")
    claimed = Installation(away).claim()
    assert list(claimed.unmarked) == ["MongoDB at 127.0.0.1:9"]
    assert "s3cret" not in str(claimed)
    assert len(Raw(prod).markers()) == 2
    assert Installation(of(prod)).claim().marker.installation == claimed.marker.installation
    assert len(Raw(prod).markers()) == 3


def test_stores_of_two_installations_are_never_taken_for_one(prod: Stack, stack: Stack) -> None:
    mixed = of(prod, MONGODB_URL=stack.environment()["MONGODB_URL"])
    with pytest.raises(AnotherEnvironment, match=r"'dev'.*'prod'"):
        Installation(mixed).claim()
    same_name = of(stack, POSTGRES_URL=prod.environment()["POSTGRES_URL"])
    with pytest.raises(AnotherEnvironment, match="different installations"):
        Installation(same_name).rename("staging")
    assert [one["environment"] for one in Raw(prod).markers()] == ["prod"] * 3


# Refusing

OPENED: dict[str, Callable[[Stores, Settings], object]] = {
    "tasks": lambda stores, _: stores.postgres.get_tasks(),
    "a task": lambda stores, _: stores.postgres.create_task("foreign", "x"),
    "logs": lambda stores, _: stores.mongo.read_logs(agent_id="foreign"),
    "a log": lambda stores, _: stores.mongo.write_log(LogEntry(agent_id="foreign", message="x")),
    "an object": lambda stores, _: stores.minio.upload_screenshot(b"x", agent_id="foreign"),
    "objects": lambda stores, _: list(stores.minio.list("screenshots")),
    "objects that go": lambda _, own: list(
        ObjectRemover(own).versions(Bucket.SCREENSHOTS, "foreign/")
    ),
    "what was deleted": lambda _, own: Deleting(own).tombstones,
    "an agent": lambda _, own: Provisioning(own).add("foreign"),
    "agents": lambda _, own: Provisioning(own).agents(),
    "audit": lambda _, own: AuditLog(own.required("postgres_url"), guard_of(own)).page(),
    "audit's term": lambda _, own: keep_for(own.required("postgres_owner_url"), 400, guard_of(own)),
    "the schema": lambda _, own: migrate(own.required("postgres_owner_url"), guard_of(own)),
}


@pytest.mark.parametrize("call", OPENED)
def test_credentials_of_one_environment_do_not_open_stores_of_another(
    prod: Stack, call: str
) -> None:
    other, own = foreign(prod), of(prod)
    with Stores(other) as stores, pytest.raises(AnotherEnvironment, match=BOTH) as refused:
        OPENED[call](stores, other)
    assert "AGENTRUNS_ENVIRONMENT=prod" in str(refused.value)
    secrets = {value for name, value in prod.environment().items() if "KEY" in name}
    assert not any(secret in str(refused.value) for secret in secrets)
    with Stores(own) as stores:
        OPENED[call](stores, own)


def test_health_tells_of_another_environment(prod: Stack) -> None:
    with Stores(foreign(prod)) as stores:
        told = stores.health()
    assert [health.healthy for health in told] == [False] * 3
    assert all("'prod'" in health.detail for health in told)


def test_a_url_is_of_the_environment_of_this_process_unless_somebody_says_otherwise(
    prod: Stack, settings: Settings
) -> None:
    url = prod.environment()["POSTGRES_URL"]
    with closing(PostgresAdapter(url)) as postgres, pytest.raises(AnotherEnvironment, match=BOTH):
        postgres.get_tasks()
    with closing(PostgresAdapter(url, guard=Guard("prod"))) as postgres:
        postgres.get_tasks()


def test_a_marker_that_cannot_be_read_keeps_everybody_out(prod: Stack) -> None:
    marked = MongoClient(prod.environment()["MONGODB_URL"])["agentruns"]["installation"]
    marked.update_one({}, {"$set": {"environment": 7}})
    with Stores(of(prod)) as stores, pytest.raises(AnotherEnvironment, match="cannot be read"):
        stores.mongo.read_logs(agent_id="a")
    marked.update_one({}, {"$set": {"environment": "prod"}})
    marked.database.client.close()
    with Stores(of(prod)) as stores:
        stores.mongo.read_logs(agent_id="a")


# Keys that are kept


@pytest.fixture
def home(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTRUNS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def as_process_of(stack: Stack, monkeypatch: pytest.MonkeyPatch, *, without: str = "") -> None:
    for name, value in stack.environment().items():
        if name == without:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)


@pytest.mark.parametrize("unsaid", ["", "AGENTRUNS_ENVIRONMENT"])
def test_a_kept_key_of_other_stores_than_were_given_delivers_nothing(
    prod: Stack, stores: Stores, home: Path, spool: Spool, agent_id: str, unsaid: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings_of(agent_id)  # lets it in, in dev
    task = a_task(agent_id)
    written(spool, records_of(task, 5))
    with pytest.MonkeyPatch.context() as elsewhere:
        as_process_of(prod, elsewhere, without=unsaid)
        with pytest.raises(AccessDenied, match=r"'dev'.*'prod'|'prod'.*'dev'"):
            settings_of(agent_id)
        drained = Delivery(spool).drain(timeout=3)
    assert (sum(drained.delivered.values()), drained.rejected) == (0, 0)
    assert drained.pending == len(records_of(task, 5))

    assert Delivery(spool).drain().pending == 0
    assert stored(stores, task) == everything(5)


def test_a_key_opens_no_other_stores_of_the_same_environment(
    stores: Stores, home: Path, spool: Spool, agent_id: str
) -> None:
    settings_of(agent_id)
    file, task = credentials_file(agent_id), a_task(agent_id)
    told = dict(line.split("=", 1) for line in file.read_text().splitlines())
    write_credentials(file, told | {"AGENTRUNS_INSTALLATION": str(new_id())})
    written(spool, records_of(task, 5))

    drained = Delivery(spool).drain(timeout=3)

    assert (sum(drained.delivered.values()), drained.rejected) == (0, 0)
    assert drained.pending == len(records_of(task, 5))
    write_credentials(file, told)
    assert Delivery(spool).drain().pending == 0
    assert stored(stores, task) == everything(5)


def test_a_key_from_before_there_were_markers_goes_on(
    stores: Stores, home: Path, spool: Spool, agent_id: str
) -> None:
    settings_of(agent_id)
    file, task = credentials_file(agent_id), a_task(agent_id)
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "AGENTRUNS_INSTALLATION" not in line))
    written(spool, records_of(task, 5))
    assert Delivery(spool).drain().pending == 0
    assert stored(stores, task) == everything(5)


# The command line


@pytest.fixture
def run(prod: Stack, tmp_path: Path) -> Callable[..., Done]:
    """The command, as the operator of prod."""
    told: dict[str, str | None] = {**prod.environment(), "AGENTRUNS_HOME": str(tmp_path)}
    return lambda *arguments, **changed: agentruns(*arguments, **(told | changed))


def test_the_command_shows_what_each_store_says(run: Callable[..., Done]) -> None:
    shown = run("environment", "show", "--json")
    document = shown.json()
    assert (shown.code, document["environment"], document["agree"]) == (0, "prod", True)
    assert [store["state"] for store in document["stores"]] == ["same"] * 3
    changed = {"AGENTRUNS_ENVIRONMENT": "dev", "MINIO_ENDPOINT": "127.0.0.1:9"}
    other = run("environment", "show", "--json", **changed)
    assert (other.code, other.json()["agree"]) == (1, False)
    assert [store["state"] for store in other.json()["stores"]] == ["other", "other", "unknown"]
    refused = run("tasks", "list", AGENTRUNS_ENVIRONMENT="dev")
    assert (refused.code, "agentruns environment show" in refused.err) == (4, True)


def test_stores_are_renamed_with_the_keys_that_are_kept_here(
    prod: Stack, run: Callable[..., Done], agent_id: str, tmp_path: Path
) -> None:
    file = credentials_file(agent_id, tmp_path / "agents")
    with Provisioning(of(prod)) as access:
        access.add(agent_id, keep=lambda key: write_credentials(file, access.environment_of(key)))
    asked = run("environment", "set", "staging", "--json").json()
    assert (asked["changed"], set(asked["before"].values())) == (False, {"prod"})
    assert [one["environment"] for one in Raw(prod).markers()] == ["prod"] * 3

    renamed = run("environment", "set", "staging", "--yes", "--json").json()

    assert (renamed["changed"], renamed["keys"]) == (True, [agent_id])
    assert [one["environment"] for one in Raw(prod).markers()] == ["staging"] * 3
    assert "AGENTRUNS_ENVIRONMENT=staging\n" in file.read_text()
    with Stores(settings_in(file)) as own:
        own.mongo.read_logs(agent_id=agent_id)
    with Stores(of(prod)) as old, pytest.raises(AnotherEnvironment, match=r"'staging'.*'prod'"):
        old.postgres.get_tasks()
    Installation(of(prod)).rename("prod")
    with Provisioning(of(prod)) as access:
        access.disable(agent_id)


def test_a_home_follows_when_its_own_stores_are_renamed(prod: Stack) -> None:
    unnamed = dict.fromkeys(prod.environment()) | {"AGENTRUNS_HOME": str(prod.home)}
    assert agentruns("environment", "set", "dev", "--yes", **unnamed).code == 0
    assert prod.environment()["AGENTRUNS_ENVIRONMENT"] == "dev"
    assert "AGENTRUNS_ENVIRONMENT=dev\n" in (prod.home / "stack.env").read_text()
    with Stores(settings_in(prod.home / "stack.env")) as stores:
        stores.postgres.get_tasks()
    Installation(of(prod)).rename("prod")
    prod.up(prefect=False)
    assert prod.environment()["AGENTRUNS_ENVIRONMENT"] == "prod"
