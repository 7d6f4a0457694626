"""MinIO with keys of agents, and minio-py for whoever has one."""

import io
import tarfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, S3Error
from pydantic import SecretStr

from storage.access.keys import AgentKey, new_key
from storage.access.minio import MinioAccess
from storage.settings import Settings
from tests import counted_attacks

BUCKETS = ("screenshots", "binaries")
#: What lies at `<agent>/x.png` of each agent in each bucket.
CONTENT = b"\x89PNG\r\n\x1a\n of "


class Store(NamedTuple):
    """MinIO, its administrator, and a way to connect as somebody else."""

    settings: Settings
    access: MinioAccess
    opened: ExitStack

    @property
    def address(self) -> str:
        return self.settings.required("minio_endpoint")

    @property
    def operator(self) -> Minio:
        return self.client(*self.root)

    @property
    def root(self) -> tuple[str, str]:
        settings = self.settings
        return settings.required("minio_access_key"), settings.required("minio_secret_key")

    def agent(self, agent_id: str, *, append_only: bool = False) -> Minio:
        """A new agent with an object in each bucket."""
        return self.connected(self.granted(agent_id, append_only=append_only))

    def granted(self, agent_id: str, *, append_only: bool = False) -> AgentKey:
        key = new_key(agent_id)
        self.opened.callback(self._forget, key)
        self.access.grant(key, append_only=append_only)
        for bucket in BUCKETS:
            self.put(self.operator, bucket, f"{agent_id}/x.png", CONTENT + agent_id.encode())
        return key

    def _forget(self, key: AgentKey) -> None:
        # Not by `revoke`: finding out who has the key takes MinIO half a second.
        admin = self.admin(*self.root)
        # Both may be gone already.
        with suppress(MinioAdminException):
            admin.user_remove(key.minio_access_key)
        with suppress(MinioAdminException):
            admin.policy_remove(f"agentruns-{key.key_id}")
        for bucket in BUCKETS:
            for item in self.operator.list_objects(bucket, f"{key.agent_id}/", recursive=True):
                self.operator.remove_object(bucket, str(item.object_name))

    def connected(self, key: AgentKey) -> Minio:
        return self.client(key.minio_access_key, key.secret.get_secret_value())

    def client(self, access_key: str, secret: str) -> Minio:
        return Minio(
            self.address, access_key=access_key, secret_key=secret, secure=False, region="us-east-1"
        )

    def admin(self, access_key: str, secret: str) -> MinioAdmin:
        return MinioAdmin(
            endpoint=self.address,
            region="us-east-1",
            credentials=StaticProvider(access_key, secret),
            secure=False,
        )

    @staticmethod
    def put(client: Minio, bucket: str, name: str, content: bytes) -> Any:
        return client.put_object(bucket, name, io.BytesIO(content), len(content))

    def with_signing(self, access_key: str, secret: str) -> Settings:
        signing = {
            "minio_signing_access_key": SecretStr(access_key),
            "minio_signing_secret_key": SecretStr(secret),
        }
        return self.settings.model_copy(update=signing)


def refusal(call: Callable[[], object]) -> str:
    """What the server calls its refusal; empty when there was none."""
    try:
        call()
    except S3Error as error:
        counted_attacks.refused("MinIO")
        return error.code or ""
    except MinioAdminException as error:
        counted_attacks.refused("MinIO")
        return "AccessDenied" if error._code == "403" else error._code
    counted_attacks.allowed("MinIO")
    return ""


def raw(client: Minio, method: str, bucket: str, name: str, **options: Any) -> Any:
    """A request that minio-py signs but has no method for."""
    return client._execute(method, bucket, name, **options)


def tar(names: list[str], **records: str) -> bytes:
    """An archive of these names; the records are what MinIO takes from its headers."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as file:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mtime = 8, 1
            member.pax_headers = {f"minio.{key}": value for key, value in records.items()}
            file.addfile(member, io.BytesIO(b"unpacked"))
    return archive.getvalue()


def unpacked(client: Minio, bucket: str, at: str, prefix: str | None, archive: bytes) -> Any:
    """Put an archive and ask the store to unpack it below a prefix."""
    headers = {"X-Amz-Meta-Snowball-Auto-Extract": "true", "Content-Type": "application/x-tar"}
    if prefix is not None:
        headers["X-Amz-Meta-Minio-Snowball-Prefix"] = prefix
    return raw(client, "PUT", bucket, at, body=archive, headers=headers)
