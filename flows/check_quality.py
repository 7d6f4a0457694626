"""Ask whether the data can be trusted: the tables, and the other stores against the tables."""

from prefect import flow
from prefect.artifacts import create_image_artifact, create_markdown_artifact
from prefect.events import emit_event

from quality.checking import refuse_faulty
from storage.deep import Pass, Scope, scope_of
from storage.pace import checked_mb_per_s
from tasks.quality import (
    ask_checks,
    ask_pipeline,
    close_run,
    compare_documents,
    draw_trend,
    find_checks,
    only_check,
    only_deep_check,
    open_run,
    plan_deep_check,
    read_objects,
    take_inventory,
)
from tasks.quality_report import QualityReport, as_event, as_markdown

FAILED = "agentruns.quality.failed"


@flow(persist_result=False)
def check_quality(  # noqa: PLR0913 - the fields of the form in Prefect's UI
    checks: str | None = None,
    grace_minutes: float = 60,
    *,
    deep: bool = False,
    sample: int | None = None,
    seed: int = 0,
    subset: str | None = None,
    max_mb_per_s: float | None = None,
) -> QualityReport:
    """Compare the object store and the logs with the tables, and ask every check of the data.

    This run succeeds whenever it found out; what it found is in its artifacts "quality" and
    "quality-trend", in PostgreSQL, and in the event `agentruns.quality.failed` when the data did
    not pass.

    Args:
        checks: A folder with checks of your own on the worker's machine, asked besides ours.
        grace_minutes: An object that is younger than this may still get its row.
        deep: Read objects to their end and compare their SHA-256: all, unless sample or subset say
            otherwise. What was cut off is gone on with.
        sample: Read only so many objects.
        seed: Another one chooses another sample.
        subset: Read the n-th of t parts, n/t; next/t is the one that was not read for longest.
        max_mb_per_s: As many megabytes a second are read; no limit when it is left out.
    """
    scope = scope_of(sample, seed, subset) if deep or sample or subset else None
    limit = None if max_mb_per_s is None else checked_mb_per_s(max_mb_per_s)
    known = find_checks(checks)
    with only_check():
        run_id = open_run()
        snapshot = take_inventory(grace_minutes)
        compare_documents(snapshot.id)
    # Reading may take hours, in which others check.
    read = _read(scope, limit) if scope else ()
    results = [*ask_checks(known), *ask_pipeline()]
    report = close_run(run_id, snapshot, results, read)
    _tell(report, draw_trend())
    refuse_faulty(results)
    return report


def _read(scope: Scope, max_mb_per_s: float | None) -> list[Pass]:
    with only_deep_check():
        return [read_objects(one, max_mb_per_s) for one in plan_deep_check(scope)]


def _tell(report: QualityReport, trend: str) -> None:
    create_markdown_artifact(
        key="quality",
        description="The data passed." if report.passed else "**The data did not pass.**",
        markdown=as_markdown(report),
    )
    create_image_artifact(
        key="quality-trend",
        description="Checks that found something, run by run: errors red, warnings orange.",
        image_url=trend,
    )
    if not report.passed:
        emit_event(
            FAILED,
            resource={
                "prefect.resource.id": "agentruns.quality",
                "prefect.resource.name": "agentruns quality",
            },
            payload=as_event(report),
        )
