"""Doing what is planned: each action looks anew, changes what is as it was, and can be repeated."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from psycopg.types.json import Jsonb

from agentruns.models import Bucket, StoredFile, Upload
from agentruns.spool import Spool
from storage.errors import StorageError, StoreUnavailable
from storage.minio import MinIOAdapter
from storage.minio.buckets import QUARANTINE
from storage.minio.content import UNKNOWN
from storage.minio.keeping import ObjectKeeper, Place
from storage.postgres import PostgresAdapter
from storage.repair.actions import FILES
from storage.repair.deciding_objects import decided, ids_of, row_of
from storage.repair.models import TO_APPLY, Action, FileRow, Turn
from storage.repair.sources import Sources
from storage.repair.store import NO_ID, RepairStore
from storage.writer import in_parallel

_PAGE = 100
_OBJECT_CHANGED = "The object is not as it was: repair again."
_ROW_CHANGED = "The row is not as it was: repair again."
_QUERIES = {"tasks": "mend_task", "task_progress": "mend_step", "evaluations": "mend_verdict"}


class Applying:
    """Does a plan, turn by turn."""

    def __init__(
        self,
        store: RepairStore,
        postgres: PostgresAdapter,
        minio: MinIOAdapter,
        keeper: ObjectKeeper,
        spool: Spool,
    ) -> None:
        self._store = store
        self._postgres = postgres
        self._minio = minio
        self._keeper = keeper
        self._sources = Sources(postgres, spool)
        self._acts: dict[Turn, Callable[[UUID, Action], None]] = {
            Turn.MEND: self._mend,
            Turn.QUARANTINE: self._quarantine,
            Turn.RESTORE: self._restore,
            Turn.MISSING: self._mark,
            Turn.REGISTER: self._register,
        }

    def apply(self, repair_id: UUID) -> None:
        """Do all that nothing came of yet."""
        for turn in TO_APPLY:
            self.do(repair_id, turn)
        self._store.finish(repair_id)

    def do(self, repair_id: UUID, turn: Turn) -> None:
        """Do the actions of one turn."""
        after = NO_ID
        while page := self._store.to_do(repair_id, turn, _PAGE, after):
            in_parallel(partial(self._one, repair_id, self._acts[turn]), page)
            after = page[-1].id

    def _one(self, repair_id: UUID, act: Callable[[UUID, Action], None], action: Action) -> None:
        """Do one; what a store refuses keeps back no other."""
        try:
            act(repair_id, action)
        except StoreUnavailable:
            raise
        except StorageError as error:
            self._store.end(repair_id, action, "failed", str(error))

    def _mend(self, repair_id: UUID, action: Action) -> None:
        about = {"id": action.row_id, "seen": action.details["seen"]}
        changes = action.details["changes"]
        if action.record != FILES:
            change = (_QUERIES[str(action.record)], about | {"agent": changes["agent_id"]})
        elif self._keeper.etag(action.place) == action.details["etag"]:
            change = ("mend_file", about | {"changes": Jsonb(changes)})
        else:
            self._store.end(repair_id, action, "changed", _OBJECT_CHANGED)
            return
        self._store.end(repair_id, action, "done", change=change)

    def _quarantine(self, repair_id: UUID, action: Action) -> None:
        """Copy, verify, note, and only then remove."""
        told = action.details
        kept = Place(QUARANTINE, told["kept_as"])
        if self._keeper.etag(action.place) != told["etag"]:
            # Perhaps a kill came between removing it and saying so.
            is_done = self._keeper.etag(action.place) is None and self._is(kept, told["sha256"])
            self._end(repair_id, action, done=is_done, told=_OBJECT_CHANGED)
            return
        if self._is_wanted(repair_id, action):
            self._store.end(repair_id, action, "changed", _ROW_CHANGED)
            return
        self._keeper.copy(action.place, kept, told["etag"])
        if not self._is(kept, told["sha256"]):
            raise StorageError("The copy in quarantine has other bytes, so nothing was removed.")
        self._note(action)
        done = self._keeper.remove(action.place, told["etag"])
        self._end(repair_id, action, done=done, told=_OBJECT_CHANGED)

    def _restore(self, repair_id: UUID, action: Action) -> None:
        """Put the bytes where the row says, unless they are there; then the row tells of them."""
        row = self._row(action)
        if row is None:
            self._store.end(repair_id, action, "changed", _ROW_CHANGED)
            return
        found = self._keeper.look(action.place)
        if found is None:
            self._put_back(action, row)
            found = self._keeper.look(action.place)
        if found is None or found.sha256 != action.details["sha256"]:
            self._store.end(repair_id, action, "changed", _OBJECT_CHANGED)
            return
        changes = {"size_bytes": found.size, "etag": found.etag, "found": True}
        about = {"id": row.id, "seen": row.seen, "changes": Jsonb(changes)}
        self._store.end(repair_id, action, "done", change=("mend_file", about))

    def _mark(self, repair_id: UUID, action: Action) -> None:
        if self._keeper.etag(action.place) is not None:
            self._store.end(repair_id, action, "changed", _OBJECT_CHANGED)
            return
        about = {"id": action.row_id, "seen": action.details["seen"]}
        self._store.end(repair_id, action, "done", change=("mark_missing", about))

    def _register(self, repair_id: UUID, action: Action) -> None:
        content = self._keeper.look(action.place)
        facts = self._store.facts(repair_id, action)
        again = decided(action.place, content, facts)
        if content is None or [one.kind for one in again] != ["register"]:
            # Whoever brought its row meanwhile, or was killed here, did what was to be done.
            self._end(repair_id, action, done=facts.has_row, told=_OBJECT_CHANGED)
            return
        for id_ in ids_of(action.place, content):
            self._postgres.store_rows(files=[row_of(action.place, content, id_)])
            if self._store.facts(repair_id, action).has_row:
                break
        self._store.end(repair_id, action, "done")

    def _put_back(self, action: Action, row: FileRow) -> None:
        source, sha256 = action.details["from"], action.details["sha256"]
        if source["kind"] == "quarantine":
            kept = Place(QUARANTINE, source["path"])
            content = self._keeper.look(kept)
            if content and content.sha256 == sha256:
                self._keeper.copy(kept, action.place, content.etag)
            return
        with self._sources.at_hand(source, sha256) as path:
            file = _file(row, sha256, path.stat().st_size)
            self._minio.put(Upload(file=file, content=path))

    def _is_wanted(self, repair_id: UUID, action: Action) -> bool:
        """Whether a row names by now what none named, or a deletion comes back for it."""
        facts = self._store.facts(repair_id, action)
        return facts.is_deleted or (facts.has_row and action.details["orphan"])

    def _is(self, place: Place, sha256: str) -> bool:
        found = self._keeper.look(place)
        return found is not None and found.sha256 == sha256

    def _note(self, action: Action) -> None:
        told = action.details
        given = {"id": action.id, "agent": action.agent, "task": action.task}
        given |= {"bucket": action.bucket, "object_path": action.object_path}
        given |= {name: told[name] for name in ("kept_as", "sha256", "size_bytes")}
        self._store.note_quarantined(given | {"reason": action.reason})

    def _row(self, action: Action) -> FileRow | None:
        """The row that an action is about, if it is as it was."""
        row = self._store.files([action.id]).get(action.id)
        return row if row and row.seen == action.details["seen"] else None

    def _end(self, repair_id: UUID, action: Action, *, done: bool, told: str) -> None:
        self._store.end(repair_id, action, "done" if done else "changed", None if done else told)


def _file(row: FileRow, sha256: str, size: int) -> StoredFile:
    """What is told of an object that is put back."""
    return StoredFile(
        id=row.id,
        agent_id=str(row.agent_id),
        task_id=row.task_id,
        bucket=Bucket(str(row.bucket)),
        object_path=row.object_path,
        content_type=row.content_type or UNKNOWN,
        size_bytes=size,
        sha256=sha256,
    )
