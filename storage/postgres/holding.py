"""Being the only one at some work, for as long as this process lives."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import StorageError
from storage.postgres.adapter import PostgresAdapter
from storage.postgres.queries import query

#: The longest that PostgreSQL knows is 24 days.
_SECONDS = 20 * 24 * 3600.0


@contextmanager
def holding(
    postgres: PostgresAdapter, what: str, refusal: StorageError, **about: object
) -> Iterator[None]:
    """Hold the lock that the query of this name asks for; a kill ends it, too.

    Raises:
        StorageError: the refusal, when somebody else holds it.
    """
    with postgres.connection(_SECONDS) as connection:
        # Between asking and the end of the work, nothing goes over this connection.
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        ((is_held,),) = connection.execute(query(what), about).fetchall()
        if not is_held:
            raise refusal
        yield
