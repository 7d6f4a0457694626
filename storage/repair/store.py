"""The state of repairs in PostgreSQL, so that a killed one goes on where it stood."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic_core import to_json

from agentruns.models import new_id
from storage.acts import Act
from storage.errors import RecordNotFound, RepairRunning
from storage.postgres import PostgresAdapter
from storage.postgres.connection import PgConnection
from storage.postgres.holding import holding
from storage.postgres.queries import query
from storage.repair.models import (
    Action,
    FileRow,
    ObjectFacts,
    Outcome,
    PlannedAction,
    Repair,
    Turn,
    named,
)
from storage.retries import retried

Kept = TypeVar("Kept")

#: Looking through a million rows takes half a minute.
_COLLECT_SECONDS = 3600.0
#: A repair that was cut off longer ago is planned anew.
_RESUMABLE = timedelta(hours=6)
#: Plans that are kept.
_KEPT = 20
#: So much of a name is told in the audit log.
_NAME = 300
NO_ID = UUID(int=0)


class RepairStore:
    """Keeps what is planned, and what came of it."""

    def __init__(self, postgres: PostgresAdapter) -> None:
        self._postgres = postgres

    @contextmanager
    def only_run(self) -> Iterator[None]:
        """Be the only one who repairs while this lasts; a kill ends it, too.

        Raises:
            RepairRunning: when somebody else does.
        """
        refusal = RepairRunning("Another repair is at work; wait until it is over.")
        with holding(self._postgres, "hold_repair", refusal):
            yield

    @retried
    def cut_off(self, agent_id: str | None) -> Repair | None:
        """The repair of the same extent that was begun lately, and killed."""
        given = {"lately": _RESUMABLE, "agent": agent_id}
        return next(iter(self._read(Repair, "unfinished_repair", given)), None)

    @retried
    def open(self, snapshot_id: UUID, agent_id: str | None, *, apply: bool) -> Repair:
        """Begin a repair, or only its plan; the oldest plans go."""
        repair_id = new_id()
        given = {"id": repair_id, "snapshot_id": snapshot_id, "agent": agent_id}
        with self._postgres.connection(_COLLECT_SECONDS) as connection:
            connection.execute(query("open_repair"), given | {"is_applied": apply})
            connection.execute(query("forget_old_repairs"), {"keep": _KEPT})
        return self.get(repair_id)

    @retried
    def get(self, repair_id: UUID) -> Repair:
        """One repair.

        Raises:
            RecordNotFound: when there is none with this id.
        """
        if found := self._read(Repair, "repair", {"id": repair_id}):
            return found[0]
        raise RecordNotFound(f"There is no repair {repair_id}; newer ones may have replaced it.")

    @retried
    def collect(self, repair: Repair) -> None:
        """Note all that has to be looked at."""
        given = {"repair_id": repair.id, "snapshot_id": repair.snapshot_id, "agent": repair.agent}
        with self._postgres.connection(_COLLECT_SECONDS) as connection:
            for name in ("collect_files", "collect_objects", "collect_agents"):
                connection.execute(query(name), given)
            connection.execute(query("note_collected"), {"id": repair.id})

    @retried
    def note_planned(self, repair_id: UUID) -> None:
        """Note that everything is decided."""
        self._note("note_planned", repair_id)

    @retried
    def finish(self, repair_id: UUID) -> None:
        """Note that everything is done."""
        self._note("finish_repair", repair_id)

    @retried
    def to_do(self, repair_id: UUID, turn: Turn, rows: int, after: UUID = NO_ID) -> list[Action]:
        """The next actions of a turn that nothing came of yet."""
        given = {"repair_id": repair_id, "turn": turn, "rows": rows, "after": after}
        return self._read(Action, "actions_to_do", given)

    @retried
    def decide(self, repair_id: UUID, seen: Sequence[Action], then: Sequence[Action]) -> None:
        """What was looked at gives place to what is to be done, all at once."""
        with self._postgres.connection(_COLLECT_SECONDS) as connection:
            for action in then:
                connection.execute(query("insert_action"), _row(repair_id, action))
            for turn in {action.turn for action in seen}:
                ids = [action.id for action in seen if action.turn == turn]
                given = {"repair_id": repair_id, "turn": turn, "ids": ids}
                connection.execute(query("drop_actions"), given)

    @retried
    def files(self, ids: Sequence[UUID]) -> dict[UUID, FileRow]:
        """These rows as they are now."""
        return {row.id: row for row in self._read(FileRow, "files_to_look_at", {"ids": list(ids)})}

    @retried
    def facts(self, repair_id: UUID, action: Action) -> ObjectFacts:
        """What is known of an object that has no row."""
        told = named(action.object_path or "")
        given = {"repair_id": repair_id, "bucket": action.bucket, "task": told and told.task}
        given |= {"object_path": action.object_path, "agent": told and told.agent}
        return self._read(ObjectFacts, "facts_of_object", given)[0]

    @retried
    def end(
        self,
        repair_id: UUID,
        action: Action,
        outcome: Outcome,
        told: str | None = None,
        *,
        change: tuple[str, dict[str, Any]] | None = None,
    ) -> bool:
        """Note what came of an action, in the transaction of the change that it is about.

        Gives whether the change met a row that was as it had been.
        """
        with self._postgres.connection() as connection:
            if change and not _changed(connection, *change):
                outcome, told = "changed", "The row is not as it was: repair again."
            given = {"repair_id": repair_id, "turn": action.turn, "id": action.id}
            given |= {"outcome": outcome, "told": told}
            if connection.execute(query("end_action"), given).rowcount and outcome == "done":
                _audit(connection, repair_id, action)
        return outcome == "done"

    @retried
    def note_quarantined(self, given: dict[str, Any]) -> None:
        """Keep where an object lay that was taken aside, and why."""
        with self._postgres.connection() as connection:
            connection.execute(query("note_quarantined"), given)

    @retried
    def page(
        self, repair_id: UUID, rows: int, after: PlannedAction | None = None
    ) -> list[PlannedAction]:
        """The next actions of a plan, in the order in which they are done."""
        given = {"repair_id": repair_id, "rows": rows, "after_turn": after.turn if after else 0}
        given["after_id"] = after.id if after else NO_ID
        return self._read(PlannedAction, "actions_page", given)

    @retried
    def counts(self, repair_id: UUID) -> dict[str, dict[str, int]]:
        """How many actions there are of each kind, by what came of them."""
        counts: dict[str, dict[str, int]] = {}
        with self._postgres.connection() as connection:
            rows = connection.execute(query("count_actions"), {"repair_id": repair_id})
            for kind, outcome, number in rows.fetchall():
                counts.setdefault(kind, {})[outcome] = number
        return counts

    def _note(self, name: str, repair_id: UUID) -> None:
        with self._postgres.connection() as connection:
            connection.execute(query(name), {"id": repair_id})

    def _read(self, kind: type[Kept], name: str, given: dict[str, Any]) -> list[Kept]:
        with (
            self._postgres.connection() as connection,
            connection.cursor(row_factory=class_row(kind)) as cursor,
        ):
            return cursor.execute(query(name), given).fetchall()


def _changed(connection: PgConnection, name: str, given: dict[str, Any]) -> bool:
    """Change a row if it is as it was; its task has news then."""
    met = connection.execute(query(name), given).fetchall()
    if tasks := sorted({task_id for (task_id,) in met if task_id}):
        connection.execute(query("touch_tasks"), {"ids": tasks})
    return bool(met)


def _audit(connection: PgConnection, repair_id: UUID, action: Action) -> None:
    details = {"repair": str(repair_id), "kind": action.kind, "reason": action.reason}
    about = {"record": action.record, "row": action.row_id and str(action.row_id)}
    # A name may be as long as all that an entry may hold.
    about |= {"bucket": action.bucket, "object": (action.object_path or "")[:_NAME]}
    told = details | {name: value for name, value in about.items() if value}
    entries = to_json([Act(action.agent, action.task, told).entry()]).decode()
    connection.execute(query("audit"), {"what": "data repaired", "entries": entries})


def _row(repair_id: UUID, action: Action) -> dict[str, Any]:
    names = ("turn", "id", "kind", "record", "row_id", "bucket", "object_path", "agent", "task")
    told = {name: getattr(action, name) for name in (*names, "reason")}
    return told | {"repair_id": repair_id, "details": Jsonb(dict(action.details))}
