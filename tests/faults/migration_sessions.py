"""Migrations that are killed again and again on their way, and what they leave in the end."""

import random
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from agentruns.models import Bucket
from storage.settings import Settings
from storage.stores import Stores
from tests.faults.killing import Ended, Kill, kill_in, run
from tests.faults.migrating import RUN, STEPS, Job, steps
from tests.raw_stores import raw_minio, raw_mongo

_KEPT_TABLES = ("alembic_version", "audit_term", "audited_acts", "installation")
#: How far a step is, is counted anew by each run; audit entries are looked at apart.
_NOT_COMPARED = (*_KEPT_TABLES, "migration_steps", "audit_log")
#: When something was done; only whether it was done is compared.
_CLOCKS = {
    "migrations": {"created_at"},
    "*": {
        "updated_at", "evidence_at", "stored_at", "inventoried_at", "copied_at", "verified_at",
        "deeply_verified_at", "cutover_at", "claimed_at",
    },
}  # fmt: skip


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
        self.begin_anew()
        for step in steps:
            begun = time.monotonic()
            self.acts |= self._run(step).counted
            self.took[step] = time.monotonic() - begun
        return self.left()

    def disturbed(
        self, chance: random.Random, kills: int, steps: Sequence[str] = STEPS
    ) -> dict[str, Any]:
        """What a migration leaves whose steps are killed so many times each before they end."""
        self.begin_anew()
        for step in steps:
            self.do(step, chance, kills)
        return self.left()

    def do(self, step: str, chance: random.Random, kills: int) -> None:
        """Do one step that is killed so many times, and then is not."""
        for number in range(kills):
            acts, took = self.acts.get(step, 60), self.took.get(step, 1.0)
            self._run(step, kill_in(step, chance, number, acts, took))
        assert not self._run(step).killed

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

    def _run(self, step: str, kill: Kill | None = None) -> Ended:
        # Nobody knows in which step it was, so that a run begins with its first.
        names = RUN[: RUN.index(step) + 1] if step in RUN else (step,)
        job = Job(self.source, self.agent_id, names, self.folder, self.accepted)
        return run(steps, [job], kill)

    def begin_anew(self) -> None:
        """Nothing in the stores, and the source as it was."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            names = ", ".join(set(_tables(connection)) - set(_KEPT_TABLES))
            connection.execute(f"TRUNCATE {names} CASCADE".encode())
        with raw_mongo(self.settings) as client:
            client.drop_database(f"agent_{self.agent_id}")
        minio = raw_minio(self.settings)
        for bucket in Bucket:
            for found in minio.list_objects(bucket.value, f"{self.agent_id}/", recursive=True):
                minio.remove_object(bucket.value, found.object_name or "")
        self.make()

    def _documents(self) -> dict[str, list[str]]:
        with raw_mongo(self.settings) as client:
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
