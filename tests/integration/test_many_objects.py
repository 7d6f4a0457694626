"""More objects under one prefix than a store names in one answer: nobody stops at the first page.

With `AGENTRUNS_TRIALS` of 100 and more, there are 100,000 of them, which takes minutes.
"""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from agentruns.models import Bucket, object_path
from storage.inventory import InventoryStore, Listing
from storage.minio.removing import ObjectRemover
from storage.minio.source import SourceBucket
from storage.settings import Settings
from storage.stores import Stores
from tests.raw_stores import raw_minio

COUNT = 100_000 if int(os.environ.get("AGENTRUNS_TRIALS", "0")) >= 100 else 1_001
TASK = "01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11"


@pytest.fixture
def many(settings: Settings, agent_id: str) -> Iterator[list[str]]:
    """Names in one prefix, in their order."""
    client = raw_minio(settings)
    paths = [object_path(agent_id, TASK, f"{number:064x}", ".png") for number in range(COUNT)]
    with ThreadPoolExecutor(8) as pool:
        done = pool.map(
            lambda path: client.put_object("binaries", path, io.BytesIO(b"x"), 1), paths
        )
        assert len(list(done)) == COUNT
    yield paths
    remover = ObjectRemover(settings)
    for page in remover.versions(Bucket.BINARIES, f"{agent_id}/"):
        remover.remove(Bucket.BINARIES, page)


@pytest.mark.timeout(120 + COUNT // 50)
def test_a_prefix_of_more_than_a_page_is_listed_compared_read_and_deleted_whole(
    stores: Stores, settings: Settings, agent_id: str, many: list[str]
) -> None:
    prefix = f"{agent_id}/"
    assert [found.path for found in stores.minio.list("binaries", prefix)] == many
    middle = many[COUNT // 2]
    assert next(stores.minio.list("binaries", prefix, middle)).path == many[COUNT // 2 + 1]
    assert [found.name for found in _as_source(settings).list(prefix)] == many
    Listing(InventoryStore(stores.postgres), stores.minio).take(timedelta())
    with stores.postgres.connection() as connection:
        told = "SELECT kind, count(*) FROM current_differences WHERE agent = %s GROUP BY 1"
        assert connection.execute(told, [agent_id]).fetchall() == [("orphan", COUNT)]
    remover = ObjectRemover(settings)
    for page in remover.versions(Bucket.BINARIES, prefix):
        remover.remove(Bucket.BINARIES, page)
    assert list(stores.minio.list("binaries", prefix)) == []


def _as_source(settings: Settings) -> SourceBucket:
    """Our own bucket, as somebody would migrate it."""
    own = {
        f"agentruns_source_s3_{name}": getattr(settings, f"minio_{name}")
        for name in ("endpoint", "access_key", "secret_key", "secure", "region")
    }
    return SourceBucket(settings.model_copy(update=own), "binaries")
