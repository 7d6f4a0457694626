"""Objects on their way to MinIO, and then their rows to PostgreSQL."""

from collections.abc import Container, Mapping, Sequence
from functools import partial
from uuid import UUID

from agentruns.models import Upload
from agentruns.spool import Lane
from storage.delivery.adapters import AgentAdapters
from storage.delivery.postgres_destination import PostgresDestination
from storage.delivery.state import DeliveryState, Stopping
from storage.errors import RecordRejected
from storage.minio import MinIOAdapter
from storage.rejection import Rejection
from storage.rows import store_rows
from storage.settings import Settings
from storage.writer import PutResult, put_objects

#: So soon it is seen that the delivery stops.
_LOOK_SECONDS = 0.2


class FilesDestination(PostgresDestination):
    """MinIO, and PostgreSQL as it knows of the objects there."""

    lane = Lane.FILES

    def __init__(self, state: DeliveryState) -> None:
        super().__init__(state)
        self._minio = AgentAdapters(_minio, state.settings_of)
        self._ids: list[UUID] = []
        self._done = PutResult([], [])

    def store(self, agent_id: str, records: Sequence[Upload]) -> list[Rejection]:
        """Put the objects, and register them."""
        put = self._put_once(agent_id, records)
        keep = partial(self._keep, agent_id)
        try:
            keep(files=put.files)
        except RecordRejected:
            # Perhaps their tasks are still on the way. Whatever a file refers to was written
            # before it, so it is in the spool.
            self._wait_for_rows(agent_id)
            return put.rejected + store_rows(keep, {"files": put.files}, ())
        return put.rejected

    def forget(self, agent_id: str) -> None:
        """Close what this agent has open."""
        super().forget(agent_id)
        self._minio.forget(agent_id)

    def close(self) -> None:
        """Close every connection."""
        super().close()
        self._minio.close()

    def _put_once(self, agent_id: str, records: Sequence[Upload]) -> PutResult:
        """Put the objects; not again when PostgreSQL was away after it."""
        ids = [record.file.id for record in records]
        if self._ids != ids:
            self._done, self._ids = put_objects(self._minio.of(agent_id), records), ids
        return self._done

    def _wait_for_rows(self, agent_id: str) -> None:
        """Wait until the rows are as far as they are known now, but for those of refused agents.

        Raises:
            StorageError: when the agent's own rows are refused, with the words of their store.
        """
        holds, marks = self._state.holds[Lane.ROWS], self._state.backlogs[Lane.ROWS].marks()
        # Asked each time: another agent may be refused meanwhile, and would never get there.
        while not self._state.watermarks.wait_for(
            Lane.ROWS, _without(marks, holds.refused(but_of=agent_id)), _LOOK_SECONDS
        ):
            if error := holds.error_of(agent_id):
                raise type(error)(str(error))
            if self._state.stopping.is_set():
                raise Stopping
            self._state.stuck(self.lane)
        self._state.going(self.lane)


def _without(marks: Mapping[str, int], segments: Container[str]) -> dict[str, int]:
    return {segment: last for segment, last in marks.items() if segment not in segments}


def _minio(settings: Settings) -> MinIOAdapter:
    return MinIOAdapter(settings=settings)
