"""The steps of checking the data: each is one call, and can be repeated."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from agentruns.models import new_id, utcnow
from quality.check_files import Check, all_checks
from quality.checking import passed, run_checks
from quality.pipeline_checks import pipeline_checks
from storage.deep import DeepReading, DeepStore, Pass, Scope
from storage.inventory import InventoryStore, Listing, Snapshot
from storage.inventory.documents import DocumentListing
from storage.mongo.told_tasks import ToldTasks
from storage.pace import shared_pace
from storage.quality import CheckResult, QualityStore, QualityTrend
from storage.settings import load_settings
from storage.stores import shared_stores
from tasks.quality_chart import trend_chart
from tasks.quality_history import MOST_RUNS
from tasks.quality_report import QualityReport
from tasks.retries import store_task


@contextmanager
def only_deep_check() -> Iterator[None]:
    """Be the only one who reads the objects while this lasts."""
    with DeepStore(shared_stores().postgres).only_run():
        yield


@contextmanager
def only_check() -> Iterator[None]:
    """Be the only one who checks these stores while this lasts."""
    with InventoryStore(shared_stores().postgres).only_run():
        yield


@store_task
def open_run() -> UUID:
    """Note that a run begins; returns its id."""
    run_id = new_id()
    QualityStore(shared_stores().postgres).open(run_id)
    return run_id


@store_task
def take_inventory(grace_minutes: float) -> Snapshot:
    """List the object store and compare it with the metadata."""
    stores = shared_stores()
    listing = Listing(InventoryStore(stores.postgres), stores.minio)
    return listing.take(timedelta(minutes=grace_minutes))


@store_task
def compare_documents(snapshot_id: UUID) -> None:
    """Find the log entries and memories of tasks that PostgreSQL does not know."""
    with ToldTasks(load_settings()) as told:
        DocumentListing(shared_stores().postgres, told).take(snapshot_id)


@store_task
def find_checks(folder: str | None) -> list[Check]:
    """Our checks and those of a folder, by default that of AGENTRUNS_CHECKS."""
    return all_checks(Path(folder) if folder else load_settings().agentruns_checks)


@store_task
def ask_checks(checks: Sequence[Check]) -> list[CheckResult]:
    """Ask all of them."""
    return run_checks(load_settings().required("postgres_url"), checks)


@store_task
def ask_pipeline() -> list[CheckResult]:
    """Ask whether records keep flowing."""
    return pipeline_checks(shared_stores().postgres)


@store_task
def plan_deep_check(scope: Scope) -> list[Pass]:
    """Choose the objects that are to be read, after those that an earlier run did not come to."""
    return DeepStore(shared_stores().postgres).open(scope)


@store_task
def read_objects(one: Pass, max_mb_per_s: float | None) -> Pass:
    """Read what is left of a pass."""
    stores = shared_stores()
    minio = stores.minio.paced(shared_pace(one.id, max_mb_per_s))
    return DeepReading(DeepStore(stores.postgres), minio).read(one)


@store_task
def close_run(
    run_id: UUID, snapshot: Snapshot, results: Sequence[CheckResult], read: Sequence[Pass] = ()
) -> QualityReport:
    """Keep what was found."""
    store = QualityStore(shared_stores().postgres)
    run = store.close(run_id, snapshot.id, results, passed=passed(results))
    return QualityReport.of(run, snapshot, results, read)


@store_task
def draw_trend() -> str:
    """The last runs as a picture, in the form of an address that holds all of it."""
    runs = QualityTrend(shared_stores().postgres).runs(utcnow(), MOST_RUNS)
    drawn = b64encode(trend_chart(runs, alone=True).encode()).decode()
    return f"data:image/svg+xml;base64,{drawn}"
