"""What a repair took aside, or plans, is the operator's alone: in the tables and as objects."""

from io import BytesIO

import pytest

from storage.minio import MinIOAdapter
from storage.minio.buckets import QUARANTINE
from tests.security.minio_access import Store, refusal
from tests.security.postgres_logins import DENIED
from tests.security.postgres_logins import refusal as refused
from tests.security.test_access_minio import frontend, store

__all__ = ["frontend", "store"]  # fixtures of another file

TABLES = ("quarantined_objects", "repairs", "repair_actions")


@pytest.mark.promise(8, by="PostgreSQL")
@pytest.mark.parametrize("who", ["agent", "evaluator", "frontend"])
def test_nobody_but_the_operator_sees_a_plan_or_what_was_taken_aside(doors, agent, who):
    connection = agent if who == "agent" else doors.component(who)
    connection.execute("SET default_transaction_read_only = off")
    for table in TABLES:
        assert refused(connection, f"SELECT * FROM {table}") == DENIED
        assert refused(connection, f"DELETE FROM {table}") == DENIED
        assert refused(doors.component("operator"), f"SELECT * FROM {table} LIMIT 1") == ""


@pytest.mark.promise(4, by="PostgreSQL")
def test_no_agent_says_that_its_object_is_lost(agent, mine):
    add = (
        "INSERT INTO binary_file_metadata (id, agent_id, bucket, object_path, content_type,"
        " size_bytes, sha256, uploaded_at{column}) VALUES (gen_random_uuid(), %(agent_id)s,"
        " 'screenshots', %(agent_id)s || '/no-task/x', 'image/png', 1, repeat('a', 64), now()"
        "{value})"
    )
    told = {"agent_id": mine.agent_id}
    assert refused(agent, add.format(column=", missing_since", value=", now()"), told) == DENIED
    assert refused(agent, add.format(column="", value=""), told) == ""
    assert refused(agent, "UPDATE binary_file_metadata SET missing_since = now()") == DENIED


@pytest.mark.promise(1, by="MinIO")
@pytest.mark.parametrize("who", ["agent", "frontend"])
def test_what_was_taken_aside_is_read_by_the_operator_only(
    store: Store, agent_id: str, frontend: tuple[str, str], who: str
) -> None:
    own = store.agent(agent_id)
    client = own if who == "agent" else store.client(*frontend)
    path = f"{agent_id}/no-task/x"
    store.put(store.operator, QUARANTINE, path, b"x")
    for call in (
        lambda c: c.get_object(QUARANTINE, path).read(),
        lambda c: c.stat_object(QUARANTINE, path),
        lambda c: list(c.list_objects(QUARANTINE, agent_id, recursive=True)),
        lambda c: c.put_object(QUARANTINE, f"{path}y", BytesIO(b"x"), 1),
        lambda c: c.remove_object(QUARANTINE, path),
    ):
        assert refusal(lambda call=call: call(client)) == "AccessDenied"
        assert refusal(lambda call=call: call(store.operator)) == ""


@pytest.mark.promise(10, by="us")
def test_no_address_is_signed_for_what_was_taken_aside(store: Store, agent_id: str) -> None:
    with (
        MinIOAdapter(agent_id, settings=store.settings) as minio,
        pytest.raises(ValueError, match="quarantine"),
    ):
        minio.get_presigned_url(QUARANTINE, f"{agent_id}/no-task/x")
