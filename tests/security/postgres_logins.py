"""Raw connections to PostgreSQL with each component's own credentials."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg

from storage.access.keys import AgentKey, new_key
from storage.access.postgres import PostgresAccess
from storage.postgres.address import with_login
from tests import counted_attacks

Raw = psycopg.Connection[Any]

#: SQLSTATEs with which the server refuses.
DENIED, NO_CHECK, NO_REFERENCE = "42501", "23514", "23503"
#: The tables with agents' data, and whose attribute is the id of a row.
TABLES = {
    "tasks": "task",
    "task_progress": "step",
    "binary_file_metadata": "picture",
    "evaluations": "verdict",
}

TASK = """
INSERT INTO tasks (id, agent_id, title, status, status_at, metadata, created_at)
VALUES (%(id)s, %(agent_id)s, %(title)s, 'in_progress', %(at)s, '{"token": "of-the-run"}', %(at)s)
"""
STEP = """
INSERT INTO task_progress (id, task_id, agent_id, message, "timestamp")
VALUES (%(id)s, %(task_id)s, %(agent_id)s, 'a step', %(at)s)
"""
FILE = """
INSERT INTO binary_file_metadata (
    id, agent_id, task_id, bucket, object_path, content_type, size_bytes, sha256, uploaded_at
)
VALUES (
    %(id)s, %(agent_id)s, %(task_id)s, %(bucket)s, %(agent_id)s || '/f', 'image/png', 1,
    repeat('0', 64), %(at)s
)
"""
VERDICT = """
INSERT INTO evaluations (
    id, task_id, agent_id, scorer, scorer_version, score, created_at, evidence_digest
)
VALUES (%(id)s, %(task_id)s, %(agent_id)s, 'outcome', '1', 0.5, %(at)s, %(id)s::text)
"""
#: With these, `now` is in the past: whatever the tests tell later is newer.
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Whose(NamedTuple):
    """Somebody's rows, one in each table."""

    agent_id: str
    task: UUID
    step: UUID
    picture: UUID
    binary: UUID
    verdict: UUID

    def told(self, **more: Any) -> dict[str, Any]:
        """The parameters of the statements above, for one more row of this agent."""
        about = {"agent_id": self.agent_id, "task_id": self.task, "title": "theirs", "at": AT}
        return {"id": uuid4(), "bucket": "screenshots", **about, **more}


class Logins:
    """Opens raw connections, and closes them all at the end."""

    def __init__(self, operator_url: str, passwords: dict[str, str], stack: ExitStack) -> None:
        self.operator_url = operator_url
        self.access = PostgresAccess(operator_url)
        self._passwords = passwords
        self._stack = stack
        self._known: dict[str, Raw] = {}

    def agent(self, agent_id: str) -> Raw:
        """A connection with a new key of this agent."""
        return self.key(self.granted(agent_id))

    def granted(self, agent_id: str) -> AgentKey:
        """A new key of this agent."""
        key = new_key(agent_id)
        self.access.grant(key)
        return key

    def key(self, key: AgentKey) -> Raw:
        """A connection with this key."""
        return self.opened(with_login(self.operator_url, key.key_id, key.secret.get_secret_value()))

    def component(self, name: str) -> Raw:
        """The connection as one of the components."""
        if name not in self._known:
            role = f"agentruns_{name}"
            url = with_login(self.operator_url, role, self._passwords[name])
            self._known[name] = self.opened(url)
        return self._known[name]

    def opened(self, url: str) -> Raw:
        """A connection; each statement is a transaction of its own."""
        return self._stack.enter_context(psycopg.connect(url, autocommit=True))

    def rows_of(self, agent_id: str) -> Whose:
        """Rows of an agent in every table, stored by the operator."""
        whose = Whose(agent_id, *(uuid4() for _ in range(5)))
        operator = self.component("operator")
        operator.execute(TASK, whose.told(id=whose.task))
        operator.execute(STEP, whose.told(id=whose.step))
        operator.execute(FILE, whose.told(id=whose.picture))
        operator.execute(FILE, whose.told(id=whose.binary, bucket="binaries"))
        operator.execute(VERDICT, whose.told(id=whose.verdict))
        return whose


@contextmanager
def logins(operator_url: str, passwords: dict[str, str]) -> Iterator[Logins]:
    """Raw connections that are closed at the end."""
    with ExitStack() as stack:
        yield Logins(operator_url, passwords, stack)


def refusal(connection: Raw, statement: str, told: Any = None) -> str:
    """The SQLSTATE with which the server refuses a statement; empty when it takes it."""
    try:
        connection.execute(statement.encode(), told)
    except psycopg.Error as error:
        counted_attacks.refused("PostgreSQL")
        return error.sqlstate or "?"
    counted_attacks.allowed("PostgreSQL")
    return ""


def rows(connection: Raw, statement: str, told: Any = None) -> list[tuple[Any, ...]]:
    """What a statement finds, or the rows it changed, given RETURNING."""
    found = connection.execute(statement.encode(), told).fetchall()
    # Row security shows nothing and says nothing, so an empty answer is its refusal.
    (counted_attacks.allowed if found else counted_attacks.refused)("PostgreSQL")
    return found


def a_key_id() -> str:
    """A name that no key has yet."""
    return f"key_{secrets.token_hex(8)}"


def scram(connection: Raw, role: str = "x", password: str = "x") -> str:
    """The verifier that the server would keep."""
    told = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return told.decode()
