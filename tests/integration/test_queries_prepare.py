"""PostgreSQL can plan each named query, so no table, column or type name is stale."""

import re

import aiosql
import psycopg
import pytest

from storage.postgres.queries import FOLDER, NAMES, query


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url) as connection:
        for name in NAMES:
            if query(name).startswith("CREATE TEMP TABLE"):
                connection.execute(query(name))
        for table in ("task_progress", "binary_file_metadata", "evaluations"):
            connection.execute(f"CREATE TEMP TABLE incoming_{table} (LIKE {table})")
        yield connection


def test_postgresql_can_prepare_every_named_query(connection):
    refused = {}
    for name in NAMES:
        try:
            connection.execute(f"SAVEPOINT before; PREPARE this AS {numbered(query(name))}")
        except psycopg.errors.SyntaxError:
            # Not everything that is run by name can be prepared: a COPY can't.
            connection.execute("ROLLBACK TO before")
            parsed = connection.pgconn.prepare(b"", query(name).encode())
            if parsed.status != psycopg.pq.ExecStatus.COMMAND_OK:
                refused[name] = parsed.error_message.decode()
        except psycopg.Error as error:
            refused[name] = str(error)
            connection.execute("ROLLBACK TO before")
        else:
            connection.execute("DEALLOCATE this")
    assert NAMES
    assert refused == {}


def test_no_two_queries_share_a_name():
    """The later one would silently take the place of the earlier."""
    text = "\n".join(file.read_text() for file in FOLDER.glob("*.sql"))
    names = re.findall(r"^-- name: (\w+)", text, re.MULTILINE)
    assert sorted(names) == sorted(NAMES)


def test_loading_the_queries_warns_of_nothing(caplog):
    """A statement that returns no rows ends its name with `!`, else every start warns of it."""
    aiosql.from_path(FOLDER, "psycopg", mandatory_parameters=False)
    assert caplog.messages == []


def test_every_query_says_in_a_comment_what_it_is_for():
    heads = [
        head
        for file in FOLDER.glob("*.sql")
        for head in re.findall(r"^-- name: .*\n(.*)", file.read_text(), re.MULTILINE)
    ]
    assert [head for head in heads if not head.startswith("-- ")] == []


def numbered(text):
    """The query with $1, $2... for its named parameters, as the server wants them."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", text)
