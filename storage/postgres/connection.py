"""The way to a database: a bounded pool that opens on first use, keeps deadlines and checks."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from psycopg.adapt import AdaptersMap
from psycopg.postgres import adapters
from psycopg.rows import TupleRow
from psycopg.types.json import JsonbBinaryDumper, JsonbDumper
from psycopg_pool import ConnectionPool, PoolTimeout

from storage.marker import Guard
from storage.postgres.address import parameters
from storage.postgres.deadline import DeadlineConnection, connect
from storage.postgres.errors import translated
from storage.postgres.marking import NAME, marker_of
from storage.postgres.revisions import current_revision, refuse_mismatch

PgConnection = DeadlineConnection[TupleRow]

# The driver's warnings are for those who set up logging; everybody else gets our errors only.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

_MOST_CONNECTIONS = 8
_SECONDS_TO_GET_ONE = 5.0
_SECONDS_TO_CHECK_ONE = 2.0


class Database:
    """One PostgreSQL database; nothing is opened before it is used."""

    def __init__(self, url: str, seconds: float, guard: Guard) -> None:
        self._url = url
        self._guard = guard
        self._seconds = seconds
        self._pool: ConnectionPool[PgConnection] | None = None
        self._opening = Lock()
        # A malformed URL is told at once, without any I/O.
        self._parameters = {
            **parameters(url, seconds),
            "context": _our_adapters(),
            # A prepared statement soon gets a generic plan, which cannot know which optional
            # filters are NULL and so uses no index. (plan_cache_mode would cost the checks of
            # foreign keys a planning each.)
            "prepare_threshold": None,
        }

    @contextmanager
    def connection(self, seconds: float | None = None) -> Iterator[PgConnection]:
        """One transaction on a checked connection: committed on leaving, rolled back on errors.

        Everything in it has to end within `seconds`, by default those of the database.
        """
        with translated(), self._lent() as connection:
            connection.allow(seconds or self._seconds)
            if seconds and seconds > self._seconds:
                connection.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [str(int(seconds * 1000))]
                )
            yield connection

    def probe(self, seconds: float) -> str:
        """The server's version, asked on a connection of its own.

        Raises:
            StorageError: also when it has another schema, or belongs to another environment.
        """
        with translated(), connect(self._url, seconds) as connection:
            refuse_mismatch(current_revision(connection))
            self._guard.check(NAME, marker_of(connection))
            return f"PostgreSQL {connection.info.server_version // 10_000} answers."

    def close(self) -> None:
        """Give up every connection; the next use opens new ones."""
        with self._opening:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    @contextmanager
    def _lent(self) -> Iterator[PgConnection]:
        pool = self._opened()
        try:
            connection = pool.getconn()
        except PoolTimeout:
            self._tell_why()
            raise
        try:
            with connection:
                yield connection
        finally:
            pool.putconn(connection)

    def _opened(self) -> "ConnectionPool[PgConnection]":
        if (pool := self._pool) is not None:
            return pool
        # Outside the lock: in an outage, nobody waits for the others' attempts.
        self._tell_why()
        with self._opening:
            self._pool = self._pool or self._new_pool()
            return self._pool

    def _tell_why(self) -> None:
        # The pool only says that it got no connection; an attempt of our own says why.
        self.probe(_SECONDS_TO_CHECK_ONE)

    def _new_pool(self) -> "ConnectionPool[PgConnection]":
        return ConnectionPool(
            connection_class=PgConnection,
            kwargs=self._parameters,
            min_size=0,
            max_size=_MOST_CONNECTIONS,
            timeout=_SECONDS_TO_GET_ONE,
            # After an outage, the next caller tries at once and waits for no backoff of the pool.
            reconnect_timeout=_SECONDS_TO_GET_ONE,
            # A server that was restarted leaves dead connections in the pool.
            check=_check,
            open=True,
        )


def _check(connection: PgConnection) -> None:
    ConnectionPool.check_connection(connection.allow(_SECONDS_TO_CHECK_ONE))


def _our_adapters() -> AdaptersMap:
    ours = AdaptersMap(adapters)
    # Every dict that goes into a table is a jsonb column; text is the format that wins, because
    # parameters of unknown binary format cannot be cast.
    ours.register_dumper(dict, JsonbBinaryDumper)
    ours.register_dumper(dict, JsonbDumper)
    return ours
