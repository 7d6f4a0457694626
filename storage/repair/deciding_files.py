"""What becomes of a row with which something is wrong: mended only where all else agrees."""

from datetime import datetime
from typing import Any, Protocol

from agentruns.models import Bucket
from storage.minio.content import IMAGES, content_type
from storage.minio.keeping import Content, Place
from storage.repair.actions import left, mended, quarantined, sought
from storage.repair.models import Action, FileRow, Named, is_agent, named


class Keeper(Protocol):
    """Whoever looks at objects; ObjectKeeper does."""

    def look(self, place: Place, /) -> Content | None:
        """Read an object to its end."""

    def put_at(self, place: Place, /) -> datetime | None:
        """When an object was put, to the millisecond."""


WRONG_BYTES = "Its bytes are not those that its name promises."
NO_OBJECT = "There is no object where the row says."
_BUCKETS = frozenset(bucket.value for bucket in Bucket)
_NO_NAME = "Its path names no agent, task and content."
_WHOSE = "Row, path and task tell three stories about whose it is."
_NO_TASK = "Its task is unknown, and its path names none of the same agent."
_WHICH_TASK = "Row and path name different tasks, and the object is not where the row's would be."
_WHICH_CONTENT = "Row and path name different contents, and its object is not the path's."


class FileDecision:
    """Decides about one row, looking at its object, and at the places where that should be."""

    def __init__(self, row: FileRow, elsewhere: Place | None, keeper: Keeper) -> None:
        self._row = row
        self._elsewhere = elsewhere
        self._keeper = keeper
        self._changes: dict[str, Any] = {}
        self._why: list[str] = []

    def actions(self) -> list[Action]:
        """What is to be done."""
        told = named(self._row.object_path)
        if told is None:
            return [left(self._row, _NO_NAME)]
        if fault := self._owner_fault(told):
            return [left(self._row, fault)]
        return self._about_path(told)

    def _owner_fault(self, told: Named) -> str | None:
        """Settle whose row it is; gives why that can't be."""
        row = self._row
        if row.agent_id != told.agent and row.agent_of_task == told.agent:
            self._change("agent_id", told.agent, "Its path and its task name the same agent.")
        agent = self._changes.get("agent_id", row.agent_id)
        if row.task_id is None:
            return None if agent == told.agent else _WHOSE
        if row.agent_of_task is None:
            if told.task is None or row.agent_of_named != agent or agent != told.agent:
                return _NO_TASK
            self._change("task_id", str(told.task), "Its task is unknown, and its path names one.")
            return None
        if not is_agent(row.agent_of_task):
            # The task is what is damaged.
            return None if agent == told.agent else _WHOSE
        return None if row.agent_of_task == agent else _WHOSE

    def _about_path(self, told: Named) -> list[Action]:
        """Settle where it belongs, then what lies there."""
        proper = self._proper(told)
        if proper.path == self._row.object_path:
            return self._about_object(proper, self._look_at(self._row.bucket, proper.path))
        found = self._look_at(self._row.bucket, proper.path)
        if found is None or found.sha256 != proper.sha256:
            return [left(self._row, _WHICH_TASK)]
        self._change("object_path", proper.path, "Its object lies where agent and task say.")
        return self._about_object(proper, found)

    def _proper(self, told: Named) -> Named:
        agent = str(self._changes.get("agent_id", self._row.agent_id))
        task = told.task if "task_id" in self._changes else self._row.task_id
        return told._replace(agent=agent, task=task)

    def _about_object(self, told: Named, found: Content | None) -> list[Action]:
        row = self._row
        if found is None:
            return self._about_moved(told)
        if found.sha256 != told.sha256:
            if found.sha256 == row.sha256:
                return [left(row, _WHICH_CONTENT)]
            place = Place(str(row.bucket), told.path)
            aside = quarantined(place, found, WRONG_BYTES, told.agent, told.task)
            return [aside, *self._sought(told)]
        self._take_over(told, found)
        return self._mended(told, found)

    def _about_moved(self, told: Named) -> list[Action]:
        row, place = self._row, self._elsewhere
        found = self._keeper.look(place) if place else None
        if place is None or found is None:
            return self._sought(told)
        # An object is put before its row is written: this one lay there then.
        put_at = self._keeper.put_at(place)
        was_there = put_at and row.stored_at and put_at <= row.stored_at
        is_ours = place.path == told.path and found.sha256 == told.sha256
        if is_ours and (row.bucket not in _BUCKETS or was_there):
            self._change("bucket", place.bucket, "Its object lies in the other bucket.")
            self._take_over(told, found)
            return self._mended(told, found)
        why = "It lies where its row does not say."
        # Another row may say so by then.
        aside = quarantined(place, found, why, told.agent, told.task, orphan=True)
        return [aside, *self._sought(told)]

    def _sought(self, told: Named) -> list[Action]:
        row = self._row
        if self._changes or row.bucket not in _BUCKETS:
            return [left(row, f"{NO_OBJECT} {' '.join(self._why)}".strip())]
        if row.sha256 != told.sha256:
            return [left(row, _WHICH_CONTENT)]
        return [sought(row, told.sha256, NO_OBJECT)]

    def _take_over(self, told: Named, found: Content) -> None:
        """What the object tells of itself, now that it is what its name promises."""
        row = self._row
        if row.sha256 != told.sha256:
            self._change("sha256", told.sha256, "Its SHA-256 is that of its object and its path.")
        if row.size_bytes != found.size:
            self._change("size_bytes", found.size, "Its size is that of its object.")
        # A row may be older than its ETag.
        if row.etag is not None and row.etag != found.etag:
            self._change("etag", found.etag, "Its ETag is that of its object.")
        kind = _type_of(row, found)
        if kind != row.content_type:
            self._change("content_type", kind, "Its type is what its first bytes say.")
        if row.missing_since:
            self._change("found", True, "Its object is back.")
        if row.is_ahead:
            self._change("stored_at", "now", "It can't have come later than now.")

    def _mended(self, told: Named, found: Content) -> list[Action]:
        if not self._changes:
            return []
        place = Place(str(self._changes.get("bucket", self._row.bucket)), told.path)
        return [mended(self._row, self._changes, place, found, " ".join(self._why))]

    def _change(self, column: str, value: object, why: str) -> None:
        self._changes[column] = value
        self._why.append(why)

    def _look_at(self, bucket: str | None, path: str) -> Content | None:
        return self._keeper.look(Place(bucket, path)) if bucket in _BUCKETS and bucket else None


def _type_of(row: FileRow, found: Content) -> str:
    """The type that its first bytes tell; a claim stays where it is no picture's."""
    if found.image:
        return IMAGES[found.image]
    return content_type(None, str(row.metadata.get("name", "")), row.content_type or None)
