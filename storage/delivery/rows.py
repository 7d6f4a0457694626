"""Tasks and their progress on their way to PostgreSQL, and the tasks that MongoDB has more of."""

import time
from collections.abc import Sequence
from functools import partial
from math import inf
from uuid import UUID

from agentruns.models import AgentTask, ProgressUpdate
from agentruns.spool import Lane
from storage.delivery.groups import Group
from storage.delivery.postgres_destination import PostgresDestination
from storage.delivery.state import ONE_AGENTS, DeliveryState
from storage.errors import AgentDeleted, StorageError
from storage.rejection import Rejection
from storage.rows import store_rows

#: Without rows of their own, touched tasks and signs of life wait so long for a transaction.
_TOUCH_SECONDS = 1.0
_HEARTBEAT_SECONDS = 30.0


class RowsDestination(PostgresDestination):
    """PostgreSQL, as it keeps tasks."""

    lane = Lane.ROWS

    def __init__(self, state: DeliveryState) -> None:
        super().__init__(state)
        self._told_at = self._beaten_at = -inf

    def store(
        self, agent_id: str, records: Sequence[AgentTask | ProgressUpdate]
    ) -> list[Rejection]:
        """Keep them, and note the tasks of which MongoDB has got something since."""
        tasks = [record for record in records if isinstance(record, AgentTask)]
        progress = [record for record in records if isinstance(record, ProgressUpdate)]
        touched = self._state.ledger.touched_tasks(agent_id)
        keep = partial(self._keep, agent_id)
        rejected = store_rows(keep, {"tasks": tasks, "progress": progress}, touched.tasks)
        if touched.tasks:
            self._state.ledger.forget_touched(agent_id, touched.upto)
        return rejected

    def between_batches(self) -> None:
        """Tell of touched tasks that found no rows to go with, and which runs are alive."""
        now = time.monotonic()
        if now > self._told_at + _TOUCH_SECONDS:
            self.before_stop()
            self._told_at = now
        if now > self._beaten_at + _HEARTBEAT_SECONDS:
            self._heartbeat()
            self._beaten_at = now

    def before_stop(self) -> None:
        """Tell of the touched tasks that are left."""
        for agent_id in self._state.ledger.touched_agents():
            self._tell(agent_id)

    def _tell(self, agent_id: str) -> None:
        holds, group = self._state.holds[self.lane], Group(frozenset([agent_id]), [])
        if holds.holds(group):
            return
        try:
            self.store(agent_id, [])
        except AgentDeleted:
            # Nobody wants to hear of its tasks any more.
            ledger = self._state.ledger
            ledger.forget_touched(agent_id, ledger.touched_tasks(agent_id).upto)
            self.forget(agent_id)
        except ONE_AGENTS as error:
            # An agent that is shut out must not keep the news of the others.
            self._state.failed(self.lane, error)
            holds.hold(group, error)
            self.forget(agent_id)
        else:
            holds.release(group)

    def _heartbeat(self) -> None:
        for agent_id, tasks in self._open_tasks().items():
            # Quietly: a store that is away is told of by the next rows.
            try:
                self._postgres.of(agent_id).heartbeat(tasks)
            except ONE_AGENTS:
                self.forget(agent_id)
            except StorageError:
                continue

    def _open_tasks(self) -> dict[str, list[UUID]]:
        """The tasks whose recorders live, by agent."""
        sessions = [session for session in self._state.spool.sessions() if session.alive()]
        tasks: dict[str, list[UUID]] = {}
        for task in (task for session in sessions for task in session.open_tasks()):
            tasks.setdefault(task.agent_id, []).append(task.id)
        return tasks
