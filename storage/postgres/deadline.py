"""Connections that never wait longer than they were told to."""

import time
from typing import Any, Self, TypeVar, cast

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from psycopg.rows import Row, TupleRow

from storage.postgres.address import parameters

Result = TypeVar("Result")


class DeadlineConnection(Connection[Row]):
    """A connection whose every wait ends at its deadline, also when the server is frozen."""

    # Server-side timeouts and keepalives are no help there: a stopped server runs no timer,
    # while its kernel goes on to acknowledge every packet.

    _deadline: float | None = None

    def allow(self, seconds: float) -> Self:
        """Give it so many seconds from now for everything that follows."""
        self._deadline = time.monotonic() + seconds
        return self

    def wait(
        self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None
    ) -> Result:
        """Wait as the driver does, until the deadline; then the connection is of no more use."""
        if timeout is not None or self._deadline is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, max(0.0, self._deadline - time.monotonic()))
        except _WaitTimeout as error:
            self.pgconn.finish()
            raise OperationalError("the server did not answer by the deadline") from error


def connect(url: str, seconds: float, **session: Any) -> DeadlineConnection[TupleRow]:
    """A connection outside any pool, which has `seconds` for everything that is done with it."""
    given = parameters(url, seconds) | session
    connection = DeadlineConnection.connect(**given)
    return cast(DeadlineConnection[TupleRow], connection).allow(seconds)
