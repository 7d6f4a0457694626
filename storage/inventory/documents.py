"""What MongoDB tells of tasks, compared with PostgreSQL agent by agent."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from uuid import UUID

from storage.mongo.told_tasks import COLLECTIONS, AgentPlace, ToldTask, ToldTasks
from storage.postgres import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.queries import query
from storage.retries import retried

_THREADS = 4
#: As many task ids are in memory at once.
_CHUNK = 10_000
#: An agent with ten million tasks.
_AGENT_SECONDS = 3600.0


class DocumentListing:
    """Finds the documents whose tasks PostgreSQL does not know, or knows otherwise."""

    def __init__(self, postgres: PostgresAdapter, told: ToldTasks) -> None:
        self._postgres = postgres
        self._told = told

    def take(self, snapshot_id: UUID) -> None:
        """Compare the documents of every agent; what an older check found and this did not, goes.

        Raises:
            StoreUnavailable: when one of the clusters is away.
        """
        parts = [(place, name) for place in self._told.places() for name in COLLECTIONS]
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="documents") as pool:
            for _ in pool.map(lambda part: self._compare(snapshot_id, *part), parts):
                pass
        self._forget_others(snapshot_id)

    @retried
    def _compare(self, snapshot_id: UUID, place: AgentPlace, collection: str) -> None:
        given = {"snapshot_id": snapshot_id, "agent": place.agent_id, "collection": collection}
        with self._told.of(place, collection) as found:
            for chunk in _chunks(found):
                # A transaction for each, as nobody keeps one open while a server thinks.
                with self._postgres.connection(_AGENT_SECONDS) as connection:
                    _copy(connection, chunk)
                    connection.execute(query("compare_documents"), given)

    @retried
    def _forget_others(self, snapshot_id: UUID) -> None:
        with self._postgres.connection() as connection:
            given = {"snapshot_id": snapshot_id}
            connection.execute(query("forget_document_differences"), given)


def _chunks(found: Iterator[ToldTask]) -> Iterator[tuple[ToldTask, ...]]:
    while chunk := tuple(islice(found, _CHUNK)):
        yield chunk


def _copy(connection: PgConnection, found: Iterable[ToldTask]) -> None:
    connection.execute(query("make_room_for_documents"))
    with connection.cursor() as cursor, cursor.copy(query("copy_documents")) as copy:
        for one in found:
            copy.write_row(one)
