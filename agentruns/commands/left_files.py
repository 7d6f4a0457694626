"""Plain files that a command leaves, as uploads."""

from pathlib import Path
from uuid import UUID

from agentruns.cleaning import Cleaner, printable
from agentruns.models import StoredFile, Upload, imported_id, object_path
from agentruns.recording.read_file import read_file


def upload_of(path: Path, name: Path, agent_id: str, task_id: UUID, cleaner: Cleaner) -> Upload:
    """The file as it is now, with an id that names its content.

    Raises:
        OSError: when it is gone, may not be read, is no regular file any more, or a link leads
            to it; `Path.resolve` follows links.
    """
    read = read_file(path)
    stored = StoredFile(
        id=imported_id(str(task_id), printable(str(name)), read.sha256),
        agent_id=agent_id,
        task_id=task_id,
        bucket=read.kind.bucket,
        object_path=object_path(agent_id, task_id, read.sha256, read.kind.extension),
        content_type=read.kind.content_type,
        size_bytes=read.size,
        sha256=read.sha256,
        metadata={"name": cleaner.text(printable(str(name))), "modified_at": read.modified_at},
    )
    return Upload(file=stored, content=read.content)
