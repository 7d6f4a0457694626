"""The metadata row of a content that comes without one."""

from typing import Any
from uuid import UUID

from agentruns.models import Bucket, StoredFile, object_path
from storage.minio.content import Content, content_type, digest, extension


def described(  # noqa: PLR0913 - what a row tells
    content: Content,
    bucket: Bucket,
    *,
    agent_id: str,
    task_id: UUID | str | None,
    metadata: dict[str, Any],
    claimed: str | None = None,
) -> StoredFile:
    """Name a content by its hash, and tell its type by its first bytes rather than by its claim."""
    found = digest(content)
    # Names of objects have one spelling of an id.
    task_id = UUID(str(task_id)) if task_id else None
    name = str(metadata.get("name", ""))
    ending = extension(found.image, name)
    return StoredFile(
        agent_id=agent_id,
        task_id=task_id,
        bucket=bucket,
        object_path=object_path(agent_id, task_id, found.sha256, ending),
        content_type=content_type(found.image, name, claimed),
        size_bytes=found.size,
        sha256=found.sha256,
        metadata=metadata,
    )
