"""What is done to agents and keys is noted by PostgreSQL itself, and nobody can take it back."""

import json
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from storage.access import AuditLog, Provisioning
from storage.access.credentials import environment_of
from storage.settings import Settings, component_settings
from tests.integration.test_cli import Run, own_spool, run

__all__ = ["own_spool", "run"]  # fixtures of other files

FORGERIES = [
    "INSERT INTO audit_log (what) VALUES ('nothing')",
    "UPDATE audit_log SET what = 'nothing'",
    "DELETE FROM audit_log",
    "TRUNCATE audit_log",
    "DROP TABLE audit_log",
    "ALTER TABLE agents DISABLE TRIGGER audited",
    "SET session_replication_role = replica",
    "INSERT INTO audited_acts VALUES ('key made', 'agentruns_operator')",
    "UPDATE audit_term SET days = 1",
    "ALTER TABLE audit_term DISABLE TRIGGER audited",
]


@pytest.fixture
def access(settings: Settings) -> Iterator[Provisioning]:
    with Provisioning(settings) as access:
        yield access


@pytest.fixture
def log(settings: Settings) -> AuditLog:
    return AuditLog(settings.required("postgres_url"))


def test_every_step_of_an_agents_life_is_noted_with_who_did_it(
    access: Provisioning, log: AuditLog, agent_id: str
) -> None:
    first = access.add(agent_id)
    assert first
    access.rotate(agent_id, timedelta())
    access.disable(agent_id)

    entries = log.page(agent_id=agent_id).items

    done = [entry.what for entry in reversed(entries)]
    assert done[:3] == ["agent added", "key made", "key completed"]
    assert {"key expires", "key revoked", "key retired", "agent disabled"} < set(done)
    assert {entry.who for entry in entries} == {"agentruns_operator"}
    assert all(entry.address for entry in entries)
    assert first.key_id in {entry.details.get("key_id") for entry in entries}


def test_no_secret_is_in_the_audit_log(access: Provisioning, log: AuditLog, agent_id: str) -> None:
    key = access.add(agent_id)
    assert key
    told = json.dumps([entry.model_dump(mode="json") for entry in log.page()])
    assert agent_id in told
    assert key.secret.get_secret_value() not in told
    assert "SCRAM" not in told


def test_it_is_read_page_by_page(access: Provisioning, log: AuditLog, agent_id: str) -> None:
    access.add(agent_id)
    first = log.page(limit=2)
    rest = log.page(limit=100, after=first.next)
    ids = [entry.id for entry in (*first, *rest)]
    assert ids == sorted(set(ids), reverse=True)
    assert rest.next is None
    with pytest.raises(ValueError, match="cursor"):
        log.page(after="1; DROP TABLE agents")


@pytest.mark.parametrize("forgery", FORGERIES)
def test_not_even_the_operator_can_change_it(
    access: Provisioning, settings: Settings, agent_id: str, forgery: str
) -> None:
    access.add(agent_id)
    with psycopg.connect(settings.required("postgres_url")) as connection:
        assert connection.execute("SELECT count(*) FROM audit_log").fetchone() != (0,)
        with pytest.raises(InsufficientPrivilege):
            connection.execute(forgery.encode())


def test_agents_evaluator_and_frontend_do_not_see_it(
    access: Provisioning, settings: Settings, agent_id: str
) -> None:
    key = access.add(agent_id)
    assert key
    urls = [environment_of(key, settings)["POSTGRES_URL"]]
    urls += [component_settings(one).required("postgres_url") for one in ("evaluator", "frontend")]
    for url in urls:
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            with pytest.raises(InsufficientPrivilege):
                connection.execute("SELECT * FROM audit_log")


def test_it_is_listed_on_the_command_line(run: Run, access: Provisioning, agent_id: str) -> None:
    access.add(agent_id)
    listed = run("audit", "list", "--agent", agent_id, "--json").json()
    assert [entry["what"] for entry in listed["entries"]] == [
        "key completed", "key made", "agent added",
    ]  # fmt: skip
    assert "agent added" in run("audit", "list").out
