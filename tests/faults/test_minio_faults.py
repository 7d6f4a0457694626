"""MinIO away, frozen, cut off, refusing."""

import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from agentruns.models import new_id
from storage.errors import AccessDenied, StorageError, StoreUnavailable
from storage.minio import MinIOAdapter, clients
from tests.faults.conftest import Proxied

PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline that is kept is short here, so that it can be waited for."""
    monkeypatch.setattr(clients, "READ_SECONDS", 1.5)


@pytest.fixture
def minio(proxied: Proxied, agent_id: str) -> MinIOAdapter:
    return MinIOAdapter(agent_id, settings=proxied.settings)


def test_a_reply_lost_after_the_put_leaves_the_object_there_once(
    minio: MinIOAdapter, proxied: Proxied, agent_id: str
) -> None:
    minio.upload_screenshot(b"opens the connection")
    proxied.minio.cut_reply_to(b"PUT /screenshots/")

    path = minio.upload_screenshot(PNG, new_id())

    assert proxied.minio.cuts == 1
    found = [item for item in minio.list("screenshots", f"{agent_id}/") if item.path == path]
    assert len(found) == 1
    assert minio.download("screenshots", path) == PNG


def test_a_frozen_server_is_reported_within_two_seconds(
    minio: MinIOAdapter, proxied: Proxied
) -> None:
    minio.upload_screenshot(PNG)
    proxied.minio.black_hole()
    start = time.monotonic()

    health = minio.health_check()

    assert time.monotonic() - start < 2
    assert not health.healthy
    assert "answer" in health.detail


def test_an_upload_to_a_frozen_server_ends_by_its_deadline_and_can_be_repeated(
    minio: MinIOAdapter, proxied: Proxied, tmp_path: Path
) -> None:
    (tmp_path / "report.txt").write_text("all is well")
    minio.upload_screenshot(PNG)
    proxied.minio.black_hole()
    start = time.monotonic()

    with pytest.raises(StoreUnavailable, match="gives no answer"):
        minio.upload_file(tmp_path / "report.txt")

    assert time.monotonic() - start < 6
    proxied.minio.forward()
    path = minio.upload_file(tmp_path / "report.txt")
    assert minio.download("binaries", path) == b"all is well"


def test_a_server_that_is_away_is_unavailable(minio: MinIOAdapter, proxied: Proxied) -> None:
    proxied.minio.refuse()

    with pytest.raises(StoreUnavailable):
        minio.upload_screenshot(PNG)

    assert not minio.health_check().healthy


def test_a_wrong_secret_is_a_denial_that_does_not_repeat_it(
    proxied: Proxied, agent_id: str
) -> None:
    wrong = proxied.settings.model_copy(update={"minio_secret_key": SecretStr("wr0ng-secret")})
    minio = MinIOAdapter(agent_id, settings=wrong)

    with pytest.raises(AccessDenied) as refused:
        minio.upload_screenshot(PNG)
    health = minio.health_check()

    assert not health.healthy
    assert "wr0ng-secret" not in str(refused.value) + health.detail


def test_https_to_a_plain_server_says_which_setting_to_change(
    proxied: Proxied, agent_id: str
) -> None:
    minio = MinIOAdapter(
        agent_id, settings=proxied.settings.model_copy(update={"minio_secure": True})
    )
    with pytest.raises(StorageError, match="MINIO_SECURE=false"):
        minio.upload_screenshot(PNG)


def test_a_port_where_something_else_listens_is_not_taken_for_a_store(
    proxied: Proxied, agent_id: str
) -> None:
    elsewhere = {"minio_endpoint": f"127.0.0.1:{proxied.mongo.port}"}
    minio = MinIOAdapter(agent_id, settings=proxied.settings.model_copy(update=elsewhere))

    with pytest.raises(StorageError, match="not an S3 server"):
        minio.download("screenshots", f"{agent_id}/something")
    assert "not an S3 server" in minio.health_check().detail
