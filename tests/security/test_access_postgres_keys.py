"""PostgreSQL itself keeps agents apart, and out when their key is over: each with its own login.

Beside each attack stands the same call where it is allowed, so that no typo passes for a refusal.
"""

import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentruns.models import utcnow
from agentruns.models.values import AGENT_ID_PATTERN
from tests.security.postgres_logins import (
    DENIED,
    NO_CHECK,
    NO_REFERENCE,
    STEP,
    TABLES,
    TASK,
    Logins,
    a_key_id,
    refusal,
    rows,
    scram,
)

pytestmark = pytest.mark.promise(1, by="PostgreSQL")


class TestKeys:
    @pytest.mark.promise(1, by="PostgreSQL", control=True)
    def test_two_keys_of_an_agent_count_at_once(self, doors, mine):
        for connection in (doors.agent(mine.agent_id), doors.agent(mine.agent_id)):
            assert rows(connection, "SELECT id FROM tasks") == [(mine.task,)]

    def test_granting_again_is_harmless_and_completing_is_noted(self, doors, mine):
        key = doors.granted(mine.agent_id)
        doors.access.grant(key)
        assert rows(doors.key(key), "SELECT id FROM tasks") == [(mine.task,)]
        for _ in range(2):
            doors.access.complete(key.key_id)
        (known,) = doors.access.agent(mine.agent_id).keys
        assert known.completed_at
        assert (known.expires_at, known.revoked_at) == (None, None)

    def test_a_revoked_key_opens_nothing_and_its_connections_end(self, doors, mine):
        key, other = doors.granted(mine.agent_id), doors.agent(mine.agent_id)
        running = doors.key(key)
        for _ in range(2):
            doors.access.revoke(key.key_id)
        with pytest.raises(psycopg.OperationalError):
            running.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            doors.key(key)
        with pytest.raises(Exception, match="key_is_valid"):
            doors.access.grant(key)
        assert rows(other, "SELECT id FROM tasks") == [(mine.task,)]

    def test_an_expired_key_shows_nothing_also_to_who_is_in(self, doors, mine):
        key = doors.granted(mine.agent_id)
        running = doors.key(key)
        doors.access.expire(key.key_id, utcnow() + timedelta(hours=1))
        assert rows(running, "SELECT id FROM tasks") == [(mine.task,)]
        doors.access.expire(key.key_id, utcnow() - timedelta(seconds=1))
        assert rows(running, "SELECT id FROM tasks") == []
        assert refusal(running, TASK, mine.told()) == DENIED
        with pytest.raises(psycopg.OperationalError):
            doors.key(key)

    def test_a_disabled_agent_is_out_until_it_is_added_again(self, doors, mine):
        running = doors.agent(mine.agent_id)
        doors.access.disable(mine.agent_id)
        with pytest.raises(psycopg.OperationalError):
            running.execute("SELECT 1")
        with pytest.raises(Exception, match="agent_is_enabled"):
            doors.granted(mine.agent_id)
        doors.access.add(mine.agent_id, append_only=True)
        assert rows(doors.agent(mine.agent_id), "SELECT id FROM tasks") == [(mine.task,)]
        known = doors.access.agent(mine.agent_id)
        assert (known.append_only, known.disabled_at) == (True, None)

    def test_a_key_of_no_known_agent_sees_nothing(self, doors, stack, mine):
        """In another database of the cluster, which has tasks as well."""
        key = doors.granted(mine.agent_id)
        elsewhere = stack.environment()["POSTGRES_URL"]
        name = doors.operator_url.rpartition("/")[2]
        there = Logins(elsewhere, {}, doors._stack).key(key)
        assert rows(there, "SELECT agent_id FROM own_agent") == []
        assert rows(there, "SELECT count(*) FROM tasks") == [(0,)]
        assert refusal(there, TASK, mine.told()) == DENIED
        assert name
        assert rows(doors.key(key), "SELECT id FROM tasks") == [(mine.task,)]


COLLIDING = [
    ("a", "ab"), ("a-b", "a_b"), ("x" * 56, "x" * 57), ("x" * 56 + "a", "x" * 56 + "b"),
    ("postgres", "public"), ("admin", "local"), ("agentruns", "agentruns_operator"),
    ("0", "00"), ("none", "null"), ("key_0000000000000000", "current_user"),
]  # fmt: skip


@pytest.mark.promise(6, by="PostgreSQL")
@pytest.mark.parametrize(("one", "other"), COLLIDING)
def test_ids_that_look_alike_or_reserved_stay_apart(doors, one, other):
    kept_apart(doors, one, other)


AGENT_IDS = st.from_regex(AGENT_ID_PATTERN, fullmatch=True)


@pytest.mark.slow
@hypothesis_settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ids=st.lists(AGENT_IDS, min_size=2, max_size=2, unique=True))
def test_no_agent_reads_or_writes_what_another_has(doors, ids):
    kept_apart(doors, *ids)


@pytest.mark.promise(6, by="PostgreSQL")
@hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(id_=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=80))
def test_no_string_that_is_no_id_gets_a_key(doors, id_):
    if re.fullmatch(AGENT_ID_PATTERN, id_):
        return
    operator = doors.component("operator")
    told = [a_key_id(), id_, scram(operator)]
    assert refusal(operator, "SELECT make_agent_key(%s, %s, %s)", told) == NO_CHECK
    assert refusal(operator, "SELECT add_agent(%s, false)", [id_]) == NO_CHECK


@pytest.mark.promise(6, by="PostgreSQL")
@pytest.mark.parametrize("id_", ["A", "Agent", "..", "a/b", "a b", "a\n", "x" * 58, "", "ä", "-a"])
def test_ids_of_another_shape_get_no_key(doors, id_):
    operator = doors.component("operator")
    told = [a_key_id(), id_, scram(operator)]
    assert refusal(operator, "SELECT make_agent_key(%s, %s, %s)", told) == NO_CHECK


def kept_apart(doors: Logins, one: str, other: str) -> None:
    owned = {id_: doors.rows_of(id_) for id_ in (one, other)}
    for own, foreign in ((one, other), (other, one)):
        connection = doors.agent(own)
        for table in TABLES:
            assert rows(connection, f"SELECT DISTINCT agent_id FROM {table}") == [(own,)]
        told: dict[str, Any] = owned[foreign].told()
        assert refusal(connection, TASK, told) == DENIED
        assert refusal(connection, STEP, owned[own].told(task_id=owned[foreign].task)) == (
            NO_REFERENCE
        )
        assert refusal(connection, TASK, owned[own].told()) == ""
        connection.close()
