"""A filled system of real runs, and every kind of damage that is planted in it with raw drivers."""

import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from minio import Minio
from minio.commonconfig import CopySource
from pymongo import MongoClient

from agentruns import Recorder
from agentruns.models import new_id
from agentruns.scoring import SCORERS
from agentruns.spool import Spool
from apps.stack import Stack
from storage.delivery import Delivery
from storage.evaluation import EvaluationStore
from storage.evidence import START, PassOrder
from storage.migration import MigrationStore
from storage.migration import models as migration
from storage.migration.copying import Copying
from storage.settings import settings_from
from storage.stores import Stores

RUNS = Path(__file__).parents[2] / "examples" / "runs"
PICTURES = sorted(RUNS.glob("*/turn_*/*.png"))
IMPORTER, RECORDER, ANOTHER = "importer-1", "recorder-1", "recorder-2"


def fill(stores: Stores, folder: Path) -> None:
    """Import the recorded runs of a real agent, record some live ones, and judge all of them."""
    _import(stores, folder / "runs")
    for agent_id, tasks in ((RECORDER, 10), (ANOTHER, 12)):
        record(folder / "spool", agent_id, tasks)
    _judge(stores)


def _import(stores: Stores, source: Path) -> None:
    shutil.copytree(RUNS, source)
    store = MigrationStore(stores.postgres)
    opened = store.open(source, IMPORTER, "UTC")
    store.take_inventory(opened)
    ids = [key.id for key, _, _ in store.items_to_copy(opened.id, migration.START, 1000)]
    Copying(store, stores.writer).copy(opened, ids)


def record(spool: Path, agent_id: str, tasks: int) -> None:
    """Record some runs of an agent, and deliver them."""
    recorder = Recorder(agent_id, spool=spool, deliver=False)
    for number in range(tasks):
        with recorder.run(f"task {number}") as run:
            run.log("opened the page")
            for step in range(3):
                run.progress(step * 40, "went on", step=step)
                run.screenshot(PICTURES[(number * 3 + step) % len(PICTURES)], step=step)
            run.file(b"%PDF-1.7 report " + str(number).encode(), name="report.pdf")
    recorder.close()
    assert Delivery(Spool(spool)).drain().pending == 0


def _judge(stores: Stores) -> None:
    evaluation, pass_id = EvaluationStore(stores.postgres, stores.mongo), new_id()
    order = PassOrder(tuple(SCORERS))
    evaluation.open_pass(pass_id, order)
    evaluation.evaluate_batch(pass_id, order, START, 1000)
    evaluation.close_pass(pass_id, {})


@dataclass
class Damage:
    """Plants damage as nobody's adapter would: no constraints, objects behind our back."""

    owner: psycopg.Connection[Any]
    minio: Minio
    mongo: MongoClient[dict[str, Any]]
    disk: Path
    """Where MinIO keeps its objects."""
    taken: dict[str, Iterator[tuple[Any, ...]]] = field(default_factory=dict)

    def unlock(self) -> None:
        """Let the owner see and write everything, as a superuser with a bad day does."""
        tables = ("tasks", "task_progress", "evaluations", "binary_file_metadata")
        others = ("migrations", "migration_items", "migration_steps", "deletions")
        for table in (*tables, *others, "quarantined_objects"):
            self.owner.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY".encode())
        for table in tables:
            self.owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())
        found = self.owner.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint"
            " WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('c', 'f', 'u')"
            # Those that others stand on go last.
            " ORDER BY contype <> 'f'",
            [list(tables)],
        ).fetchall()
        for table, name in found:
            self.owner.execute(
                f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{name}" CASCADE'.encode()
            )
        columns = self.owner.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_name = ANY(%s) AND is_nullable = 'NO' AND column_name <> 'id'",
            [list(tables)],
        ).fetchall()
        for table, column in columns:
            self.owner.execute(
                f'ALTER TABLE {table} ALTER COLUMN "{column}" DROP NOT NULL'.encode()
            )

    def next_row(self, text: LiteralString) -> tuple[Any, ...]:
        """A row that no other damage takes."""
        if text not in self.taken:
            self.taken[text] = iter(self.owner.execute(text).fetchall())
        return next(self.taken[text])

    def task(self) -> str:
        """A recorded task of its own."""
        return str(self.next_row("SELECT id FROM tasks WHERE agent_id = 'recorder-1'")[0])

    def progress(self) -> str:
        """A step of the tasks that stay as they are."""
        return str(
            self.next_row("SELECT id FROM task_progress WHERE agent_id = 'importer-1' ORDER BY id")[
                0
            ]
        )

    def verdict(self) -> str:
        """A verdict on the tasks that stay as they are."""
        return str(self.next_row("SELECT id FROM evaluations WHERE agent_id = 'importer-1'")[0])

    def file(self) -> tuple[str, str]:
        """The row and the path of a screenshot that has its object for itself."""
        id_, path = self.next_row(
            "SELECT (array_agg(id))[1], object_path FROM binary_file_metadata"
            " WHERE agent_id = 'recorder-2' AND bucket = 'screenshots'"
            " GROUP BY object_path HAVING count(*) = 1 ORDER BY 2"
        )
        return str(id_), path

    def update(self, table: str, change: str, id_: str) -> str:
        """Change a row; gives its id."""
        done = self.owner.execute(f"UPDATE {table} SET {change} WHERE id = %s".encode(), [id_])
        assert done.rowcount == 1
        return id_

    def changed_file(self, change: str) -> str:
        return self.update("binary_file_metadata", change, self.file()[0])

    def log(self, agent_id: str, task_id: object, **changed: object) -> str:
        """Write a log entry past our library; gives the task's id."""
        entry = {"_id": uuid4(), "agent_id": agent_id, "task_id": task_id, "level": "info"}
        entry |= {"message": "x", "data": {}, "created_at": datetime.now(UTC)}
        self.mongo[f"agent_{agent_id}"].agent_logs.insert_one(entry | changed)
        return str(task_id)

    def put(self, path: str, content: bytes, bucket: str = "screenshots") -> str:
        """Put an object that nobody registers; gives its path."""
        self.minio.put_object(bucket, path, io.BytesIO(content), len(content))
        return path

    def moved(self, path: str, to: str, bucket: str = "screenshots") -> None:
        """Move an object."""
        self.minio.copy_object(bucket, to, CopySource("screenshots", path))
        self.minio.remove_object("screenshots", path)


@contextmanager
def own_stack(folder: Path) -> Iterator[Stack]:
    """Servers of a file's own: what other tests left in the object store would be found there."""
    stack = Stack(folder / "home")
    try:
        stack.up(prefect=False)
        yield stack
    finally:
        stack.reset()


@contextmanager
def filled_stores(stack: Stack, material: Path) -> Iterator[Stores]:
    """A system of real runs, which this process takes for its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment().items():
            patch.setenv(name, value)
        patch.setenv("AGENTRUNS_HOME", str(stack.home))
        with closing(Stores(settings_from(stack.environment()))) as stores:
            fill(stores, material)
            yield stores


def _missing(damage: Damage) -> str:
    id_, path = damage.file()
    damage.minio.remove_object("screenshots", path)
    return id_


def _orphan(damage: Damage) -> str:
    id_, path = damage.file()
    damage.owner.execute("DELETE FROM binary_file_metadata WHERE id = %s", [id_])
    return path


def _truncated(damage: Damage) -> str:
    id_, path = damage.file()
    damage.put(path, b"\x89PNG\r\n\x1a\n")
    return id_


def _flipped(damage: Damage) -> str:
    id_, path = damage.file()
    content = bytearray(damage.minio.get_object("screenshots", path).read())
    content[len(content) // 2] ^= 1
    damage.put(path, bytes(content))
    return id_


def _swapped(damage: Damage) -> str:
    (id_, path), (_, other) = damage.file(), damage.file()
    mine, theirs = (damage.minio.get_object("screenshots", one).read() for one in (path, other))
    damage.put(path, theirs)
    damage.put(other, mine)
    return id_


def _other_bucket(damage: Damage) -> str:
    id_, path = damage.file()
    damage.moved(path, path, "binaries")
    return id_


def _other_agent(damage: Damage) -> str:
    id_, path = damage.file()
    damage.moved(path, path.replace(ANOTHER, "thief-1"))
    return id_


def _strange_agent(damage: Damage) -> str:
    _, path = damage.file()
    _, task, _ = path.split("/")
    return damage.put(f"thief-1/{task}/{'a' * 64}.png", b"x")


def _twice(damage: Damage) -> str:
    _, path = damage.file()
    damage.owner.execute(
        "INSERT INTO binary_file_metadata (id, agent_id, task_id, bucket, object_path,"
        " content_type, size_bytes, sha256, uploaded_at)"
        " SELECT gen_random_uuid(), agent_id, task_id, bucket, object_path, content_type,"
        " size_bytes + 1, sha256, uploaded_at FROM binary_file_metadata WHERE object_path = %s",
        [path],
    )
    return path


def _verdict_twice(damage: Damage) -> str:
    found = damage.owner.execute(
        "INSERT INTO evaluations (id, task_id, agent_id, scorer, scorer_version, score,"
        " evidence_digest, created_at) SELECT gen_random_uuid(), task_id, agent_id, scorer,"
        " scorer_version, score, evidence_digest, created_at FROM evaluations WHERE id = %s"
        " RETURNING task_id",
        [damage.verdict()],
    )
    return str(found.fetchall()[0][0])


def _without_progress(damage: Damage) -> str:
    id_ = damage.task()
    assert damage.owner.execute("DELETE FROM task_progress WHERE task_id = %s", [id_]).rowcount
    return id_


def _old_log(damage: Damage) -> str:
    return damage.log(RECORDER, UUID(damage.task()), created_at=datetime(2001, 1, 1, tzinfo=UTC))


def _strange_log(damage: Damage) -> str:
    task_id, *_ = damage.next_row("SELECT id FROM tasks WHERE agent_id = 'recorder-2'")
    return damage.log(RECORDER, task_id)


def _still(damage: Damage) -> str:
    found = damage.owner.execute(
        "INSERT INTO migration_steps (migration_id, step, seen_at)"
        " SELECT id, 'verify', now() - interval '2 hours' FROM migrations RETURNING migration_id"
    )
    return str(found.fetchall()[0][0])


def _pending(damage: Damage) -> str:
    damage.owner.execute("UPDATE migrations SET inventoried_at = now() - interval '2 days'")
    found = damage.owner.execute(
        "UPDATE migration_items SET status = 'pending' RETURNING migration_id"
    )
    return str(found.fetchall()[0][0])


def _other_content(damage: Damage) -> str:
    return _put_unnoticed(damage, b"other content")


def _other_name(damage: Damage) -> str:
    content = b"content of another name"
    id_ = _put_unnoticed(damage, content)
    damage.update("binary_file_metadata", f"sha256 = '{sha256(content).hexdigest()}'", id_)
    found = damage.owner.execute(
        "SELECT object_path FROM binary_file_metadata WHERE id = %s", [id_]
    )
    return str(found.fetchall()[0][0])


def _put_unnoticed(damage: Damage, content: bytes) -> str:
    """Put another content, and let the row tell its size and ETag."""
    id_, path = damage.file()
    damage.put(path, content)
    etag = damage.minio.stat_object("screenshots", path).etag
    return damage.update(
        "binary_file_metadata", f"etag = '{etag}', size_bytes = {len(content)}", id_
    )


def _flipped_on_disk(damage: Damage) -> str:
    """Flip a byte behind the server's back, which checks what it reads."""
    id_, path = damage.file()
    meta = damage.disk / "screenshots" / path / "xl.meta"
    content = bytearray(meta.read_bytes())
    at = content.index(b"\x89PNG") + 100
    content[at] ^= 1
    meta.write_bytes(content)
    return id_


def _half_deleted(damage: Damage) -> str:
    id_ = uuid4()
    damage.owner.execute(
        "INSERT INTO deletions (id, agent_id, task_id, began_at) VALUES (%s, 'gone-1', %s, %s)",
        [id_, uuid4(), datetime(2026, 1, 1, tzinfo=UTC)],
    )
    return str(id_)


def _lost(damage: Damage) -> str:
    id_, path = damage.file()
    damage.minio.remove_object("screenshots", path)
    return damage.update("binary_file_metadata", "missing_since = now()", id_)


def _quarantined(damage: Damage) -> str:
    path = f"{IMPORTER}/no-task/{'b' * 64}.png"
    damage.owner.execute(
        "INSERT INTO quarantined_objects (id, agent_id, bucket, object_path, kept_as, reason,"
        " sha256, size_bytes) VALUES (gen_random_uuid(), %s, 'screenshots', %s, 'x', 'x', %s, 1)",
        [IMPORTER, path, "c" * 64],
    )
    return path


def _of(table: str, row: Callable[[Damage], str], change: str) -> Callable[[Damage], str]:
    return lambda damage: damage.update(table, change, row(damage))


def _file(change: str) -> Callable[[Damage], str]:
    return lambda damage: damage.changed_file(change)


_NOBODY = "gen_random_uuid()"
_IN_A_YEAR = "now() + interval '1 year'"
_OLD = "timestamptz '2001-01-01Z'"
_AS_TASK, _AS_STEP, _AS_VERDICT = Damage.task, Damage.progress, Damage.verdict

#: What is done, and the check that has to find it; gives what the check has to name.
MUTATIONS: dict[str, tuple[str, Callable[[Damage], str]]] = {
    "an object is deleted": ("missing object", _missing),
    "a row is deleted": ("orphan object", _orphan),
    "an object is cut off": ("size differs", _truncated),
    "a row tells another size": ("size differs", _file("size_bytes = size_bytes + 1")),
    "a bit is flipped": ("etag differs", _flipped),
    "two objects are swapped": ("size differs", _swapped),
    "a row tells another ETag": ("etag differs", _file("etag = 'ffff'")),
    "an object lies in the other bucket": ("wrong bucket", _other_bucket),
    "a row names the other bucket": ("wrong bucket", _file("bucket = 'binaries'")),
    "an object lies under another agent": ("agent differs", _other_agent),
    "an agent put an object to another's task": ("agent differs", _strange_agent),
    "an object lies beside all agents": (
        "wrong prefix", lambda damage: damage.put("screenshot.png", b"x"),
    ),
    "an object lies under no task": (
        "wrong prefix", lambda damage: damage.put(f"{IMPORTER}/deep/er/x.png", b"x"),
    ),
    "a row's path is another agent's": (
        "path of another agent", _file("object_path = 'x' || object_path"),
    ),
    "a row's path is another task's": (
        "path of another task",
        _file("object_path = regexp_replace(object_path, '/[^/]+/', '/no-task/')"),
    ),
    "a row's path is another content's": (
        "path of another content", _file("sha256 = repeat('0', 64)"),
    ),
    "a row's hash is none": ("malformed hash", _file("sha256 = 'abc'")),
    "a row names a bucket of somebody else": ("unknown bucket", _file("bucket = 'backups'")),
    "a size below zero": ("negative size", _file("size_bytes = -1")),
    "no size": ("negative size", _file("size_bytes = NULL")),
    "a picture that is told to be a page": (
        "content type against the name", _file("content_type = 'text/html'"),
    ),
    "rows disagree about an object": ("duplicate path", _twice),
    "a file that is known to be lost": ("lost file", _lost),
    "a lost file that is there": ("lost file is back", _file("missing_since = now()")),
    "an object in quarantine": ("quarantined object", _quarantined),
    "a file of no task": ("file without task", _file(f"task_id = {_NOBODY}")),
    "a file of another agent": ("file of another agent", _file("agent_id = 'thief-1'")),
    "a file uploaded next year": ("file from the future", _file(f"uploaded_at = {_IN_A_YEAR}")),
    "a file that hides from the comparison": (
        "file from the future", _file(f"stored_at = {_IN_A_YEAR}"),
    ),
    "a task of nobody": ("task without agent", _of("tasks", _AS_TASK, "agent_id = ''")),
    "a status that does not exist": ("unknown status", _of("tasks", _AS_TASK, "status = 'done'")),
    "no title": ("task without title", _of("tasks", _AS_TASK, "title = ''")),
    "an end before the start": (
        "task times out of order", _of("tasks", _AS_TASK, f"finished_at = {_OLD}"),
    ),
    "an end that nobody knows": (
        "task with a wrong end", _of("tasks", _AS_TASK, "finished_at = NULL"),
    ),
    "a pending task that has ended": (
        "task with a wrong end", _of("tasks", _AS_TASK, "status = 'pending'"),
    ),
    "a task made next year": (
        "task from the future",
        _of("tasks", _AS_TASK, f"created_at = {_IN_A_YEAR}, started_at = NULL, finished_at = NULL"),
    ),
    "200 percent": (
        "percent out of range", _of("task_progress", _AS_STEP, "progress_percent = 200"),
    ),
    "step minus one": ("negative step", _of("task_progress", _AS_STEP, "step = -1")),
    "a step of no task": (
        "progress without task", _of("task_progress", _AS_STEP, f"task_id = {_NOBODY}"),
    ),
    "a step of another agent": (
        "progress of another agent", _of("task_progress", _AS_STEP, "agent_id = 'thief-1'"),
    ),
    "a step before its task": (
        "progress before its task", _of("task_progress", _AS_STEP, f'"timestamp" = {_OLD}'),
    ),
    "a step next year": (
        "progress from the future", _of("task_progress", _AS_STEP, f'"timestamp" = {_IN_A_YEAR}'),
    ),
    "a score of 85": ("score out of range", _of("evaluations", _AS_VERDICT, "score = 85")),
    "a verdict of nobody": (
        "verdict without scorer", _of("evaluations", _AS_VERDICT, "scorer = ''"),
    ),
    "a verdict on no task": (
        "verdict without task", _of("evaluations", _AS_VERDICT, f"task_id = {_NOBODY}"),
    ),
    "a verdict for another agent": (
        "verdict of another agent", _of("evaluations", _AS_VERDICT, "agent_id = 'thief-1'"),
    ),
    "a verdict before its task": (
        "verdict before its task", _of("evaluations", _AS_VERDICT, f"created_at = {_OLD}"),
    ),
    "a verdict that was given twice": ("verdict given twice", _verdict_twice),
    "the progress of a task is deleted": ("completed task without progress", _without_progress),
    "a screenshot before its task": (
        "screenshot outside its task's time", _file(f"uploaded_at = {_OLD}"),
    ),
    "a screenshot after its task": (
        "screenshot outside its task's time", _file("uploaded_at = now() + interval '2 minutes'"),
    ),
    "a log of no task": (
        "unknown task in MongoDB", lambda damage: damage.log(RECORDER, uuid4()),
    ),
    "a log of what is no task": (
        "unknown task in MongoDB", lambda damage: damage.log(RECORDER, "task 7"),
    ),
    "a log of another agent's task": ("log of another agent's task", _strange_log),
    "a log before its task": ("log before its task", _old_log),
    "a migration that was cut off": ("migration stands still", _still),
    "a migration that nobody goes on with": ("migration items pending", _pending),
    "another content that the row knows by its ETag": ("content differs", _other_content),
    "another content that the whole row knows": ("content against its name", _other_name),
    "a byte on the server's disk is flipped": ("unreadable object", _flipped_on_disk),
    "a deletion that nobody ends": ("deletion not finished", _half_deleted),
}  # fmt: skip
