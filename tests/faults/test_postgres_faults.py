"""A PostgreSQL that is away, frozen or cut off: every call ends by its deadline, in our words."""

import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event, Thread

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from agentruns.models import AgentTask, ProgressUpdate
from storage.errors import StoreUnavailable
from storage.postgres import PostgresAdapter

#: The slowest that a call may end on the tests' machine, beyond its own deadline.
GRACE = 1.0


class Proxy:
    """Stands before a server and can go silent, as a frozen server does: its kernel still acks."""

    def __init__(self, host, port):
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._flowing = Event()
        self._flowing.set()
        self._cut_after = None
        self._pairs = []
        Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        self._flowing.clear()

    def thaw(self):
        self._flowing.set()

    def cut_replies(self):
        """Let requests through, and hang up where the reply would come."""
        self._cut_after = True

    def hang_up(self):
        """Close every connection, and take the next ones as if nothing had been."""
        self._cut_after = None
        for pair in self._pairs:
            for end in pair:
                _hang_up(end)
        self._pairs.clear()

    def close(self):
        self._listener.close()
        self.hang_up()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._pairs.append((client, server))
            Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client, server):
        with client, server:
            try:
                while self._carry_once(client, server):
                    pass
            except (OSError, ValueError):
                pass
            _hang_up(client)
            _hang_up(server)

    def _carry_once(self, client, server):
        for end in select.select([client, server], [], [])[0]:
            self._flowing.wait()
            data = end.recv(65536)
            if not data or (self._cut_after and end is server):
                return False
            (server if end is client else client).sendall(data)
        return True


def _hang_up(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        end.close()


@pytest.fixture
def proxy(database_url):
    server = conninfo_to_dict(database_url)
    with closing(Proxy(server["host"], int(server["port"]))) as proxy:
        yield proxy


@pytest.fixture
def through(proxy, database_url):
    """An adapter that reaches the server through the proxy, and waits two seconds for it."""
    port = conninfo_to_dict(database_url)["port"]
    url = database_url.replace(f":{port}/", f":{proxy.port}/")
    with closing(PostgresAdapter(url, seconds=2)) as adapter:
        yield adapter
        proxy.thaw()


@pytest.fixture
def black_hole():
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://u:s3cret@127.0.0.1:{listener.getsockname()[1]}/d"


@contextmanager
def ends_within(seconds):
    start = time.monotonic()
    yield
    assert time.monotonic() - start < seconds + GRACE


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"postgresql://u:s3cret@127.0.0.1:{port}/d"


def test_a_port_where_nothing_listens_is_told_soon(closed_port):
    with (
        closing(PostgresAdapter(closed_port)) as postgres,
        ends_within(3),
        pytest.raises(StoreUnavailable, match="nothing listens at its address") as away,
    ):
        postgres.get_tasks()
    assert "s3cret" not in f"{away.value}{away.value.__cause__}"


def test_an_unknown_host_is_told():
    with (
        closing(PostgresAdapter("postgresql://u:s3cret@no-such-host.invalid/d")) as postgres,
        pytest.raises(StoreUnavailable, match="its host name is unknown"),
    ):
        postgres.get_tasks()


def test_something_else_on_the_port_is_told(minio_port):
    url = f"postgresql://u:s3cret@127.0.0.1:{minio_port}/d"
    with closing(PostgresAdapter(url)) as postgres, pytest.raises(StoreUnavailable):
        postgres.get_tasks()


@pytest.fixture
def minio_port(stack):
    return stack.environment()["MINIO_ENDPOINT"].rpartition(":")[2]


@pytest.mark.parametrize("place", ["closed_port", "black_hole"])
def test_a_health_check_answers_within_two_seconds_whatever_is_there(place, request):
    with closing(PostgresAdapter(request.getfixturevalue(place))) as postgres:
        start = time.monotonic()
        health = postgres.health_check()
        assert time.monotonic() - start <= 2
    assert not health.healthy
    assert health.detail.endswith(".")
    assert "s3cret" not in health.detail


def test_a_server_that_freezes_between_two_calls_is_given_up_and_used_again(through, proxy):
    through.get_tasks()
    proxy.freeze()
    with (
        ends_within(2 + 5 + 3),
        pytest.raises(StoreUnavailable, match="did not answer in time"),
    ):
        through.get_tasks()
    start = time.monotonic()
    assert not through.health_check().healthy
    assert time.monotonic() - start <= 2
    proxy.thaw()
    assert list(through.get_tasks()) == []


def test_a_server_that_freezes_within_a_call_is_given_up_at_the_deadline(through, proxy):
    def freeze_while_asking():
        with through.connection() as connection:
            proxy.freeze()
            connection.execute("SELECT 1")

    with ends_within(2), pytest.raises(StoreUnavailable, match="did not answer in time"):
        freeze_while_asking()


def test_a_server_that_freezes_within_a_copy_is_given_up_at_the_deadline(through, proxy):
    def freeze_while_copying():
        with through.connection() as connection:
            connection.execute("CREATE TEMP TABLE t (x text)")
            proxy.freeze()
            with connection.cursor().copy("COPY t FROM STDIN") as copy:
                for _ in range(100):
                    copy.write("x" * 100_000 + "\n")

    with ends_within(2), pytest.raises(StoreUnavailable, match="did not answer in time"):
        freeze_while_copying()


def test_a_statement_that_takes_too_long_is_given_up(through):
    def sleep():
        with through.connection() as connection:
            connection.execute("SELECT pg_sleep(30)")

    with ends_within(2), pytest.raises(StoreUnavailable):
        sleep()


def test_a_connection_lost_in_a_transaction_rolls_it_back(through, proxy, agent_id):
    task = through.create_task(agent_id=agent_id, title="x")

    def lose_it():
        with through.connection() as connection:
            connection.execute("UPDATE tasks SET title = 'half done'")
            proxy.hang_up()
            connection.execute("UPDATE tasks SET title = 'done'")

    with pytest.raises(StoreUnavailable):
        lose_it()
    assert through.get_task(task.id) == task


def test_a_server_that_never_greets_us_is_given_up_by_all_threads_at_once(black_hole):
    """Nobody waits for the attempts of the others."""

    def ask(_):
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            postgres.get_tasks()

    with (
        closing(PostgresAdapter(black_hole)) as postgres,
        ThreadPoolExecutor(10) as pool,
        ends_within(3.5 * 3),
    ):
        list(pool.map(ask, range(10)))


def test_dead_connections_in_the_pool_are_not_lent(through, proxy):
    through.get_tasks()
    proxy.hang_up()
    with ends_within(2):
        assert list(through.get_tasks()) == []


def test_connections_that_the_server_ended_are_not_lent(postgres, database_url):
    postgres.get_tasks()
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert list(postgres.get_tasks()) == []


def test_a_reply_lost_after_the_commit_duplicates_nothing(through, proxy, postgres, agent_id):
    task = through.create_task(agent_id=agent_id, title="x")
    step = ProgressUpdate(task_id=task.id, agent_id=agent_id)

    def commit_and_lose_the_reply():
        with through.connection() as connection:
            connection.execute(
                'INSERT INTO task_progress (id, task_id, agent_id, "timestamp")'
                " VALUES (%s, %s, %s, %s)",
                [step.id, task.id, agent_id, step.timestamp],
            )
            proxy.cut_replies()

    with pytest.raises(StoreUnavailable):
        commit_and_lose_the_reply()
    proxy.hang_up()
    through.store_rows(progress=[step])
    assert list(postgres.get_task_progress(task.id)) == [step]


def test_calls_by_many_threads_share_a_bounded_pool(postgres, agent_id, database_url):
    def write():
        for _ in range(5):
            postgres.store_rows(tasks=[AgentTask(agent_id=agent_id, title="x")])

    postgres.get_tasks(limit=1)  # each of the first to come asks the server why it might not work
    threads = [Thread(target=write) for _ in range(30)]
    for thread in threads:
        thread.start()
    with psycopg.connect(database_url, autocommit=True) as operator:
        most = operator.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()[0]
    for thread in threads:
        thread.join()
    assert most <= 9
    assert len(postgres.get_tasks(limit=1000)) == 150
