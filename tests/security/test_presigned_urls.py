"""A presigned URL reads one object, as what it is, for a while; there is no other kind."""

import re
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from agentruns.models import Bucket
from storage.minio import MinIOAdapter
from storage.settings import Settings
from tests import counted_attacks

pytestmark = pytest.mark.promise(10, by="MinIO")

ROOT = Path(__file__).parents[2]
CODE = ("agentruns", "storage", "quality", "tasks", "flows", "apps")
PNG = b"\x89PNG\r\n\x1a\n<script>alert(1)</script>"
#: What hands out a right to write, or unpacks archives inside the store.
WRITING = re.compile("presigned_put|presigned_post|snowball|PostPolicy")


def status_of(url: str, method: str = "GET") -> int:
    data = b"x" if method in {"PUT", "POST"} else None
    try:
        with urlopen(Request(url, data, method=method), timeout=10) as answer:  # noqa: S310 - MinIO's own address
            counted_attacks.allowed("MinIO")
            return int(answer.status)
    except HTTPError as error:
        counted_attacks.refused("MinIO")
        return int(error.code)


@pytest.fixture
def url(minio: MinIOAdapter) -> str:
    """The address of a screenshot that holds a script."""
    return minio.get_presigned_url(Bucket.SCREENSHOTS, minio.upload_screenshot(PNG))


def test_after_its_time_it_opens_nothing(minio: MinIOAdapter) -> None:
    path = minio.upload_screenshot(PNG)
    url = minio.get_presigned_url(Bucket.SCREENSHOTS, path, expires_seconds=1)
    assert status_of(url) == 200
    time.sleep(2)
    assert status_of(url) == 403
    assert status_of(re.sub("X-Amz-Expires=1", "X-Amz-Expires=3600", url)) == 403


@pytest.mark.parametrize(
    ("what", "by"),
    [
        (r"image%2Fpng", "text%2Fhtml"),
        (r"disposition=inline", "disposition=attachment"),
        (r"&response-content-type=[^&]*", ""),
        (r"\?.*", ""),
        (r"$", "&response-content-type=text%2Fhtml"),
        (r"$", "&response-content-encoding=gzip"),
        (r"$", "&versionId=null"),
        (r"$", "&acl"),
        (r"/screenshots/", "/binaries/"),
        (r"\.png", ".html"),
    ],
)
def test_not_a_word_of_it_can_be_changed(url: str, what: str, by: str) -> None:
    assert status_of(url) == 200
    changed = re.sub(what, by, url, count=1)
    assert changed != url
    assert status_of(changed) == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_it_changes_nothing(minio: MinIOAdapter, method: str) -> None:
    path = minio.upload_screenshot(PNG)
    assert status_of(minio.get_presigned_url("screenshots", path), method) in {400, 403}
    assert minio.download_screenshot(path) == PNG


def test_it_carries_the_name_of_the_key_that_only_reads_and_no_secret(
    url: str, settings: Settings
) -> None:
    assert settings.required("minio_signing_access_key") in url
    # Whoever knows the name of a key that may write can write, says CVE-2026-41145.
    assert settings.required("minio_access_key") not in url
    assert settings.required("minio_secret_key") not in url
    assert settings.required("minio_signing_secret_key") not in url


@pytest.mark.promise(10, by="us")
def test_no_code_of_ours_can_give_a_right_to_write() -> None:
    assert WRITING.search("client.presigned_put_object(bucket, name)")
    files = [file for folder in CODE for file in (ROOT / folder).rglob("*.py")]
    assert any("presigned_get_object" in file.read_text() for file in files)
    assert [file for file in files if WRITING.search(file.read_text())] == []
    assert [name for name in dir(MinIOAdapter) if "presigned" in name] == ["get_presigned_url"]
