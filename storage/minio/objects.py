"""Objects: how one is put, what is known of one, and how its URL makes browsers treat it."""

from dataclasses import dataclass
from datetime import datetime
from io import SEEK_END
from pathlib import PurePosixPath
from typing import NamedTuple

from minio import Minio
from minio.datatypes import Object

from agentruns.models import StoredFile, Upload
from storage.errors import RecordRejected
from storage.minio.content import (
    IMAGES,
    UNKNOWN,
    CheckedStream,
    changed,
    image_extension,
    opened,
)
from storage.minio.errors import certain_etag
from storage.pace import Pace

_PREFIX = "x-amz-meta-"


class StoredPath(str):
    """The path of an uploaded object, which also knows the metadata row that goes with it."""

    __slots__ = ("file",)
    file: StoredFile

    @classmethod
    def of(cls, file: StoredFile) -> "StoredPath":
        """The path of this file."""
        path = cls(file.object_path)
        path.file = file
        return path


class ObjectInfo(NamedTuple):
    """What a listing tells of an object."""

    path: str
    size: int
    etag: str
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class ObjectDetails:
    """What the store knows of one object; `tags` hold what repairs its row when that is lost."""

    info: ObjectInfo
    content_type: str
    tags: dict[str, str]


def put(client: Minio, upload: Upload, pace: Pace | None = None) -> str:
    """Put the content under its name and return its ETag.

    It is put even when it is there already: asking first costs as much as a put of 20 kB.

    Raises:
        RecordRejected: when the content is not the one that the row announces.
    """
    file = upload.file
    with opened(upload.content) as stream:
        head = stream.read(16)
        if stream.seek(0, SEEK_END) != file.size_bytes:
            raise RecordRejected(changed(file.sha256))
        stream.seek(0)
        content = CheckedStream(stream, file.sha256, file.size_bytes)
        result = client.put_object(
            file.bucket.value,
            file.object_path,
            _Paced(content, pace) if pace else content,  # type: ignore[arg-type]  # only `read` is used
            file.size_bytes,
            content_type=_shown_as(head),
            metadata={**_tags(file), **_disposition(head)},
            # One part in memory at a time, and callers bring their own threads.
            num_parallel_uploads=1,
        )
    return certain_etag(result.etag)


@dataclass(frozen=True, slots=True)
class _Paced:
    """A stream that is read no faster than its pace."""

    stream: CheckedStream
    pace: Pace

    def read(self, size: int = -1) -> bytes:
        piece = self.stream.read(size)
        self.pace.take(len(piece))
        return piece


class TopLevel(NamedTuple):
    """What lies at the top of a bucket: prefixes that end in a slash, and objects beside them."""

    prefixes: list[str]
    objects: list[ObjectInfo]


def top_level(client: Minio, bucket: str) -> TopLevel:
    """What lies at the top of a bucket."""
    found = list(client.list_objects(bucket))
    return TopLevel(
        [item.object_name or "" for item in found if item.is_dir],
        [_info(item) for item in found if not item.is_dir],
    )


def details(client: Minio, bucket: str, path: str) -> ObjectDetails:
    """What the store knows of one object."""
    found = client.stat_object(bucket, path)
    headers = {name.lower(): str(value) for name, value in (found.metadata or {}).items()}
    tags = {
        name.removeprefix(_PREFIX): value
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    return ObjectDetails(_info(found), found.content_type or UNKNOWN, tags)


def response_headers(path: str, content_type: str | None = None) -> dict[str, str]:
    """What a presigned URL makes the store answer: an image is shown, all else a download."""
    told = content_type or IMAGES.get(PurePosixPath(path).suffix)
    if told and told in IMAGES.values():
        return {"response-content-type": told, "response-content-disposition": "inline"}
    return {
        "response-content-type": UNKNOWN,
        "response-content-disposition": "attachment",
    }


def _shown_as(head: bytes) -> str:
    return IMAGES.get(image_extension(head) or "", UNKNOWN)


def _disposition(head: bytes) -> dict[str, str]:
    return {} if image_extension(head) else {"Content-Disposition": "attachment"}


def _tags(file: StoredFile) -> dict[str, str]:
    """What a repair needs to write the row anew."""
    tags = {"file-id": str(file.id), "agent": file.agent_id, "sha256": file.sha256}
    return tags | ({"task": str(file.task_id)} if file.task_id else {})


def _info(item: Object) -> ObjectInfo:
    etag = (item.etag or "").strip('"')
    return ObjectInfo(item.object_name or "", item.size or 0, etag, item.last_modified)
