"""Addresses that are signed and logs that are read are noted first, each by who does it."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from pydantic import SecretStr

from agentruns.models import AgentTask, LogEntry, Status, utcnow
from storage.access import AuditLog, Provisioning, keep_for
from storage.access.audit import BATCH_SIZE
from storage.access.credentials import environment_of
from storage.errors import AccessDenied, StoreUnavailable
from storage.evaluation import EvaluationStore
from storage.evidence import START, PassOrder, gather
from storage.minio import MinIOAdapter
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter
from storage.settings import Settings, component_settings, settings_from
from storage.stores import Stores
from tests.integration.test_cli import Run, own_spool, run
from tests.integration.test_writer import upload

__all__ = ["own_spool", "run"]  # fixtures of other files

PNG = b"\x89PNG\r\n\x1a\n"
NOWHERE = "postgresql://u:p@127.0.0.1:9/x"
AUDIT = "SELECT audit(%s, %s)"
#: Of each component, an act of its own.
OWN = {"frontend": "address signed", "evaluator": "logs read", "operator": "data deleted"}
#: Somebody else's acts, and what the database notes by itself.
FOREIGN = {
    "frontend": ["logs read", "data deleted", "key made", "audit pruned", "anything"],
    "evaluator": ["address signed", "data deleted", "key made", "audit pruned", "anything"],
    "operator": ["key made", "agent added", "audit pruned", "audit term changed", "anything"],
}


@pytest.fixture
def log(settings: Settings) -> AuditLog:
    return AuditLog(settings.required("postgres_url"))


def connected(settings: Settings, component: str) -> psycopg.Connection[Any]:
    own = settings if component == "operator" else component_settings(component)
    connection = psycopg.connect(own.required("postgres_url"), autocommit=True)
    connection.execute("SET default_transaction_read_only = off")
    return connection


def told(**entry: Any) -> str:
    return json.dumps([entry])


@pytest.mark.parametrize("component", OWN)
def test_a_component_tells_of_its_own_acts_in_its_own_name_only(
    settings: Settings, log: AuditLog, agent_id: str, component: str
) -> None:
    task = uuid4()
    with connected(settings, component) as connection:
        for act in FOREIGN[component]:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(AUDIT, [act, told(agent_id=agent_id)])
        forged = told(agent_id=agent_id, task_id=str(task), who="agentruns", at="2001-01-01Z")
        connection.execute(AUDIT, [OWN[component], forged])
        with pytest.raises(InsufficientPrivilege):
            connection.execute("INSERT INTO audit_log (what) VALUES ('logs read')")

    (entry,) = log.page(agent_id=agent_id, task_id=task)
    assert (entry.what, entry.who) == (OWN[component], f"agentruns_{component}")
    assert entry.at > utcnow() - timedelta(minutes=5)
    assert entry.address


def test_an_agent_writes_nothing_into_it(settings: Settings, log: AuditLog, agent_id: str) -> None:
    with Provisioning(settings) as access:
        key = access.add(agent_id)
    assert key
    before = len(log.page(1000))
    with psycopg.connect(environment_of(key, settings)["POSTGRES_URL"], autocommit=True) as agent:
        assert agent.execute("SELECT agent_id FROM own_agent").fetchall() == [(agent_id,)]
        for what in set(OWN.values()):
            with pytest.raises(InsufficientPrivilege):
                agent.execute(AUDIT, [what, told(agent_id=agent_id)])
        for call in ("SELECT prune_audit(1)", "SELECT set_append_only('a', false)"):
            with pytest.raises(InsufficientPrivilege):
                agent.execute(call.encode())
    assert len(log.page(1000)) == before


@pytest.mark.parametrize(
    "entries",
    [
        told(details={"x": "x" * 5000}),
        told(agent_id="a" * 100),
        told(task_id="no task"),
        json.dumps([{}] * 10_001),
        "{}",
    ],
)
def test_what_is_told_is_bounded(settings: Settings, entries: str) -> None:
    with connected(settings, "operator") as operator:
        operator.execute(AUDIT, ["data deleted", told(details={"x": "x" * 3000})])
        with pytest.raises((psycopg.DataError, psycopg.IntegrityError)):
            operator.execute(AUDIT, ["data deleted", entries])


def test_an_address_is_noted_before_it_is_given(
    stores: Stores, log: AuditLog, agent_id: str
) -> None:
    task = AgentTask(agent_id=agent_id, title="a task")
    file = upload(task, PNG)
    stores.writer.write([task, file])

    url = stores.minio.get_presigned_url("screenshots", file.file.object_path, 60)

    (entry,) = log.page(task_id=task.id)
    assert (entry.what, entry.agent_id) == ("address signed", agent_id)
    assert entry.details == {
        "bucket": "screenshots",
        "object": file.file.object_path,
        "expires_seconds": 60,
    }
    assert url.rpartition("X-Amz-Signature=")[2] not in entry.model_dump_json()


def test_the_frontend_signs_in_its_own_name(
    settings: Settings, log: AuditLog, agent_id: str
) -> None:
    with Stores(component_settings("frontend")) as frontend:
        frontend.minio.get_presigned_url("screenshots", f"{agent_id}/x.png")
    (entry,) = log.page(agent_id=agent_id)
    assert (entry.who, entry.task_id) == ("agentruns_frontend", None)


def test_without_the_audit_log_no_address_is_given(settings: Settings, agent_id: str) -> None:
    evaluator = component_settings("evaluator").required("postgres_url")
    for url, refused in ((NOWHERE, StoreUnavailable), (evaluator, AccessDenied)):
        with PostgresAdapter(url, seconds=3) as auditor:
            minio = MinIOAdapter(agent_id, settings=settings, auditor=auditor)
            with pytest.raises(refused):
                minio.get_presigned_url("screenshots", f"{agent_id}/x.png")
    assert MinIOAdapter(agent_id, settings=settings).get_presigned_url(
        "screenshots", f"{agent_id}/x.png"
    )


def test_an_agent_signs_its_own_screenshots_without_an_entry(
    settings: Settings, log: AuditLog, agent_id: str
) -> None:
    with Provisioning(settings) as access:
        key = access.add(agent_id)
    assert key
    before = len(log.page(1000))
    with Stores(settings_from(environment_of(key, settings))) as own:
        assert own.minio.get_presigned_url("screenshots", f"{agent_id}/x.png")
    assert len(log.page(1000)) == before


def test_an_address_on_the_command_line_is_noted(
    run: Run, stores: Stores, log: AuditLog, agent_id: str
) -> None:
    task = AgentTask(agent_id=agent_id, title="a task")
    stores.writer.write([task, upload(task, PNG)])
    run("tasks", "show", str(task.id))
    assert log.page(task_id=task.id).items == ()
    shown = run("tasks", "show", str(task.id), "--urls", "--json").json()
    assert shown["files"][0]["url"]
    assert [entry.what for entry in log.page(task_id=task.id)] == ["address signed"]


def ended(stores: Stores, agent_id: str, number: int) -> list[AgentTask]:
    tasks = [
        AgentTask(agent_id=agent_id, title="a task", status=Status.COMPLETED, finished_at=utcnow())
        for _ in range(number)
    ]
    entries = [LogEntry(agent_id=agent_id, task_id=task.id, message="said") for task in tasks]
    stores.writer.write([*tasks, *entries])
    return tasks


def test_the_evaluator_reads_no_log_that_is_not_noted(
    stores: Stores, log: AuditLog, agent_id: str
) -> None:
    tasks = ended(stores, agent_id, 3)
    order = PassOrder(("outcome",))
    own = component_settings("evaluator")
    with (
        PostgresAdapter(own.required("postgres_url")) as postgres,
        MongoAdapter(cluster_mode=True, settings=own) as mongo,
    ):
        evaluation = EvaluationStore(postgres, mongo)
        pass_id = uuid4()
        evaluation.open_pass(pass_id, order)
        for _ in range(2):
            # What is judged already is not read again.
            evaluation.evaluate_batch(pass_id, order, START, 100)

    entries = log.page(what="logs read").items
    assert {entry.task_id for entry in entries} == {task.id for task in tasks}
    assert len(entries) == len(tasks)
    assert {(entry.who, entry.agent_id) for entry in entries} == {("agentruns_evaluator", agent_id)}


def test_where_the_audit_log_refuses_no_log_is_read(
    stores: Stores, settings: Settings, agent_id: str
) -> None:
    ended(stores, agent_id, 1)
    order = PassOrder(("outcome",))
    nowhere = SecretStr("mongodb://u:p@127.0.0.1:9")
    away = settings.model_copy(update={"mongodb_url": nowhere})
    with MongoAdapter(cluster_mode=True, settings=away) as mongo:
        # Whoever gets as far as MongoDB finds it away.
        with pytest.raises(StoreUnavailable):
            list(gather(stores.postgres, mongo, order, START, 10))
        with psycopg.connect(settings.required("postgres_owner_url")) as owner:
            owner.execute("REVOKE EXECUTE ON FUNCTION audit FROM agentruns_operator")
        with pytest.raises(AccessDenied):
            list(gather(stores.postgres, mongo, order, START, 10))


def age(settings: Settings, days: int, agent_id: str | None = None) -> None:
    """As the owner, who alone may: entries become older than they are."""
    with psycopg.connect(settings.required("postgres_owner_url")) as owner:
        owner.execute(
            "UPDATE audit_log SET at = at - make_interval(days => %s)"
            " WHERE %s::text IS NULL OR agent_id = %s",
            [days, agent_id, agent_id],
        )


def test_only_what_is_older_than_the_owners_term_can_be_removed(
    run: Run, settings: Settings, log: AuditLog, agent_id: str
) -> None:
    old, young = f"{agent_id}-old", f"{agent_id}-young"
    with connected(settings, "operator") as operator:
        for agent in (old, young):
            operator.execute(AUDIT, ["data deleted", told(agent_id=agent)])
    age(settings, 401, old)
    age(settings, 399, young)

    looked = run("audit", "prune", "--json").json()
    assert (looked["days"], looked["entries"], looked["removed"]) == (400, 1, 0)
    assert len(log.page(agent_id=old)) == 1
    assert run("audit", "prune", "--yes", "--json").json()["removed"] == 1

    assert log.page(agent_id=old).items == ()
    assert len(log.page(agent_id=young)) == 1
    (entry,) = log.page(what="audit pruned")
    assert (entry.who, entry.details["entries"]) == ("agentruns_operator", 1)
    assert log.prune() == 0
    assert len(log.page(what="audit pruned")) == 1


def test_what_is_over_goes_in_batches(settings: Settings, log: AuditLog, agent_id: str) -> None:
    many = json.dumps([{"agent_id": agent_id}] * BATCH_SIZE)
    with connected(settings, "operator") as operator:
        for entries in (many, told(agent_id=agent_id)):
            operator.execute(AUDIT, ["data deleted", entries])
    age(settings, 500)
    assert log.prune() == BATCH_SIZE + 1
    assert sum(entry.details["entries"] for entry in log.page(what="audit pruned")) == (
        BATCH_SIZE + 1
    )


def test_only_the_owner_sets_the_term_and_that_is_noted(
    run: Run, settings: Settings, log: AuditLog
) -> None:
    with pytest.raises(AccessDenied):
        keep_for(settings.required("postgres_url"), 1)
    assert log.over().days == 400

    assert run("audit", "keep", "500", "--json").json() == {"days": 500}

    assert log.over().days == 500
    (entry,) = log.page(what="audit term changed")
    assert entry.details == {"days": 500, "before": 400}
    assert entry.who not in {"agentruns_operator", "agentruns_evaluator"}
    assert run("audit", "keep", "0").code == 2


def test_the_list_is_narrowed_on_the_command_line(
    run: Run, settings: Settings, agent_id: str
) -> None:
    task = uuid4()
    with connected(settings, "operator") as operator:
        operator.execute(AUDIT, ["data deleted", told(agent_id=agent_id, task_id=str(task))])
        operator.execute(AUDIT, ["data repaired", told(agent_id=agent_id)])
    age(settings, 3)
    with connected(settings, "operator") as operator:
        operator.execute(AUDIT, ["data repaired", told(agent_id=f"{agent_id}x")])

    def found(*options: str) -> list[tuple[str, str | None]]:
        page = run("audit", "list", *options, "--json").json()
        return [(entry["what"], entry["task_id"]) for entry in page["entries"]]

    assert found("--task", str(task)) == [("data deleted", str(task))]
    assert found("--agent", agent_id) == [("data repaired", None), ("data deleted", str(task))]
    assert found("--what", "data repaired") == [("data repaired", None)] * 2
    assert found("--what", "data repaired", "--since", "1d") == [("data repaired", None)]
    assert str(UUID(int=task.int)) in run("audit", "list", "--agent", agent_id).out
    first = run("audit", "list", "--limit", "2", "--json").json()
    rest = run("audit", "list", "--after", first["next"], "--json").json()
    assert (len(first["entries"]), len(rest["entries"]), rest["next"]) == (2, 1, None)
