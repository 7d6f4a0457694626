"""Screenshots and files: uploaded, downloaded, listed, and shown to browsers."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import copy
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self
from uuid import UUID

from minio import Minio

from agentruns.models import Bucket, Health, StoredFile, Upload
from storage.acts import Auditor
from storage.arguments import checked_agent_id, checked_path
from storage.closing import Closable
from storage.errors import StorageError
from storage.health import timed_health
from storage.minio.clients import client, signer
from storage.minio.content import Content
from storage.minio.describing import described
from storage.minio.errors import certain_etag, translated
from storage.minio.hashing import ReadContent, read_to_end
from storage.minio.marking import checked
from storage.minio.names import NamesPage, every_name, names
from storage.minio.objects import (
    ObjectDetails,
    ObjectInfo,
    StoredPath,
    TopLevel,
    details,
    put,
    response_headers,
    top_level,
)
from storage.minio.probing import probe
from storage.minio.signing import signature
from storage.pace import Pace
from storage.retries import retried
from storage.settings import Settings, load_settings

_LOGGER = logging.getLogger(__name__)
_CHUNK = 2**20
_WEEK = 7 * 24 * 3600


class Registry(Protocol):
    """Whoever keeps the metadata rows; PostgresAdapter does."""

    def register_binary_file(self, file: StoredFile, /) -> Any:
        """Keep the row of an uploaded object."""


class MinIOAdapter(Closable):
    """The objects of one agent, or of all who come with an `agent_id`."""

    def __init__(
        self,
        agent_id: str | None = None,
        postgres_adapter: Registry | None = None,
        *,
        settings: Settings | None = None,
        auditor: Auditor | None = None,
    ) -> None:
        self._settings = settings or load_settings()
        # Not `or`: a hostile empty id must be refused, not become another agent.
        self._agent_id = self._settings.agent_id if agent_id is None else agent_id
        self._registry = postgres_adapter
        self._auditor = auditor
        self._address = self._settings.required("minio_endpoint")
        self._is_compared = False
        self._pace: Pace | None = None

    def paced(self, pace: Pace | None) -> Self:
        """The same objects through the same connections, whose content goes no faster than this."""
        twin = copy(self)
        # Opened, and compared with our environment, for both.
        twin.__dict__ |= {"_opened": self._client, "_is_compared": True, "_pace": pace}
        return twin

    def upload_screenshot(
        self,
        file_data: Content,
        task_id: UUID | str | None = None,
        *,
        step: int | None = None,
        agent_id: str | None = None,
        **metadata: Any,
    ) -> StoredPath:
        """Upload a picture and register it; the path also carries the row, `path.file`."""
        known = metadata if step is None else {"step": step, **metadata}
        file = described(
            file_data,
            Bucket.SCREENSHOTS,
            agent_id=self._agent(agent_id),
            task_id=task_id,
            metadata=known,
        )
        return self._uploaded(Upload(file=file, content=file_data))

    def upload_file(
        self,
        file_data: Content | str,
        task_id: UUID | str | None = None,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        agent_id: str | None = None,
        **metadata: Any,
    ) -> StoredPath:
        """Upload bytes or a file on disk and register it; the path also carries the row."""
        content = Path(file_data) if isinstance(file_data, str) else file_data
        name = filename or (content.name if isinstance(content, Path) else "")
        known = {"name": name, **metadata} if name else metadata
        file = described(
            content,
            Bucket.BINARIES,
            agent_id=self._agent(agent_id),
            task_id=task_id,
            metadata=known,
            claimed=content_type,
        )
        return self._uploaded(Upload(file=file, content=content))

    @retried
    def put(self, upload: Upload) -> StoredFile:
        """Put the content of a row that somebody else registers; gives the row with its ETag.

        Raises:
            RecordRejected: when the content is gone, or is not the one that the row announces.
        """
        with self._translated():
            etag = put(self._client, upload, self._pace)
        return upload.file.model_copy(update={"etag": etag})

    @retried
    def download(self, bucket: Bucket | str, path: str) -> bytes:
        """The whole content of an object; for a large one, see `stream`."""
        with self.stream(bucket, path) as chunks:
            return b"".join(chunks)

    def download_screenshot(self, path: str) -> bytes:
        """The content of a screenshot."""
        return self.download(Bucket.SCREENSHOTS, path)

    @contextmanager
    def stream(self, bucket: Bucket | str, path: str) -> Iterator[Iterator[bytes]]:
        """The content of an object in pieces of at most a megabyte."""
        with self._translated():
            response = self._client.get_object(Bucket(bucket).value, checked_path(path))
            # Closing a half-read response also gives its connection up.
            with closing(response):
                certain_etag(response.headers.get("etag"))
                pieces = response.stream(_CHUNK)
                yield self._pace.paced(pieces) if self._pace else pieces

    @retried
    def content(self, bucket: Bucket | str, path: str) -> ReadContent:
        """Which content an object has, read to its end and not kept.

        Raises:
            RecordNotFound: when it is not there.
        """
        with self._translated():
            return read_to_end(self._client, Bucket(bucket).value, checked_path(path), self._pace)

    @retried
    def delete(self, bucket: Bucket | str, path: str) -> None:
        """Delete an object; one that is not there is deleted already."""
        with self._translated():
            self._client.remove_object(Bucket(bucket).value, checked_path(path))

    @retried
    def stat(self, bucket: Bucket | str, path: str) -> ObjectDetails:
        """What the store knows of an object.

        Raises:
            RecordNotFound: when it is not there.
        """
        with self._translated():
            return details(self._client, Bucket(bucket).value, checked_path(path))

    @retried
    def top_level(self, bucket: Bucket | str) -> TopLevel:
        """The prefixes of the agents in a bucket, and the objects that lie beside them."""
        with self._translated():
            return top_level(self._client, Bucket(bucket).value)

    def list(
        self, bucket: Bucket | str, prefix: str = "", after: str | None = None
    ) -> Iterator[ObjectInfo]:
        """Every object whose name begins like this, in the order of names, as it is consumed.

        Only the operator's key may list: MinIO cannot keep an agent that lists to its own prefix.
        """
        yield from every_name(lambda token: self._names(Bucket(bucket), prefix, after, token))

    def get_presigned_url(
        self,
        bucket: Bucket | str,
        path: str,
        expires_seconds: int = 3600,
        *,
        content_type: str | None = None,
    ) -> str:
        """A URL with which a browser may read this object, and nothing else, for that long.

        The object is shown as `content_type`, from its row, when that is an image's; without a row,
        as the image that its name tells; else it is downloaded. A frontend's key, which signs where
        one is set, opens screenshots only. With an auditor, no address is given that it has not
        noted.

        Raises:
            StorageError: what the auditor has to say against it.
        """
        if not 1 <= expires_seconds <= _WEEK:
            raise ValueError(f"expires_seconds must be between 1 and {_WEEK}, a week")
        bucket, path = Bucket(bucket), checked_path(path)
        if self._auditor:
            self._auditor.audit("address signed", [signature(bucket, path, expires_seconds)])
        return self._signer.presigned_get_object(
            bucket.value,
            path,
            expires=timedelta(seconds=expires_seconds),
            response_headers=dict(response_headers(path, content_type)),
        )

    @retried
    def ping(self) -> str:
        """What can be said of the object store, which is there and accepts our key.

        Raises:
            AccessDenied: when it does not accept the key.
            StoreUnavailable: when it is away.
        """
        return probe(self._client, self._address)

    def health_check(self) -> Health:
        """Whether the object store answers; never raises, never hangs."""
        return timed_health("minio", lambda: probe(self._client, self._address))

    def close(self) -> None:
        """Close every connection; the next use opens them again."""
        self.__dict__.pop("_opened", None)
        self._is_compared = False

    @property
    def _client(self) -> Minio:
        """The client, once the store has said that it belongs to our environment."""
        if not self._is_compared:
            checked(self._opened, self._settings)
            self._is_compared = True
        return self._opened

    @cached_property
    def _opened(self) -> Minio:
        return client(self._settings)

    @cached_property
    def _signer(self) -> Minio:
        return signer(self._settings)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(self._address):
            yield

    def _agent(self, named: str | None) -> str:
        agent_id = self._agent_id if named is None else named
        if agent_id is None:
            raise ValueError("say whose file it is with agent_id=, or set AGENT_ID")
        return checked_agent_id(agent_id)

    def _uploaded(self, upload: Upload) -> StoredPath:
        stored = self.put(upload)
        if self._registry:
            self._register(self._registry, stored)
        return StoredPath.of(stored)

    def _register(self, registry: Registry, stored: StoredFile) -> None:
        try:
            registry.register_binary_file(stored)
        except StorageError as error:
            # The upload stands; the next delivery or repair writes the row.
            _LOGGER.warning(
                "The object %s/%s is stored but not registered: %s",
                stored.bucket.value,
                stored.object_path,
                error,
                extra={"file_id": str(stored.id), "agent_id": stored.agent_id},
            )

    @retried
    def _names(
        self, bucket: Bucket, prefix: str, after: str | None, token: str | None
    ) -> NamesPage:
        with self._translated():
            return names(self._client, bucket.value, prefix, after=after, token=token)
