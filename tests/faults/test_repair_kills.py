"""A repair that is killed at any step goes on later, and ends as one that never was."""

import time
from io import BytesIO
from typing import Any

import pytest

from agentruns.models import AgentTask, Upload
from storage.access import AuditLog
from storage.errors import RepairRunning
from storage.minio.buckets import QUARANTINE
from storage.minio.clients import client
from storage.settings import Settings
from storage.stores import Stores
from tests.faults.repairing import WORDS, repair
from tests.faults.words import TRIALS, killed_at
from tests.kept import PNG, picture

REPAIRING = "tests.faults.repairing"
#: A repair takes longer over a step than others do.
DELAYS = (0, 0.003, 0.01, 0.03, 0.1, 0.3)
KINDS = ("good", "lost", "orphan", "damaged", "swapped", "size", "type", "back")
#: So many of each kind that a kill meets each turn in the middle.
EACH = 6


class Damaged:
    """An agent with files of every kind, and what becomes of them."""

    def __init__(self, stores: Stores, agent_id: str) -> None:
        self.stores, self.agent_id = stores, agent_id
        task = AgentTask(agent_id=agent_id, title="a task", status="completed")
        stores.postgres.store_rows(tasks=[task])
        self.files = {
            (kind, number): picture(task, PNG + f"{kind} {number}".encode())
            for kind in KINDS
            for number in range(EACH)
        }
        rows = [upload for (kind, _), upload in self.files.items() if kind != "orphan"]
        assert stores.writer.write(rows).rejected == ()
        for (kind, number), upload in self.files.items():
            self._damage(kind, number, upload)
        self._put(f"{agent_id}/deep/er/x.png", b"of no name")

    def _damage(self, kind: str, number: int, upload: Upload) -> None:
        path = upload.file.object_path
        if kind == "orphan":
            self.stores.minio.put(upload)
        if kind == "lost":
            self.stores.minio.delete("screenshots", path)
        if kind == "damaged":
            self._put(path, b"other bytes")
        if kind == "swapped":
            other = self.files[kind, (number + 1) % EACH].content
            assert isinstance(other, bytes)
            self._put(path, other)
        changes = {
            "size": "size_bytes = 7", "type": "content_type = 'text/html'",
            "back": "missing_since = now()",
        }  # fmt: skip
        if kind in changes:
            with self.stores.postgres.connection() as connection:
                change = f"UPDATE binary_file_metadata SET {changes[kind]} WHERE id = %s"
                connection.execute(change.encode(), [upload.file.id])

    def _put(self, path: str, content: bytes) -> None:
        opened = client(self.stores.settings)
        opened.put_object("screenshots", path, BytesIO(content), len(content))

    def state(self) -> dict[str, Any]:
        """What there is, in words that are the same for every agent."""
        labels = {str(upload.file.id): key for key, upload in self.files.items()}
        with self.stores.postgres.connection() as connection:
            rows = connection.execute(
                "SELECT id::text, size_bytes, sha256, content_type, missing_since IS NULL"
                " FROM binary_file_metadata WHERE agent_id = %s", [self.agent_id]
            ).fetchall()  # fmt: skip
            aside = connection.execute(
                "SELECT sha256, size_bytes, reason FROM quarantined_objects WHERE agent_id = %s"
                " OR starts_with(object_path, %s)", [self.agent_id, f"{self.agent_id}/"]
            ).fetchall()  # fmt: skip
            counted = connection.execute(
                "SELECT kind, outcome, count(*) FROM repair_actions WHERE agent = %s"
                " AND outcome <> 'done' GROUP BY kind, outcome", [self.agent_id]
            ).fetchall()  # fmt: skip
        return {
            "rows": sorted((labels[id_], *told) for id_, *told in rows),
            "aside": sorted(aside),
            "not done": counted,
            "objects": self._objects("screenshots"),
            "kept aside": self._objects(QUARANTINE),
            "audited": len(list(self._audited())),
        }

    def _objects(self, bucket: str) -> list[bytes]:
        opened = client(self.stores.settings)
        names = opened.list_objects(bucket, f"{self.agent_id}/", recursive=True)
        return sorted(opened.get_object(bucket, str(one.object_name)).read() for one in names)

    def _audited(self) -> Any:
        log = AuditLog(self.stores.settings.required("postgres_url"))
        return log.page(1000, agent_id=self.agent_id, what="data repaired")


def ended(stores: Stores, agent_id: str) -> None:
    """Go on; the server may not have heard of the kill yet."""
    for _ in range(50):
        try:
            repair(stores, agent_id, lambda _: None)
        except RepairRunning:
            time.sleep(0.2)
        else:
            return
    pytest.fail("somebody is said to be at work for ever")


def test_a_repair_that_was_killed_ends_as_an_undisturbed_one(
    settings: Settings, stores: Stores, agent_id: str
) -> None:
    undisturbed = Damaged(stores, f"{agent_id}y")
    ended(stores, undisturbed.agent_id)
    wanted = undisturbed.state()
    assert wanted["not done"] == []
    assert len(wanted["rows"]) == len(KINDS) * EACH
    for trial in range(TRIALS):
        one = Damaged(stores, f"{agent_id}-{trial}")
        killed_at(trial, WORDS, REPAIRING, one.agent_id, delays=DELAYS)
        ended(stores, one.agent_id)
        assert one.state() == wanted, f"trial {trial}"
        ended(stores, one.agent_id)
        assert one.state() == wanted, f"again after trial {trial}"
