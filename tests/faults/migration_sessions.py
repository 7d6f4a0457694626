"""Migrations that are killed again and again on their way, and what they leave in the end."""

import multiprocessing
import os
import random
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from minio import Minio
from psycopg.rows import dict_row
from pymongo import MongoClient

from agentruns.models import Bucket
from storage.settings import Settings
from storage.stores import Stores
from tests.faults.migrating import RUN, STEPS, Job, work
from tests.faults.points import Point

#: Kills by step and kind, of all sessions; printed when the tests end.
KILLS: Counter[tuple[str, str]] = Counter()
#: Such a process is there at once: everything is imported when it begins.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pytest", "tests.faults.migrating"])
_PATIENCE = 180.0
_KEPT_TABLES = ("alembic_version", "audit_term", "audited_acts", "installation")
#: How far a step is, is counted anew by each run; audit entries are looked at apart.
_NOT_COMPARED = (*_KEPT_TABLES, "migration_steps", "audit_log")
#: When something was done; only whether it was done is compared.
_CLOCKS = {
    "migrations": {"created_at"},
    "*": {
        "updated_at", "evidence_at", "stored_at", "inventoried_at", "copied_at", "verified_at",
        "deeply_verified_at", "cutover_at",
    },
}  # fmt: skip


class Ended(NamedTuple):
    """How a process ended."""

    killed: bool
    counted: dict[str, int]


@dataclass
class Session:
    """One migration of one source, begun anew as often as wanted."""

    settings: Settings
    owner_url: str
    agent_id: str
    source: str
    folder: Path
    """Where folders are rebuilt; the test's own."""
    make: Callable[[], None]
    """Makes the source as it was at first."""
    lying: Callable[[], dict[str, bytes]]
    """What of it is where now, its trash with it."""
    accepted: Sequence[str] = ()
    acts: dict[str, int] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def undisturbed(self, steps: Sequence[str] = STEPS) -> dict[str, Any]:
        """What a migration leaves that nobody disturbs; also learns how long its steps are."""
        self._begin_anew()
        for step in steps:
            begun = time.monotonic()
            self.acts |= self._run([step]).counted
            self.took[step] = time.monotonic() - begun
        return self.left()

    def disturbed(
        self, chance: random.Random, kills: int, steps: Sequence[str] = STEPS
    ) -> dict[str, Any]:
        """What a migration leaves whose steps are killed so many times each before they end."""
        self._begin_anew()
        for step in steps:
            self.do(step, chance, kills)
        return self.left()

    def do(self, step: str, chance: random.Random, kills: int) -> None:
        """Do one step that is killed so many times, and then is not."""
        for number in range(kills):
            self._kill(step, chance, number)
        # Nobody knows in which step it was, so that a run begins with its first.
        ended = self._run(RUN[: RUN.index(step) + 1] if step in RUN else [step])
        assert not ended.killed

    def left(self) -> dict[str, Any]:
        """Every row, document and object, the folders that were rebuilt, and the source."""
        with Stores(self.settings) as stores, stores.postgres.connection() as connection:
            tables = [name for name in _tables(connection) if name not in _NOT_COMPARED]
            rows = {name: _rows(connection, name) for name in tables}
            acts = _acts(connection)
            objects = {
                f"{bucket}/{info.path}": (info.size, info.etag)
                for bucket in Bucket
                for info in stores.minio.list(bucket, f"{self.agent_id}/")
            }
        return {
            **rows,
            "acts": acts,
            "objects": objects,
            "documents": self._documents(),
            "rebuilt": files_below(self.folder),
            "source": self.lying(),
        }

    def _kill(self, step: str, chance: random.Random, number: int) -> None:
        """Between two acts, and at any moment, in turn."""
        steps = RUN[: RUN.index(step) + 1] if step in RUN else [step]
        if number % 2:
            longest = self.took.get(step, 1.0) / (number + 1)
            ended = self._run(steps, seconds=(step, chance.random() * longest))
            KILLS[step, "at any moment"] += ended.killed
        else:
            # What is done is not done again, so that later points may not come.
            most = max(1, self.acts.get(step, 60) // (number + 1))
            point = Point(step, chance.randint(1, most), chance.random() < 0.5)
            ended = self._run(steps, point=point)
            KILLS[step, "between two acts"] += ended.killed

    def _run(
        self,
        steps: Sequence[str],
        point: Point | None = None,
        seconds: tuple[str, float] | None = None,
    ) -> Ended:
        hear, tell = _FORKS.Pipe(duplex=False)
        told = (dict(os.environ), self.source, self.agent_id, steps, self.folder, self.accepted)
        process = _FORKS.Process(target=work, args=(Job(*told, point), tell))
        process.start()
        tell.close()
        counted: dict[str, int] = {}
        for said in _heard(hear):
            if isinstance(said, dict):
                counted = said
            elif seconds and said == seconds[0]:
                time.sleep(seconds[1])
                process.kill()
        process.join(_PATIENCE)
        assert process.exitcode in {0, -signal.SIGKILL}, f"it ended with {process.exitcode}"
        return Ended(process.exitcode != 0, counted)

    def _begin_anew(self) -> None:
        """Nothing in the stores, and the source as it was."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            names = ", ".join(set(_tables(connection)) - set(_KEPT_TABLES))
            connection.execute(f"TRUNCATE {names} CASCADE".encode())
        with _mongo(self.settings) as client:
            client.drop_database(f"agent_{self.agent_id}")
        minio = _minio(self.settings)
        for bucket in Bucket:
            for found in minio.list_objects(bucket.value, f"{self.agent_id}/", recursive=True):
                minio.remove_object(bucket.value, found.object_name or "")
        self.make()

    def _documents(self) -> dict[str, list[str]]:
        with _mongo(self.settings) as client:
            database = client[f"agent_{self.agent_id}"]
            return {
                name: sorted(str(document) for document in database[name].find())
                for name in sorted(database.list_collection_names())
            }


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def report() -> list[str]:
    """How often each step was killed."""
    lines = [
        f"{step:<10} {KILLS[step, 'between two acts']:>4} between two acts "
        f"{KILLS[step, 'at any moment']:>4} at any moment"
        for step in STEPS
        if KILLS[step, "between two acts"] + KILLS[step, "at any moment"]
    ]
    return [*lines, f"{'all':<10} {KILLS.total():>4} kills"] if lines else []


def _heard(hear: Any) -> Iterator[Any]:
    while hear.poll(_PATIENCE):
        try:
            yield hear.recv()
        except EOFError:
            return
    raise AssertionError("nothing is heard of it")


def _tables(connection: Any) -> list[str]:
    found = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    return [row[0] for row in found]


def _rows(connection: Any, table: str) -> list[str]:
    clocks = _CLOCKS["*"] | _CLOCKS.get(table, set())
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(f"SELECT t.* FROM {table} AS t".encode()).fetchall()
    return sorted(
        str({name: value is not None if name in clocks else value for name, value in row.items()})
        for row in found
    )


def _acts(connection: Any) -> set[str]:
    """What was audited; a killed step is audited again, and its trash is named after a moment."""
    found = connection.execute("SELECT what, agent_id, details FROM audit_log").fetchall()
    return {re.sub(r"\d{8}T\d{6}Z", "", str(row)) for row in found}


def _mongo(settings: Settings) -> MongoClient[dict[str, Any]]:
    return MongoClient(settings.required("mongodb_url"), uuidRepresentation="standard")


def _minio(settings: Settings) -> Minio:
    return Minio(
        settings.required("minio_endpoint"),
        access_key=settings.required("minio_access_key"),
        secret_key=settings.required("minio_secret_key"),
        secure=False,
        region=settings.minio_region,
    )
