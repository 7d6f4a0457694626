"""The schema: migrated forward, by one at a time, and never used by code that does not know it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from storage.errors import AccessDenied, RecordRejected, SchemaMismatch, SettingsError
from storage.postgres import PostgresAdapter
from storage.postgres.revisions import HEAD, REVISIONS, SQL
from storage.postgres.schema import check, migrate


@pytest.fixture
def empty_database(owner_url):
    with psycopg.connect(owner_url) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return owner_url


def schema_of(url):
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        indexes = connection.execute("SELECT indexdef FROM pg_indexes ORDER BY 1").fetchall()
    return columns, indexes


def set_revision(url, revision):
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])


def test_migrating_an_empty_database_gives_the_schema_of_this_code(empty_database):
    migrate(empty_database)
    check(empty_database)


def test_migrating_again_changes_nothing(owner_url):
    before = schema_of(owner_url)
    migrate(owner_url)
    assert schema_of(owner_url) == before


def test_two_migrations_at_once_do_the_work_once(empty_database):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_database] * 4))
    check(empty_database)


def test_the_indexes_of_the_original_design_are_there(database_url):
    definitions = " ".join(definition for (definition,) in schema_of(database_url)[1])
    assert "idx_agent_status ON public.tasks USING btree (agent_id, status)" in definitions
    assert (
        'idx_task_timestamp ON public.task_progress USING btree (task_id, "timestamp")'
        in definitions
    )
    assert (
        "idx_agent_task ON public.binary_file_metadata USING btree (agent_id, task_id)"
        in definitions
    )


def test_every_revision_has_one_sql_file_and_follows_exactly_one_other():
    for folder, kind in (("revisions", "sql"), ("alembic/versions", "py")):
        names = sorted(file.name[:4] for file in (SQL / folder).glob(f"[0-9]*.{kind}"))
        # Two that follow the same one would leave one of them out of the chain.
        assert names == sorted(REVISIONS)


def test_a_newer_schema_is_refused_by_everybody(owner_url, database_url):
    set_revision(owner_url, "9007")
    said = f"The database has schema 9007, this agentruns knows up to {HEAD}: update agentruns."
    with pytest.raises(SchemaMismatch, match=said):
        check(database_url)
    with pytest.raises(SchemaMismatch, match=said):
        migrate(owner_url)
    with closing(PostgresAdapter(database_url)) as postgres:
        with pytest.raises(SchemaMismatch, match=said):
            postgres.get_tasks()
        assert postgres.health_check().detail == said


def test_an_older_schema_is_refused_with_the_way_out(owner_url, database_url):
    set_revision(owner_url, "0000")
    with (
        closing(PostgresAdapter(database_url)) as postgres,
        pytest.raises(SchemaMismatch, match="run 'agentruns up' or 'agentruns deploy'"),
    ):
        postgres.get_tasks()


def test_a_database_without_schema_is_refused_with_the_way_out(empty_database):
    with (
        closing(PostgresAdapter(empty_database)) as postgres,
        pytest.raises(SchemaMismatch, match="no schema yet"),
    ):
        postgres.get_tasks()


OLD_ROWS = """
INSERT INTO tasks (id, agent_id, title, status, status_at, created_at)
VALUES ('00000000-0000-0000-0000-000000000001', 'a', 'x', 'pending', now(), now());
INSERT INTO task_progress (id, task_id, agent_id, "timestamp")
SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', agent_id, now()
FROM unnest(%s::text[]) AS agent_id
"""


@pytest.mark.parametrize("others", [[], ["b"]], ids=["as they should be", "of another agent"])
def test_rows_from_before_row_security_are_kept_and_new_ones_are_checked(
    empty_database, database_url, others
):
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('0003')")
        for revision in ("0001", "0002", "0003"):
            connection.execute(REVISIONS[revision].read_text())
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(OLD_ROWS, [["a", *others]])
    migrate(empty_database)
    with closing(PostgresAdapter(database_url)) as postgres:
        (task,) = postgres.get_tasks()
        assert len(postgres.get_task_progress(task.id)) == 1 + len(others)
        with pytest.raises(RecordRejected, match="progress_of_own_task"):
            postgres.add_progress_update(task.id, "b")
        assert postgres.add_progress_update(task.id, "a")


def test_a_failing_revision_leaves_the_database_as_it_was(empty_database):
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE evaluations (mine int)")
    before = schema_of(empty_database)
    with pytest.raises(Exception, match="PostgreSQL refused a statement"):
        migrate(empty_database)
    assert schema_of(empty_database) == before


def test_a_wrong_password_is_told_as_such(database_url):
    user = psycopg.conninfo.conninfo_to_dict(database_url)["user"]
    wrong = database_url.replace(f"//{user}:", f"//{user}:wr0ng")
    for call in (check, migrate, lambda url: PostgresAdapter(url).get_tasks()):
        with pytest.raises(AccessDenied, match="user and password") as refused:
            call(wrong)
        assert "wr0ng" not in f"{refused.value}{refused.value.__cause__}"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("mysql://u:s3cret@h/d", id="another scheme"),
        pytest.param("u:s3cret@h", id="no scheme"),
        pytest.param("postgresql://u:p%zzs3cret@h/d", id="broken percent-encoding"),
        pytest.param("postgresql://u:p@s3cret@h/d", id="bare at sign in the password"),
        pytest.param("postgresql://u:s3cret/x@h/d", id="bare slash in the password"),
        pytest.param("postgresql://u:s3cret@h:port/d", id="port that is no number"),
    ],
)
def test_a_malformed_url_is_told_at_once_and_never_repeated(url):
    with pytest.raises(SettingsError, match="POSTGRES_URL is malformed") as refused:
        PostgresAdapter(url)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None


HOSTILE = {
    "status": "UPDATE tasks SET status = 'running'",
    "agent id": "UPDATE tasks SET agent_id = 'A/../b'",
    "empty title": "UPDATE tasks SET title = ''",
    "percent": "UPDATE task_progress SET progress_percent = 101",
    "percent that is no number": "UPDATE task_progress SET progress_percent = 'NaN'",
    "score": "UPDATE evaluations SET score = 85.5",
    "place": "UPDATE task_progress SET sequence = 0",
    "place of a file": "UPDATE binary_file_metadata SET sequence = -1",
    "size": "UPDATE binary_file_metadata SET size_bytes = -1",
    "bucket": "UPDATE binary_file_metadata SET bucket = 'other'",
    "sibling's prefix": "UPDATE binary_file_metadata SET object_path = 'a1x/f'",
    "wildcard in the agent's id": "UPDATE binary_file_metadata SET object_path = 'ax1/f'",
    "two dots": "UPDATE binary_file_metadata SET object_path = 'a_1/../b'",
    "hash": "UPDATE binary_file_metadata SET sha256 = 'x'",
    "unknown task": "UPDATE task_progress SET task_id = gen_random_uuid()",
}


@pytest.mark.parametrize("statement", HOSTILE.values(), ids=HOSTILE)
def test_the_database_itself_refuses_what_the_models_refuse(postgres, statement):
    task = postgres.create_task(agent_id="a_1", title="x")
    postgres.add_progress_update(task.id, "a_1", 1)
    postgres.create_evaluation(
        task_id=task.id, agent_id="a_1", scorer="s", scorer_version="1", score=0.5
    )
    postgres.register_binary_file(
        agent_id="a_1",
        bucket="binaries",
        object_path="a_1/f",
        content_type="text/plain",
        size_bytes=1,
        sha256="0" * 64,
    )
    with (
        pytest.raises(RecordRejected, match="does not hold"),
        postgres.connection() as connection,
    ):
        connection.execute(statement)
