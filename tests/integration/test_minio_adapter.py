"""Screenshots and files on a real server."""

import hashlib
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from agentruns.models import AgentTask, Bucket, StoredFile, Upload, new_id, object_path
from storage.errors import RecordNotFound, RecordRejected, StoreUnavailable
from storage.minio import MinIOAdapter, make_buckets
from storage.minio.describing import described
from storage.postgres.adapter import PostgresAdapter
from storage.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n and so on"
HTML = b"<html><script>alert(1)</script></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture
def task(postgres: PostgresAdapter, agent_id: str) -> AgentTask:
    return postgres.create_task(agent_id=agent_id, title="a task")


def answer(url: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    try:
        with urlopen(Request(url, method=method)) as response:  # noqa: S310 - our own URL
            return response.status, dict(response.headers), response.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def test_a_screenshot_is_named_by_its_content_and_registered(
    minio: MinIOAdapter, postgres: PostgresAdapter, agent_id: str, task: AgentTask
) -> None:
    path = minio.upload_screenshot(PNG, str(task.id).upper(), step=3, url="https://example.org")

    assert path == object_path(agent_id, task.id, hashlib.sha256(PNG).hexdigest(), ".png")
    assert minio.download_screenshot(path) == PNG
    (row,) = postgres.get_binary_files(bucket="screenshots", task_id=task.id)
    assert row == path.file
    assert row.content_type == "image/png"
    assert row.metadata == {"step": 3, "url": "https://example.org"}
    assert row.etag == minio.stat("screenshots", path).info.etag


def test_a_file_on_disk_keeps_its_name_in_the_row(
    minio: MinIOAdapter, task: AgentTask, tmp_path: Path
) -> None:
    source = tmp_path / "Report 2026 ü.PDF"
    source.write_bytes(b"%PDF-1.7")

    path = minio.upload_file(source, task.id)

    assert path.endswith(".pdf")
    assert path.file.content_type == "application/pdf"
    assert path.file.metadata == {"name": "Report 2026 ü.PDF"}
    assert minio.download("binaries", path) == b"%PDF-1.7"


def test_the_object_itself_says_whose_it_is(
    minio: MinIOAdapter, agent_id: str, task: AgentTask
) -> None:
    path = minio.upload_screenshot(PNG, task.id)
    assert minio.stat("screenshots", path).tags == {
        "agent": agent_id,
        "task": str(task.id),
        "sha256": path.file.sha256,
        "file-id": str(path.file.id),
    }


def test_uploading_the_same_picture_twice_stores_it_once(
    minio: MinIOAdapter, agent_id: str, task: AgentTask
) -> None:
    first = minio.upload_screenshot(PNG, task.id, step=1)
    second = minio.upload_screenshot(PNG, task.id, step=2)

    assert first == second
    assert [found.path for found in minio.list("screenshots", f"{agent_id}/")] == [first]


def test_a_large_file_comes_back_in_pieces(
    minio: MinIOAdapter, task: AgentTask, tmp_path: Path
) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(bytes(range(256)) * 50_000)

    path = minio.upload_file(source, task.id)

    with minio.stream("binaries", path) as chunks:
        pieces = list(chunks)
    assert max(map(len, pieces)) <= 2**20
    assert b"".join(pieces) == source.read_bytes()


def test_an_empty_file_is_a_file(minio: MinIOAdapter, task: AgentTask) -> None:
    path = minio.upload_file(b"", task.id, filename="empty.log")
    assert minio.download("binaries", path) == b""


def test_an_upload_that_cannot_be_registered_stands_and_is_logged(
    minio: MinIOAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        path = minio.upload_screenshot(PNG, new_id())

    assert minio.download_screenshot(path) == PNG
    (record,) = caplog.records
    assert "is stored but not registered" in record.message
    assert record.__dict__["file_id"] == str(path.file.id)


@pytest.mark.promise(11, by="us")
@pytest.mark.parametrize("content", [HTML, SVG], ids=["HTML", "SVG"])
@pytest.mark.parametrize("name", ["shot.png", "shot.html", "shot.svg", "shot"])
def test_what_could_run_in_a_browser_is_only_ever_downloaded(
    minio: MinIOAdapter, settings: Settings, task: AgentTask, content: bytes, name: str
) -> None:
    path = minio.upload_file(content, task.id, filename=name, content_type="image/png")
    # The key that signs for browsers opens no binary at all; this one is the operator's.
    nobodys = {"minio_signing_access_key": None, "minio_signing_secret_key": None}
    assert answer(minio.get_presigned_url("binaries", path))[0] == 403

    with MinIOAdapter(settings=settings.model_copy(update=nobodys)) as operator:
        status, headers, body = answer(operator.get_presigned_url("binaries", path))

    assert (status, body) == (200, content)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"] == "attachment"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert path.file.content_type != "image/png"


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 and so on", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBP and so on", "image/webp"),
        (b"GIF89a and so on", "image/gif"),
    ],
)
def test_a_picture_is_shown_by_a_browser(
    minio: MinIOAdapter, task: AgentTask, head: bytes, content_type: str
) -> None:
    path = minio.upload_screenshot(head, task.id)

    status, headers, body = answer(minio.get_presigned_url("screenshots", path))

    assert (status, body) == (200, head)
    assert headers["Content-Type"] == content_type
    assert headers["Content-Disposition"] == "inline"


@pytest.mark.promise(11, by="us")
def test_html_put_by_other_means_under_a_pictures_name_is_served_as_a_picture(
    minio: MinIOAdapter, agent_id: str, task: AgentTask
) -> None:
    file = described(PNG, Bucket.SCREENSHOTS, agent_id=agent_id, task_id=task.id, metadata={})
    sha256 = hashlib.sha256(HTML).hexdigest()
    lie = file.model_copy(update={"sha256": sha256, "size_bytes": len(HTML)})
    minio.put(Upload(file=lie, content=HTML))

    _, headers, _ = answer(minio.get_presigned_url("screenshots", file.object_path))

    assert headers["Content-Type"] == "image/png"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_presigned_url_serves_nothing_else(minio: MinIOAdapter, task: AgentTask) -> None:
    path = minio.upload_screenshot(PNG, task.id)
    other = minio.upload_screenshot(PNG + b"other", task.id)
    url = minio.get_presigned_url("screenshots", path)

    assert answer(url)[0] == 200
    assert answer(url.replace(path, other))[0] == 403
    assert answer(url.replace("image%2Fpng", "text%2Fhtml"))[0] == 403
    assert answer(url, "PUT")[0] == 403
    assert answer(url, "DELETE")[0] == 403


def test_a_presigned_url_is_signed_for_the_public_address_without_a_connection(
    settings: Settings, agent_id: str
) -> None:
    public = settings.model_copy(
        update={
            "minio_endpoint": "127.0.0.1:1",
            "minio_public_endpoint": "files.example.org",
            "minio_public_secure": True,
        }
    )
    url = MinIOAdapter(agent_id, settings=public).get_presigned_url("screenshots", "a/b.png")
    assert url.startswith("https://files.example.org/screenshots/a/b.png?")


@pytest.mark.parametrize("seconds", [0, -1, 604_801])
def test_a_presigned_url_lives_between_a_second_and_a_week(
    minio: MinIOAdapter, seconds: int
) -> None:
    with pytest.raises(ValueError, match="between 1 and 604800"):
        minio.get_presigned_url("screenshots", "a/b.png", expires_seconds=seconds)


@pytest.mark.promise(9, by="us")
@pytest.mark.parametrize(
    "path",
    ["", "../b", "/a", "a//b", "a\\b", "a\0b", "a\nb", "a/\u202eb", "a/" + "x" * 1024, "a/./b"],
    ids=repr,
)
@pytest.mark.parametrize("method", ["download", "delete", "stat", "get_presigned_url"])
def test_a_name_that_leads_elsewhere_never_reaches_the_server(
    minio: MinIOAdapter, method: str, path: str
) -> None:
    with pytest.raises(ValueError, match=r"."):
        getattr(minio, method)("screenshots", path)


def test_there_are_two_buckets_and_no_other(minio: MinIOAdapter) -> None:
    with pytest.raises(ValueError, match="is not a valid Bucket"):
        minio.download("secrets", "a/b")


def test_what_is_not_there_is_not_found_and_can_be_deleted(
    minio: MinIOAdapter, agent_id: str, task: AgentTask
) -> None:
    with pytest.raises(RecordNotFound):
        minio.download("screenshots", f"{agent_id}/nothing.png")
    with pytest.raises(RecordNotFound):
        minio.stat("screenshots", f"{agent_id}/nothing.png")
    path = minio.upload_screenshot(PNG, task.id)
    minio.delete("screenshots", path)
    minio.delete("screenshots", path)
    assert list(minio.list("screenshots", f"{agent_id}/")) == []


def test_a_listing_goes_over_many_pages(
    minio: MinIOAdapter, agent_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.minio.names._PAGE", "3")
    paths = {minio.upload_file(bytes([number])) for number in range(7)}

    found = [item.path for item in minio.list("binaries", f"{agent_id}/")]

    assert found == sorted(paths)


@pytest.mark.parametrize("change", [b"tampered with", b"longer" * 10, b""], ids=len)
def test_content_that_is_not_what_its_row_announces_is_refused(
    minio: MinIOAdapter, agent_id: str, tmp_path: Path, change: bytes
) -> None:
    source = tmp_path / "file.bin"
    source.write_bytes(b"as announced!")
    file = described(source, Bucket.BINARIES, agent_id=agent_id, task_id=None, metadata={})
    source.write_bytes(change)

    for content in (source, change):
        with pytest.raises(RecordRejected, match="changed after it was recorded"):
            minio.put(Upload(file=file, content=content))

    assert list(minio.list("binaries", f"{agent_id}/")) == []


def test_a_large_file_that_changed_leaves_no_part_behind(
    minio: MinIOAdapter, agent_id: str, tmp_path: Path
) -> None:
    source = tmp_path / "file.bin"
    source.write_bytes(b"a" * 12_000_000)
    file = described(source, Bucket.BINARIES, agent_id=agent_id, task_id=None, metadata={})
    source.write_bytes(b"a" * 11_999_999 + b"b")

    with pytest.raises(RecordRejected):
        minio.put(Upload(file=file, content=source))

    assert list(minio.list("binaries", f"{agent_id}/")) == []


@pytest.mark.parametrize("kind", ["gone", "folder", "pipe"])
def test_a_source_that_is_no_file_is_refused_at_once(
    minio: MinIOAdapter, agent_id: str, tmp_path: Path, kind: str
) -> None:
    import os  # noqa: PLC0415 - only here

    source = tmp_path / "source"
    if kind == "folder":
        source.mkdir()
    if kind == "pipe":
        os.mkfifo(source)
    with pytest.raises(RecordRejected, match="plain file"):
        minio.upload_file(source)


def test_without_an_agent_nobody_owns_the_file(settings: Settings) -> None:
    with pytest.raises(ValueError, match="agent_id="):
        MinIOAdapter(settings=settings).upload_screenshot(PNG)


def test_making_the_buckets_again_changes_nothing(settings: Settings) -> None:
    make_buckets(settings)
    make_buckets(settings)
    assert MinIOAdapter(settings=settings).health_check().healthy


def test_a_failing_registry_of_any_storage_kind_does_not_fail_the_upload(
    settings: Settings, agent_id: str
) -> None:
    class Away:
        def register_binary_file(self, file: StoredFile, /) -> Any:
            raise StoreUnavailable(f"no place for {file.id} at {datetime.now(UTC)}")

    minio = MinIOAdapter(agent_id, Away(), settings=settings)
    assert minio.upload_screenshot(PNG).file.etag
