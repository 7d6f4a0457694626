"""PostgreSQL itself keeps an agent to its own rows: raw connections, each with its own login.

Beside each attack stands the same call where it is allowed, so that no typo passes for a refusal.
"""

from datetime import timedelta
from itertools import product
from uuid import uuid4

import psycopg
import pytest

from agentruns.models import AgentTask, Status, utcnow
from storage.postgres.transitions import replaces
from tests.security.postgres_logins import (
    AT,
    DENIED,
    FILE,
    NO_CHECK,
    STEP,
    TABLES,
    TASK,
    VERDICT,
    refusal,
    rows,
)

pytestmark = pytest.mark.promise(1, by="PostgreSQL")


class TestAgent:
    @pytest.mark.parametrize("table", TABLES)
    def test_reads_no_row_of_another_by_its_id(self, agent, mine, theirs, table):
        for whose, found in ((theirs, 0), (mine, 1)):
            told = [getattr(whose, TABLES[table])]
            assert len(rows(agent, f"SELECT * FROM {table} WHERE id = %s", told)) == found

    @pytest.mark.parametrize("table", TABLES)
    def test_lists_counts_and_copies_its_own_rows_only(self, agent, mine, theirs, table):
        own = [(mine.agent_id,)]
        assert rows(agent, f"SELECT DISTINCT agent_id FROM {table}") == own
        assert rows(agent, f"TABLE {table}")
        with agent.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copied:
            text = b"".join(bytes(block) for block in copied).decode()
        assert mine.agent_id in text
        assert theirs.agent_id not in text

    @pytest.mark.promise(3, by="PostgreSQL")
    @pytest.mark.parametrize("view", ["task_summaries", "latest_scores", "screenshots"])
    def test_no_view_is_a_way_around(self, doors, agent, theirs, view):
        assert refusal(agent, f"SELECT * FROM {view}") == DENIED
        mark = [theirs.agent_id]
        seen = f"SELECT FROM {view} WHERE agent_id = %s"
        assert rows(doors.component("frontend"), seen, mark)

    @pytest.mark.promise(3, by="PostgreSQL")
    def test_a_function_of_its_own_sees_no_row_of_another(self, agent, mine, theirs):
        """A function that tells what it is given, and claims to be cheaper than the policy."""
        agent.execute(
            "CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001"
            " AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'"
        )
        heard = []
        agent.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        rows(agent, "SELECT id FROM tasks WHERE pg_temp.tell(agent_id)")
        assert set(heard) == {mine.agent_id}

    def test_changes_no_row_of_another(self, agent, mine, theirs):
        change = "UPDATE tasks SET metadata = '{}' WHERE id = %s RETURNING id"
        assert rows(agent, change, [theirs.task]) == []
        assert rows(agent, change, [mine.task]) == [(mine.task,)]
        lock = "SELECT id FROM tasks WHERE id = %s FOR NO KEY UPDATE"
        assert rows(agent, lock, [theirs.task]) == []
        assert rows(agent, lock, [mine.task]) == [(mine.task,)]

    @pytest.mark.parametrize("insert", [TASK, STEP, FILE], ids=["task", "step", "file"])
    def test_adds_no_row_in_the_name_of_another(self, agent, mine, theirs, insert):
        assert refusal(agent, insert, theirs.told()) == DENIED
        assert refusal(agent, insert, mine.told()) == ""

    @pytest.mark.parametrize("table", TABLES)
    def test_gives_no_row_away_and_takes_none(self, agent, mine, theirs, table):
        about = {"id": mine.task, "agent_id": theirs.agent_id}
        assert (
            refusal(agent, f"UPDATE {table} SET agent_id = %(agent_id)s WHERE id = %(id)s", about)
            == DENIED
        )
        assert refusal(agent, "UPDATE tasks SET title = 'mine' WHERE id = %(id)s", about) == ""

    @pytest.mark.parametrize("table", TABLES)
    def test_deletes_nothing_not_even_its_own(self, doors, agent, mine, theirs, table):
        for whose in (mine, theirs):
            told = [getattr(whose, TABLES[table])]
            assert refusal(agent, f"DELETE FROM {table} WHERE id = %s", told) == DENIED
        assert refusal(agent, f"TRUNCATE {table} CASCADE") == DENIED
        assert refusal(agent, f"SELECT FROM {table}") == ""
        spare = doors.rows_of(mine.agent_id)
        told = [spare.verdict]
        deleted = rows(
            doors.component("operator"), "DELETE FROM evaluations WHERE id = %s RETURNING id", told
        )
        assert deleted == [(spare.verdict,)]

    @pytest.mark.parametrize("table", ["task_progress", "binary_file_metadata"])
    def test_rewrites_no_step_and_no_file(self, agent, table):
        assert refusal(agent, f"UPDATE {table} SET metadata = '{{}}'") in {DENIED, "42703"}
        assert refusal(agent, f"UPDATE {table} SET sequence = 7") == DENIED
        assert refusal(agent, f"SELECT sequence FROM {table}") == ""

    @pytest.mark.promise(3, by="PostgreSQL")
    @pytest.mark.parametrize("insert", [STEP, FILE], ids=["step", "file"])
    def test_hangs_nothing_on_the_task_of_another_and_learns_nothing(
        self, agent, mine, theirs, insert
    ):
        said = {}
        for task in (theirs.task, uuid4()):
            with pytest.raises(psycopg.errors.ForeignKeyViolation) as refused:
                agent.execute(insert.encode(), mine.told(task_id=task))
            said[task] = str(refused.value).replace(str(task), "the task")
        assert len(set(said.values())) == 1
        assert refusal(agent, insert, mine.told()) == ""

    @pytest.mark.promise(3, by="PostgreSQL")
    def test_a_taken_id_tells_nothing_about_whose_it_is(self, agent, mine, theirs):
        with pytest.raises(psycopg.errors.UniqueViolation) as refused:
            agent.execute(TASK.encode(), mine.told(id=theirs.task))
        assert theirs.agent_id not in str(refused.value)
        assert str(theirs.task) not in str(refused.value)
        told = mine.told(id=theirs.task)
        assert rows(agent, f"{TASK} ON CONFLICT (id) DO NOTHING RETURNING *", told) == []
        take = f"{TASK} ON CONFLICT (id) DO UPDATE SET title = 'mine' RETURNING title"
        assert refusal(agent, take, told) == DENIED
        assert rows(agent, take, mine.told(id=mine.task)) == [("mine",)]

    def test_writes_no_verdict(self, doors, agent, mine):
        assert refusal(agent, VERDICT, mine.told()) == DENIED
        assert refusal(agent, "UPDATE evaluations SET score = 1") == DENIED
        assert refusal(agent, "SELECT * FROM evaluation_passes") == DENIED
        assert refusal(doors.component("evaluator"), VERDICT, mine.told()) == ""

    def test_does_not_choose_when_its_task_was_stored(self, agent, mine):
        late = TASK.replace("(id,", "(evidence_at, id,").replace("VALUES (", "VALUES ('-infinity',")
        assert refusal(agent, late, mine.told()) == DENIED
        assert refusal(agent, TASK, mine.told()) == ""

    @pytest.mark.parametrize("name", ["evidence_at", "heartbeat_at", "started_at"])
    @pytest.mark.parametrize("at", ["infinity", "-infinity", "12000-01-01", "0044-03-15 BC"])
    def test_leaves_no_time_that_stops_whoever_reads_it(self, agent, mine, name, at):
        """Among them the evaluator, in a pass over all agents."""
        update = f"UPDATE tasks SET {name} = %(at)s WHERE id = %(id)s"
        assert agent.execute(update, {"id": mine.task, "at": "2026-02-01"}).rowcount == 1
        assert refusal(agent, update, {"id": mine.task, "at": at}) == NO_CHECK
        for insert in (STEP, FILE):
            assert refusal(agent, insert, mine.told(at=at)) == NO_CHECK
            agent.execute(insert, mine.told(at="2026-02-01"))

    @pytest.mark.promise(4, by="PostgreSQL")
    @pytest.mark.parametrize(
        "role",
        ["postgres", "agentruns", "agentruns_operator", "agentruns_evaluator", "another key"],
    )
    def test_becomes_nobody_else(self, doors, agent, theirs, role):
        role = doors.granted(theirs.agent_id).key_id if role == "another key" else role
        assert refusal(agent, f"SET ROLE {role}") == DENIED
        assert refusal(agent, f"SET SESSION AUTHORIZATION {role}") == DENIED
        assert refusal(agent, "SELECT set_config('role', %s, false)", [role]) == DENIED
        assert refusal(agent, f"GRANT {role} TO CURRENT_USER") == DENIED
        assert refusal(agent, "SET ROLE agentruns_agent") == ""

    @pytest.mark.promise(4, by="PostgreSQL")
    def test_stays_itself_in_the_role_of_its_group(self, agent, mine, theirs):
        agent.execute("SET ROLE agentruns_agent")
        assert rows(agent, "SELECT DISTINCT agent_id FROM tasks") == [(mine.agent_id,)]

    @pytest.mark.promise(4, by="PostgreSQL")
    @pytest.mark.parametrize(
        "name", ["agentruns.agent_id", "app.agent_id", "agent.id", "application_name"]
    )
    def test_no_setting_claims_another_agent(self, agent, mine, theirs, name):
        agent.execute("SELECT set_config(%s, %s, false)", [name, theirs.agent_id])
        assert rows(agent, "SELECT agent_id FROM own_agent") == [(mine.agent_id,)]
        assert rows(agent, "SELECT DISTINCT agent_id FROM tasks") == [(mine.agent_id,)]

    @pytest.mark.promise(4, by="PostgreSQL")
    def test_does_not_switch_row_security_off(self, agent):
        assert refusal(agent, "SELECT FROM tasks") == ""
        agent.execute("SET row_security = off")
        assert refusal(agent, "SELECT FROM tasks") == DENIED
        assert refusal(agent, "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY") == DENIED
        assert refusal(agent, "DROP POLICY own_rows ON tasks") == DENIED
        assert refusal(agent, "ALTER TABLE tasks DISABLE TRIGGER status_only_goes_on") == DENIED
        assert refusal(agent, "SET session_replication_role = replica") == DENIED
        assert refusal(agent, "ALTER ROLE CURRENT_USER BYPASSRLS") == DENIED

    @pytest.mark.promise(4, by="PostgreSQL")
    @pytest.mark.parametrize("trick", ["table", "view", "function", "type"])
    def test_shadows_nothing_that_the_policies_rely_on(self, agent, mine, theirs, trick):
        """What is in pg_temp or first on the search path is not what a policy finds."""
        agent.execute(
            {
                "table": "CREATE TEMP TABLE agent_keys AS SELECT session_user::text AS key_id,"
                " now() AS revoked_at",
                "view": f"CREATE TEMP VIEW own_agent AS SELECT '{theirs.agent_id}' AS agent_id",
                "function": "CREATE FUNCTION pg_temp.texteq(text, text) RETURNS boolean"
                " LANGUAGE sql AS 'SELECT true'",
                "type": "CREATE TYPE pg_temp.text AS (a int)",
            }[trick].encode()
        )
        agent.execute("SET search_path = pg_temp, public")
        assert rows(agent, "SELECT DISTINCT agent_id FROM public.tasks") == [(mine.agent_id,)]

    @pytest.mark.promise(2, by="PostgreSQL")
    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TABLE public.mine (a int)",
            "CREATE VIEW public.mine AS SELECT 1",
            "CREATE FUNCTION public.mine() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "CREATE OR REPLACE VIEW own_agent AS SELECT 'x' AS agent_id",
            "CREATE OR REPLACE FUNCTION public.goes_on(text, timestamptz, text, timestamptz)"
            " RETURNS boolean LANGUAGE sql AS 'SELECT true'",
            "CREATE SCHEMA mine",
            "CREATE ROLE mine",
            "CREATE DATABASE mine",
            "CREATE TRIGGER mine BEFORE UPDATE ON tasks EXECUTE FUNCTION refuse_older_status()",
            "ALTER ROLE CURRENT_USER CREATEROLE",
            "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
            "DO 'BEGIN LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE; END'",
            "DO 'BEGIN LOCK TABLE tasks IN SHARE MODE; END'",
            "DO 'BEGIN LOCK TABLE task_progress IN SHARE MODE; END'",
        ],
    )
    def test_makes_and_locks_nothing_that_others_use(self, agent, statement):
        assert refusal(agent, statement) == DENIED
        assert refusal(agent, "CREATE TEMP TABLE mine (LIKE task_progress)") == ""
        assert refusal(agent, "DO 'BEGIN LOCK TABLE tasks IN ACCESS SHARE MODE; END'") == ""

    @pytest.mark.promise(2, by="PostgreSQL")
    def test_passes_no_right_on(self, doors, agent):
        """PostgreSQL answers a grant that grants nothing with a warning."""
        frontend = doors.component("frontend")
        agent.execute("GRANT SELECT ON tasks, evaluations TO PUBLIC")
        assert refusal(frontend, "SELECT metadata FROM tasks") == DENIED
        assert refusal(frontend, "SELECT title FROM tasks") == ""

    @pytest.mark.promise(2, by="PostgreSQL")
    @pytest.mark.parametrize(
        "statement",
        [
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "COPY mine FROM PROGRAM 'true'",
            "COPY (SELECT 1) TO '/tmp/mine'",
            "COPY mine FROM '/etc/passwd'",
            "SELECT pg_read_file('postgresql.conf')",
            "SELECT pg_ls_dir('.')",
            "SELECT lo_import('/etc/passwd')",
            "SELECT pg_reload_conf()",
            "SELECT rolpassword FROM pg_authid",
            "SELECT * FROM pg_statistic",
            "ALTER SYSTEM SET work_mem = '1MB'",
        ],
    )
    def test_reaches_no_file_and_no_program(self, agent, statement):
        agent.execute("CREATE TEMP TABLE mine (a text)")
        assert refusal(agent, statement) == DENIED
        assert refusal(agent, "SELECT current_setting('server_version')") == ""

    def test_sees_its_own_key_only_and_changes_none(self, doors, agent, mine, theirs):
        other = doors.granted(theirs.agent_id)
        second = doors.granted(mine.agent_id)
        (key,) = rows(agent, "SELECT key_id FROM agent_keys")
        assert key == rows(agent, "SELECT session_user::text")[0]
        assert key[0] not in {other.key_id, second.key_id}
        assert rows(agent, "SELECT agent_id FROM agents") == [(mine.agent_id,)]
        for statement in (
            f"UPDATE agent_keys SET agent_id = '{theirs.agent_id}'",
            "UPDATE agent_keys SET expires_at = 'infinity'",
            "DELETE FROM agent_keys",
            "UPDATE agents SET append_only = false",
            f"INSERT INTO agent_keys (key_id, agent_id) VALUES ('{key[0]}', '{theirs.agent_id}')",
        ):
            assert refusal(agent, statement) == DENIED
        listed = {known.key_id for known in doors.access.agent(mine.agent_id).keys}
        assert listed == {key[0], second.key_id}

    def test_ends_no_connection_of_another(self, doors, agent, mine, theirs):
        other = doors.agent(theirs.agent_id)
        ending = "SELECT pg_terminate_backend(%s)"
        assert refusal(agent, ending, [other.info.backend_pid]) == DENIED
        key = doors.granted(mine.agent_id)
        one, another = doors.key(key), doors.key(key)
        assert refusal(one, ending, [another.info.backend_pid]) == ""

    @pytest.mark.parametrize(
        "lock",
        ["pg_advisory_lock", "pg_advisory_xact_lock", "pg_try_advisory_lock",
         "pg_advisory_lock_shared", "pg_try_advisory_xact_lock_shared"],
    )  # fmt: skip
    def test_holds_up_no_pass_and_no_migration(self, doors, agent, lock):
        assert refusal(agent, f"SELECT {lock}(7)") == DENIED
        assert refusal(agent, f"SELECT {lock}(7, 7)") == DENIED
        assert refusal(doors.component("frontend"), f"SELECT {lock}(7)") == DENIED
        assert refusal(doors.component("evaluator"), f"SELECT {lock}(7)") == ""

    def test_sees_no_statement_of_another(self, doors, agent, theirs):
        other = doors.agent(theirs.agent_id)
        other.execute("SELECT 'a secret of theirs'")
        about = "SELECT query FROM pg_stat_activity WHERE pid = %s"
        (told,) = rows(agent, about, [other.info.backend_pid])
        assert "secret" not in told[0]
        assert rows(other, about, [other.info.backend_pid])


class TestStatus:
    @pytest.mark.promise(1, by="PostgreSQL", control=True)
    @pytest.mark.parametrize(("earlier", "later"), [*product(Status, Status)], ids=str)
    def test_the_trigger_allows_what_the_writer_would_do(self, doors, earlier, later):
        operator = doors.component("operator")
        for newer in (-1, 0, 1):
            at = AT + timedelta(days=newer)
            about = {"agent_id": "a", "title": "x"}
            known = AgentTask(**about, status=earlier, status_at=AT)
            told = AgentTask(**about, status=later, status_at=at)
            asked = "SELECT goes_on(%s, %s, %s, %s)"
            answer = rows(operator, asked, [str(earlier), AT, str(later), at])
            assert answer == [(replaces(told, known),)]

    @pytest.mark.parametrize("who", ["agent", "operator"])
    def test_nobody_revives_an_older_status(self, doors, agent, mine, who):
        connection = agent if who == "agent" else doors.component(who)
        change = "UPDATE tasks SET status = %s, status_at = %s, finished_at = %s WHERE id = %s"
        done = ["completed", AT, AT, mine.task]
        assert refusal(connection, change, done) == ""
        for older in ("pending", "in_progress", "interrupted", "failed"):
            told = [older, utcnow(), None, mine.task]
            assert refusal(connection, change, told) == NO_CHECK
        earlier = ["completed", AT - timedelta(days=1), AT, mine.task]
        assert refusal(connection, change, earlier) == NO_CHECK
        assert refusal(connection, "UPDATE tasks SET finished_at = NULL") == NO_CHECK
        assert refusal(connection, "UPDATE tasks SET evidence_at = clock_timestamp()") == ""
