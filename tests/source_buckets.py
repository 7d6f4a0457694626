"""A bucket of somebody else's in the tests' own server, and keys of its own for it."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider

from storage.settings import Settings

READING = ("s3:GetObject",)
MOVING = (*READING, "s3:PutObject", "s3:DeleteObject")


class SourceBucket(NamedTuple):
    """The bucket as its owner sees it."""

    name: str
    owner: Minio
    key: str
    secret: str

    def put(self, name: str, content: bytes) -> None:
        self.owner.put_object(self.name, name, io.BytesIO(content), len(content))

    def put_many(self, contents: dict[str, bytes]) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.put, contents, contents.values()))

    def put_tree(self, folder: Path, prefix: str) -> dict[str, bytes]:
        """Every regular file below the folder whose name an object may have."""
        contents = {
            f"{prefix}/{path.relative_to(folder).as_posix()}": path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not path.is_symlink() and str(path).isprintable()
        }
        self.put_many(contents)
        return contents

    def get(self, name: str) -> bytes:
        answer = self.owner.get_object(self.name, name)
        try:
            return bytes(answer.read())
        finally:
            answer.close()
            answer.release_conn()

    def names(self, prefix: str = "") -> list[str]:
        found = self.owner.list_objects(self.name, prefix, recursive=True)
        return [str(one.object_name) for one in found]


@contextmanager
def bucket_with_key(
    settings: Settings, patch: pytest.MonkeyPatch, actions: tuple[str, ...]
) -> Iterator[SourceBucket]:
    """A new bucket, and a key in the environment that may list it and do these things in it.

    Nothing is allowed with what has `closed` in its name.
    """
    address = settings.required("minio_endpoint")
    root = (settings.required("minio_access_key"), settings.required("minio_secret_key"))
    owner = Minio(address, *root, secure=False, region="us-east-1")
    admin = MinioAdmin(
        endpoint=address, region="us-east-1", credentials=StaticProvider(*root), secure=False
    )
    name, key, secret = f"old-{uuid4().hex[:12]}", f"source-{uuid4().hex[:8]}", uuid4().hex
    owner.make_bucket(name)
    admin.policy_add(name, policy=_policy(name, actions))
    admin.user_add(key, secret)
    admin.policy_set(name, user=key)
    _tell(patch, address, key, secret)
    bucket = SourceBucket(name, owner, key, secret)
    try:
        yield bucket
    finally:
        for one in bucket.names():
            owner.remove_object(name, one)
        owner.remove_bucket(name)
        admin.user_remove(key)
        admin.policy_remove(name)


def _tell(patch: pytest.MonkeyPatch, address: str, key: str, secret: str) -> None:
    told = {"ENDPOINT": address, "ACCESS_KEY": key, "SECRET_KEY": secret, "SECURE": "false"}
    for setting, value in told.items():
        patch.setenv(f"AGENTRUNS_SOURCE_S3_{setting}", value)


def _policy(bucket: str, actions: tuple[str, ...]) -> dict[str, object]:
    place = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [place]},
            {"Effect": "Allow", "Action": list(actions), "Resource": [f"{place}/*"]},
            {"Effect": "Deny", "Action": list(actions), "Resource": [f"{place}/*closed*"]},
        ],
    }
