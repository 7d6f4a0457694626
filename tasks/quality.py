"""The steps of checking the data: each is one call, and can be repeated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from agentruns.models import new_id
from quality.check_files import Check, all_checks
from quality.checking import passed, run_checks
from storage.inventory import InventoryStore, Listing, Snapshot
from storage.quality import CheckResult, QualityStore
from storage.settings import load_settings
from storage.stores import shared_stores
from tasks.quality_report import QualityReport
from tasks.retries import store_task


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
def find_checks(folder: str | None) -> list[Check]:
    """Our checks and those of a folder, by default that of AGENTRUNS_CHECKS."""
    return all_checks(Path(folder) if folder else load_settings().agentruns_checks)


@store_task
def ask_checks(checks: Sequence[Check]) -> list[CheckResult]:
    """Ask all of them."""
    return run_checks(load_settings().required("postgres_url"), checks)


@store_task
def close_run(run_id: UUID, snapshot: Snapshot, results: Sequence[CheckResult]) -> QualityReport:
    """Keep what was found."""
    good = passed(results)
    QualityStore(shared_stores().postgres).close(run_id, snapshot.id, results, passed=good)
    return QualityReport(
        run_id=run_id,
        passed=good,
        snapshot_id=snapshot.id,
        objects=snapshot.objects,
        size_bytes=snapshot.size_bytes,
        checks=tuple(results),
    )
