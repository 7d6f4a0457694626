"""Who may delete, and who may see what was deleted: the operator, and nobody else."""

from uuid import uuid4

import pytest

from tests.security.postgres_logins import DENIED, FILE, NO_CHECK, STEP, TASK, refusal, rows

TABLES = ("deletions", "deleted_tasks", "deleted_sources")
OPEN = "INSERT INTO deletions (id, agent_id, task_id) VALUES (%(id)s, %(agent_id)s, %(task_id)s)"
BURY = (
    "INSERT INTO deleted_tasks (task_id, agent_id, deletion_id)"
    " VALUES (%(task_id)s, %(agent_id)s, %(id)s)"
)


@pytest.mark.promise(8, by="PostgreSQL")
@pytest.mark.parametrize("who", ["agent", "evaluator", "frontend"])
def test_nobody_but_the_operator_sees_or_makes_a_tombstone(doors, agent, theirs, who):
    connection = agent if who == "agent" else doors.component(who)
    operator = doors.component("operator")
    connection.execute("SET default_transaction_read_only = off")
    for table in TABLES:
        assert refusal(connection, f"SELECT * FROM {table}") == DENIED
        assert refusal(connection, f"DELETE FROM {table}") == DENIED
        assert refusal(operator, f"SELECT * FROM {table} LIMIT 1") == ""
    told = theirs.told(task_id=theirs.task)
    assert refusal(connection, OPEN, told) == DENIED
    assert refusal(connection, BURY, told) == DENIED
    assert refusal(connection, "SELECT * FROM forget_agent('x')") == DENIED
    assert refusal(operator, "SELECT * FROM forget_agent('x')") == NO_CHECK


@pytest.mark.promise(2, by="PostgreSQL")
def test_not_even_the_operator_takes_a_tombstone_away_or_gives_it_to_another(doors, theirs):
    operator = doors.component("operator")
    told = theirs.told(task_id=uuid4())
    assert refusal(operator, OPEN, told) == ""
    assert refusal(operator, BURY, told) == ""
    for table in TABLES:
        assert refusal(operator, f"DELETE FROM {table}") == DENIED
        assert refusal(operator, f"TRUNCATE {table} CASCADE") == DENIED
    for change in ("agent_id = 'x'", "task_id = NULL", "began_by = 'x'", "began_at = now()"):
        assert refusal(operator, f"UPDATE deletions SET {change}") == DENIED
    assert refusal(operator, "UPDATE deleted_tasks SET agent_id = 'x'") == DENIED
    assert rows(operator, "UPDATE deletions SET finished_at = now() RETURNING id")


@pytest.mark.promise(1, by="PostgreSQL")
def test_a_tombstone_refuses_its_task_to_everybody_and_no_other(doors, agent, mine):
    operator, gone = doors.component("operator"), uuid4()
    told = mine.told(task_id=gone)
    operator.execute(OPEN, told)
    operator.execute(BURY, told)
    for connection in (agent, operator):
        assert refusal(connection, TASK, mine.told(id=gone)) == NO_CHECK
        # Without its task, nothing can hang on it.
        for statement in (STEP, FILE):
            assert refusal(connection, statement, mine.told(task_id=gone)) == "23503"
        for statement in (TASK, STEP, FILE):
            assert refusal(connection, statement, mine.told()) == ""


@pytest.mark.promise(1, by="PostgreSQL")
def test_a_task_that_is_being_deleted_takes_nothing_although_it_is_still_there(doors, agent, mine):
    operator, told = doors.component("operator"), mine.told(task_id=mine.task)
    for statement in (STEP, FILE):
        assert refusal(agent, statement, mine.told()) == ""
    operator.execute(OPEN, told)
    operator.execute(BURY, told)
    for statement in (STEP, FILE):
        assert refusal(agent, statement, mine.told()) == NO_CHECK


@pytest.mark.promise(1, by="PostgreSQL")
def test_a_deleted_agent_is_refused_until_another_has_its_name_and_then_what_is_older(
    doors, mine, theirs
):
    operator = doors.component("operator")
    operator.execute(OPEN, mine.told(task_id=None))
    assert refusal(operator, TASK, mine.told()) == NO_CHECK
    assert refusal(operator, FILE, mine.told(task_id=None)) == NO_CHECK
    assert refusal(operator, TASK, theirs.told()) == ""
    add = "SELECT add_agent(%(agent_id)s, false)"
    assert refusal(operator, add, mine.told()) == NO_CHECK
    operator.execute(
        "UPDATE deletions SET finished_at = now(), readmitted_at = %(at)s + interval '1 day'"
        " WHERE agent_id = %(agent_id)s",
        mine.told(),
    )
    assert refusal(operator, add, mine.told()) == ""
    for statement, more in ((TASK, {}), (FILE, {"task_id": None})):
        assert refusal(operator, statement, mine.told(**more)) == NO_CHECK
        newer = mine.told(**more)
        newer["at"] = newer["at"].replace(day=3)
        assert refusal(operator, statement, newer) == ""


HOLD = "INSERT INTO task_holds (task_id, agent_id) VALUES (%(task_id)s, %(agent_id)s)"
RELEASE = "DELETE FROM task_holds WHERE task_id = %(task_id)s"


@pytest.mark.promise(2, by="PostgreSQL")
@pytest.mark.parametrize("who", ["agent", "evaluator", "frontend"])
def test_nobody_but_the_operator_holds_releases_or_says_how_long(doors, agent, mine, who):
    connection = agent if who == "agent" else doors.component(who)
    operator = doors.component("operator")
    connection.execute("SET default_transaction_read_only = off")
    told = mine.told(task_id=mine.task)
    assert refusal(connection, HOLD, told) == DENIED
    assert refusal(operator, HOLD, told) == ""
    assert refusal(connection, RELEASE, told) == DENIED
    assert refusal(connection, "UPDATE task_holds SET reason = 'x'") == DENIED
    for table in ("task_holds", "retention_policies"):
        assert refusal(connection, f"SELECT * FROM {table}") == DENIED
        assert refusal(connection, f"DELETE FROM {table}") == DENIED
    policy = "INSERT INTO retention_policies (name, kind, older_than) VALUES ('x', 'tasks', '9 d')"
    assert refusal(connection, policy) == DENIED
    assert refusal(operator, policy.replace("9 d", "9 min")) == NO_CHECK
    assert refusal(operator, policy) == ""
    assert refusal(operator, "DELETE FROM retention_policies") == ""
    assert refusal(operator, RELEASE, told) == ""


@pytest.mark.promise(2, by="PostgreSQL")
def test_not_even_the_operator_deletes_what_is_held(doors, mine):
    operator, told = doors.component("operator"), mine.told(task_id=mine.task)
    assert refusal(operator, HOLD, told) == ""
    assert refusal(operator, OPEN, told) == NO_CHECK
    assert refusal(operator, OPEN, mine.told(task_id=None)) == NO_CHECK
    assert refusal(operator, "DELETE FROM tasks WHERE id = %(task_id)s", told) == "23503"
    assert refusal(operator, "TRUNCATE task_holds") == DENIED
    assert refusal(operator, RELEASE, told) == ""
    assert refusal(operator, OPEN, told) == ""
    assert refusal(operator, BURY, told) == ""
    assert refusal(operator, HOLD, told) == NO_CHECK
