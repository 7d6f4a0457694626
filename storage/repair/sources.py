"""Where the bytes of a lost object may still lie: in quarantine, a spool, a migration's source.

Only bytes of the same agent are taken: whoever knows a hash must not get another's file for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID

from agentruns.spool import Spool, SpoolError
from agentruns.trajectories.files import Unreadable, fingerprint, pieces_of
from storage.errors import StorageError
from storage.migration.models import ItemFile
from storage.migration.places import place_of
from storage.postgres import PostgresAdapter
from storage.postgres.queries import query
from storage.repair.models import Action
from storage.repair.spools import contents_in
from storage.retries import retried


class _SourceFile(NamedTuple):
    source: str
    file: ItemFile


class Sources:
    """Finds bytes, and has them at hand when they are put back."""

    def __init__(self, postgres: PostgresAdapter, spool: Spool) -> None:
        self._postgres = postgres
        self._spool = spool

    def found(self, repair_id: UUID, sought: Sequence[Action]) -> dict[UUID, dict[str, Any]]:
        """Where the bytes of each lie, for those whose bytes lie anywhere."""
        found = {
            action.id: where
            for action in sought
            if (where := self._in_quarantine(repair_id, action))
        }
        found |= self._in_spool([action for action in sought if action.id not in found])
        for action in sought:
            if action.id not in found and (where := self._in_source(action)):
                found[action.id] = where
        return found

    @contextmanager
    def at_hand(self, source: Mapping[str, Any], sha256: str) -> Iterator[Path]:
        """The bytes of a spool or of a migration's source as a file, while this lasts.

        Raises:
            StorageError: when they are not there any more.
        """
        if source["kind"] == "spool":
            yield _still_there(Path(source["path"]))
            return
        found = [file for file in self._files(source["about"]) if file.source == source["place"]]
        with TemporaryDirectory() as folder:
            path = Path(folder, sha256)
            for one in found:
                if _copied(one, sha256, path):
                    yield path
                    return
        raise StorageError("The file of the source is not as it was.")

    @retried
    def _in_quarantine(self, repair_id: UUID, action: Action) -> dict[str, Any] | None:
        about = {"sha256": action.details["sha256"], "agent": action.agent, "task": action.task}
        with self._postgres.connection() as connection:
            given = about | {"repair_id": repair_id}
            rows = connection.execute(query("content_in_quarantine"), given).fetchall()
        return {"kind": "quarantine", "path": rows[0][1]} if rows else None

    def _in_spool(self, sought: Sequence[Action]) -> dict[UUID, dict[str, Any]]:
        keys = {action.id: (str(action.agent), action.details["sha256"]) for action in sought}
        # What a spool has is a gift: one that is damaged keeps nothing from being repaired.
        with suppress(SpoolError, OSError):
            paths = contents_in(self._spool, set(keys.values()))
            return {
                id_: {"kind": "spool", "path": str(paths[key])}
                for id_, key in keys.items()
                if key in paths
            }
        return {}

    def _in_source(self, action: Action) -> dict[str, Any] | None:
        if action.task is None or action.agent is None:
            return None
        sha256 = action.details["sha256"]
        about = {"agent": action.agent, "task": str(action.task), "sha256": sha256}
        for one in self._files(about):
            if _is_as_it_was(one, sha256):
                return {"kind": "source", "place": one.source, "about": about}
        return None

    @retried
    def _files(self, about: Mapping[str, Any]) -> list[_SourceFile]:
        with self._postgres.connection() as connection:
            rows = connection.execute(query("content_in_sources"), about).fetchall()
        return [_SourceFile(source, ItemFile(*file)) for source, *file in rows]


def _still_there(path: Path) -> Path:
    # Its delivery goes on meanwhile, or somebody removes it.
    if not path.is_file():
        raise StorageError("The file of the spool is not there any more: repair again.")
    return path


def _is_as_it_was(one: _SourceFile, sha256: str) -> bool:
    # A source that is gone, or away, has nothing to give.
    with suppress(Unreadable, StorageError, OSError), _folder(one) as folder:
        return fingerprint(folder, one.file.below(Path()).as_posix()).sha256 == sha256
    return False


def _copied(one: _SourceFile, sha256: str, path: Path) -> bool:
    """Copy a file without following a link; its bytes are verified when they are put."""
    with suppress(Unreadable, StorageError, OSError), _folder(one) as folder:
        name = one.file.below(Path()).as_posix()
        with path.open("wb") as copy:
            for piece in pieces_of(folder, name):
                copy.write(piece)
        return fingerprint(path.parent, path.name).sha256 == sha256
    return False


@contextmanager
def _folder(one: _SourceFile) -> Iterator[Path]:
    with place_of(one.source).at_hand([one.file]) as folder:
        yield folder
