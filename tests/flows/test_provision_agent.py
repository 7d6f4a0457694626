"""Agents are let in, and old keys taken back, by flows; no key gets into Prefect."""

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

from agentruns.models import utcnow
from flows.provision_agent import provision_agent
from flows.prune_audit import prune_audit
from flows.retire_keys import retire_keys
from storage.access import AuditLog, Provisioning
from storage.settings import Settings, settings_in
from storage.stores import Stores


def test_an_agent_is_let_in_and_its_key_lies_in_a_file(
    settings: Settings, agent_id: str, tmp_path: Path
) -> None:
    done = provision_agent(agent_id, folder=str(tmp_path))

    assert done.created
    assert done.file == str(tmp_path / f"{agent_id}.env")
    with Stores(settings_in(Path(done.file))) as stores:
        assert stores.postgres.health_check().healthy
    assert not provision_agent(agent_id, folder=str(tmp_path)).created


def test_a_rotated_key_is_taken_back_when_its_time_is_over(
    settings: Settings, agent_id: str, tmp_path: Path
) -> None:
    old = provision_agent(agent_id, folder=str(tmp_path))
    new = provision_agent(agent_id, rotate=True, keep_hours=0.0, folder=str(tmp_path))

    retire_keys()

    with Provisioning(settings) as access:
        keys = {key.key_id: key for key in access.agent(agent_id).keys}
        assert access.drop_roles() == ([], [])
    assert keys[str(old.key_id)].retired_at
    assert keys[str(new.key_id)].state(utcnow()) == "valid"
    assert retire_keys() == []


def test_what_the_audit_log_need_not_keep_any_more_goes(settings: Settings, agent_id: str) -> None:
    log = AuditLog(settings.required("postgres_url"))
    with Provisioning(settings) as access:
        access.add(agent_id)
    assert prune_audit() == 0
    with psycopg.connect(settings.required("postgres_owner_url")) as owner:
        owner.execute("UPDATE audit_log SET at = at - interval '401 days'")

    assert prune_audit() == 3

    assert [entry.what for entry in log.page()] == ["audit pruned"]


@pytest.mark.promise(14, by="us")
def test_nothing_secret_is_kept_by_prefect(
    settings: Settings, agent_id: str, tmp_path: Path
) -> None:
    done = provision_agent(agent_id, folder=str(tmp_path))
    secret = settings_in(Path(str(done.file))).required("minio_secret_key")
    since = utcnow() - timedelta(minutes=5)

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(name=FlowRunFilterName(like_="%"))
        )
        logs = client.read_logs()

    told = [run.model_dump_json() for run in runs if run.created and run.created > since]
    assert any(agent_id in run for run in told)
    assert not any(secret in text for text in (*told, *(log.message for log in logs)))


@pytest.mark.parametrize("bad", ["", "A", "a/b", "../a"])
def test_what_is_no_agent_id_is_refused(settings: Settings, bad: str) -> None:
    with pytest.raises(ValueError, match="agent id"):
        provision_agent(bad)
