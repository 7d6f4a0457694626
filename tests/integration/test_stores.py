"""The stores as one thing."""

import subprocess
import sys

import pytest
from pydantic import SecretStr

import storage
from agentruns.models import LogEntry
from storage.settings import Settings
from storage.stores import Stores, shared_stores


def test_nothing_is_opened_before_it_is_used() -> None:
    away = Settings(
        _env_file=None,
        mongodb_url=SecretStr("mongodb://127.0.0.1:1"),
        postgres_url=SecretStr("postgresql://127.0.0.1:1/db"),
        minio_endpoint="127.0.0.1:1",
        minio_access_key=SecretStr("key"),
        minio_secret_key=SecretStr("secret"),
    )
    with Stores(away) as stores:
        assert stores.writer


def test_stores_work_again_after_they_were_closed(stores: Stores, agent_id: str) -> None:
    entry = LogEntry(agent_id=agent_id, message="still here")
    stores.writer.write([entry])
    stores.close()
    assert list(stores.mongo.read_logs(agent_id=agent_id)) == [entry]
    assert all(health.healthy for health in stores.health())


def test_health_names_every_store(stores: Stores) -> None:
    assert [(each.name, each.healthy) for each in stores.health()] == [
        ("postgres", True),
        ("mongodb", True),
        ("minio", True),
    ]


def test_a_store_without_settings_is_unhealthy_and_says_what_is_missing() -> None:
    answers = Stores(Settings(_env_file=None)).health()
    assert [each.healthy for each in answers] == [False] * 3
    for answer, name in zip(answers, ("POSTGRES_URL", "MONGODB_URL", "MINIO_"), strict=True):
        assert name in answer.detail


def test_a_process_shares_its_stores_as_long_as_the_settings_are_the_same(
    settings: Settings,
) -> None:
    first = shared_stores()
    assert shared_stores(settings) is first
    other = settings.model_copy(update={"minio_region": "elsewhere"})
    assert shared_stores(other) is not first
    assert shared_stores(settings) is first


@pytest.mark.parametrize("name", storage.__all__)
def test_everything_that_is_announced_is_there(name: str) -> None:
    assert getattr(storage, name)


def test_one_store_is_used_without_the_drivers_of_the_others() -> None:
    code = (
        "import sys; from storage import MongoAdapter; print({'minio', 'psycopg'} & {*sys.modules})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert shown.stdout.strip() == b"set()"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = storage.Nothing
