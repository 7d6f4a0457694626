"""PostgreSQL itself keeps each component to its part: raw connections, each with its own login.

Beside each attack stands the same call where it is allowed, so that no typo passes for a refusal.
"""

import re

import pytest

from tests.security.postgres_logins import (
    DENIED,
    FILE,
    NO_CHECK,
    NO_REFERENCE,
    STEP,
    TABLES,
    TASK,
    VERDICT,
    a_key_id,
    refusal,
    rows,
    scram,
)

pytestmark = pytest.mark.promise(8, by="PostgreSQL")


class TestEvaluator:
    @pytest.mark.promise(8, by="PostgreSQL", control=True)
    @pytest.mark.parametrize("table", TABLES)
    def test_reads_the_rows_of_all_agents(self, doors, mine, theirs, table):
        found = rows(doors.component("evaluator"), f"SELECT DISTINCT agent_id FROM {table}")
        assert {(mine.agent_id,), (theirs.agent_id,)} <= set(found)

    @pytest.mark.parametrize(
        "statement",
        [
            TASK, STEP, FILE,
            "UPDATE tasks SET title = 'x'",
            "UPDATE task_progress SET message = 'x'",
            "UPDATE binary_file_metadata SET sequence = 1",
            "SELECT FROM tasks FOR UPDATE",
            "DELETE FROM evaluations",
            "TRUNCATE evaluations",
            "DELETE FROM tasks",
            "SELECT FROM agent_keys",
            "UPDATE agents SET disabled_at = NULL",
            "SET ROLE agentruns_operator",
            "CREATE TABLE public.mine (a int)",
        ],
    )  # fmt: skip
    def test_writes_verdicts_and_nothing_else(self, doors, mine, statement):
        evaluator = doors.component("evaluator")
        assert refusal(evaluator, statement, mine.told()) == DENIED
        assert refusal(evaluator, VERDICT, mine.told()) == ""
        assert refusal(evaluator, "UPDATE evaluations SET evidence_at = now()") == ""
        open_pass = "INSERT INTO evaluation_passes (id) VALUES (%(id)s)"
        assert refusal(evaluator, open_pass, mine.told()) == ""

    def test_files_a_verdict_under_the_agent_of_the_task(self, doors, mine, theirs):
        evaluator = doors.component("evaluator")
        assert refusal(evaluator, VERDICT, mine.told(task_id=theirs.task)) == NO_REFERENCE
        assert refusal(evaluator, VERDICT, theirs.told()) == ""


class TestFrontend:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT metadata FROM tasks",
            "SELECT * FROM tasks",
            "SELECT message FROM task_progress",
            "SELECT data FROM task_progress",
            "SELECT metrics FROM evaluations",
            "SELECT FROM evaluation_passes",
            "SELECT FROM agents",
            "SELECT FROM agent_keys",
            TASK, STEP, FILE, VERDICT,
            "UPDATE tasks SET title = 'x'",
            "DELETE FROM binary_file_metadata",
            "UPDATE screenshots SET content_type = 'text/html'",
            "DELETE FROM screenshots",
            "CREATE TEMP TABLE mine (a int)",
            "SET ROLE agentruns_operator",
        ],
    )  # fmt: skip
    def test_reads_its_summaries_and_nothing_else(self, doors, mine, statement):
        frontend = doors.component("frontend")
        frontend.execute("SET default_transaction_read_only = off")
        assert refusal(frontend, statement, mine.told()) == DENIED
        for view in ("task_summaries", "latest_scores", "screenshots"):
            told = [mine.agent_id]
            assert rows(frontend, f"SELECT * FROM {view} WHERE agent_id = %s", told)

    def test_sees_screenshots_and_no_other_file(self, doors, mine):
        frontend = doors.component("frontend")
        for table in ("binary_file_metadata", "screenshots"):
            found = f"SELECT id FROM {table} WHERE agent_id = %s"
            assert rows(frontend, found, [mine.agent_id]) == [(mine.picture,)]
        told = [mine.binary]
        assert rows(frontend, "SELECT FROM binary_file_metadata WHERE id = %s", told) == []


@pytest.mark.promise(2, by="PostgreSQL")
class TestOperator:
    @pytest.mark.parametrize(
        "statement",
        [
            "SET ROLE agentruns",
            "SET ROLE postgres",
            "CREATE ROLE mine",
            "CREATE DATABASE mine",
            "ALTER ROLE agentruns PASSWORD 'mine'",
            "ALTER ROLE CURRENT_USER CREATEROLE",
            "ALTER ROLE CURRENT_USER SUPERUSER",
            "GRANT agentruns TO CURRENT_USER",
            "GRANT pg_read_server_files TO CURRENT_USER",
            "CREATE TABLE public.mine (a int)",
            "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE OR REPLACE VIEW screenshots AS SELECT 1",
            "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE tasks OWNER TO agentruns_operator",
            "DROP POLICY own_rows ON tasks",
            "DROP TABLE tasks CASCADE",
            "TRUNCATE tasks CASCADE",
            "ALTER VIEW own_agent OWNER TO agentruns_operator",
            "UPDATE agent_keys SET agent_id = 'x'",
            "INSERT INTO agent_keys (key_id, agent_id) VALUES ('agentruns_operator', 'x')",
            "UPDATE alembic_version SET version_num = '9999'",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('postgresql.conf')",
        ],
    )
    def test_does_not_become_more(self, doors, mine, statement):
        operator = doors.component("operator")
        assert refusal(operator, statement) == DENIED
        assert rows(operator, "SELECT FROM tasks WHERE agent_id = %s", [mine.agent_id])

    @pytest.mark.parametrize(
        "name",
        ["postgres", "agentruns", "agentruns_operator", "agentruns_agent", "", "key_",
         "key_" + "0" * 15, "key_" + "0" * 17, "key_" + "A" * 16, "key_" + "0" * 16 + "\n",
         'key_"; DROP ROLE x'],
    )  # fmt: skip
    def test_makes_no_key_of_another_role(self, doors, mine, name):
        operator = doors.component("operator")
        make = "SELECT make_agent_key(%s, %s, %s)"
        verifier = scram(operator)
        assert refusal(operator, make, [name, mine.agent_id, verifier]) == NO_CHECK
        assert refusal(operator, make, [a_key_id(), mine.agent_id, verifier]) == ""

    def test_sets_passwords_of_the_components_only_and_never_in_plain_text(self, doors, mine):
        operator = doors.component("operator")
        setting = "SELECT set_component_password(%s, %s)"
        for component in ("postgres", "agent", "x", "operator; --"):
            assert refusal(operator, setting, [component, scram(operator)]) == "22023"
        assert refusal(operator, setting, ["evaluator", "hunter2"]) == "22023"
        make = "SELECT make_agent_key(%s, %s, %s)"
        assert refusal(operator, make, [a_key_id(), mine.agent_id, "hunter2"]) == "22023"
        password = doors._passwords["evaluator"]
        told = ["evaluator", scram(operator, "agentruns_evaluator", password)]
        assert refusal(operator, setting, told) == ""
        assert doors.component("evaluator")

    def test_takes_over_no_key_of_another_agent_or_another_database(
        self, doors, owner_url, mine, theirs
    ):
        operator = doors.component("operator")
        key = doors.granted(mine.agent_id)
        make = "SELECT make_agent_key(%s, %s, %s)"
        told = [key.key_id, theirs.agent_id, scram(operator)]
        assert refusal(operator, make, told) == NO_CHECK
        elsewhere = doors.opened(owner_url)
        assert refusal(elsewhere, make, told) == NO_CHECK
        assert refusal(operator, make, [key.key_id, mine.agent_id, scram(operator)]) == ""


@pytest.mark.parametrize("who", ["agent", "evaluator", "frontend"])
@pytest.mark.parametrize(
    "call",
    [
        "add_agent('x', false)",
        "make_agent_key('key_0000000000000000', 'x', 'x')",
        "complete_agent_key('key_0000000000000000')",
        "expire_agent_key('key_0000000000000000', now())",
        "revoke_agent_key('key_0000000000000000')",
        "disable_agent('x')",
        "set_component_password('operator', 'x')",
        "let_components_in()",
        "refuse_other_than_scram('x')",
        "role_exists('x')",
        "analyze_inventory()",
        "analyze_differences()",
    ],
)
def test_provisioning_is_for_the_operator(doors, agent, who, call):
    connection = agent if who == "agent" else doors.component(who)
    assert refusal(connection, f"SELECT {call}") == DENIED
    if not re.match("let_|refuse_|role_", call):
        # Whatever comes of it, as there is no such key: not for want of the right.
        assert refusal(doors.component("operator"), f"SELECT {call}") in {"", "22023", NO_CHECK}
    assert refusal(connection, "SELECT version_num FROM alembic_version") == ""


@pytest.mark.promise(2, by="PostgreSQL")
class TestCatalog:
    """What the next revision could forget."""

    def test_row_security_is_forced_on_every_table(self, doors):
        found = rows(
            doors.component("operator"),
            "SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
        )
        assert len(found) >= 8
        assert {name for name, forced in found if not forced} == {"alembic_version"}

    @pytest.mark.promise(3, by="PostgreSQL")
    def test_every_view_asks_with_the_rights_of_who_asks(self, doors):
        found = rows(
            doors.component("operator"),
            "SELECT relname, reloptions FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')",
        )
        assert len(found) == 8
        assert all("security_invoker=true" in (options or ()) for _, options in found)

    @pytest.mark.promise(3, by="PostgreSQL")
    def test_no_function_is_for_everybody_and_every_definers_path_is_pinned(self, doors):
        found = rows(
            doors.component("operator"),
            "SELECT proname, prosecdef, proconfig, EXISTS ("
            "  SELECT FROM aclexplode(COALESCE(proacl, acldefault('f', proowner)))"
            "  WHERE grantee = 0)"
            " FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        )
        assert len(found) >= 10
        for name, definer, configuration, public in found:
            assert not public, name
            path = [each for each in configuration or () if each.startswith("search_path=")]
            assert not definer or (path and path[0].endswith("pg_temp")), name

    def test_nobody_is_superuser_or_makes_roles_or_passes_row_security(self, doors, mine):
        doors.agent(mine.agent_id)
        found = rows(
            doors.component("operator"),
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls"
            "  OR rolreplication, rolconnlimit, rolcanlogin FROM pg_roles"
            " WHERE rolname ~ '^(agentruns_|key_)'",
        )
        assert len(found) >= 5
        for name, mighty, limit, logs_in in found:
            assert not mighty, name
            assert limit > 0 or not logs_in, name

    def test_the_owner_sees_no_row(self, doors, stack, mine):
        owner_url = stack.environment()["POSTGRES_OWNER_URL"]
        name = doors.operator_url.rpartition("/")[2]
        owner = doors.opened(f"{owner_url.rpartition('/')[0]}/{name}")
        for table in TABLES:
            assert rows(owner, f"SELECT count(*) FROM {table}") == [(0,)]
        assert rows(doors.component("operator"), "SELECT count(*) FROM tasks") > [(0,)]
