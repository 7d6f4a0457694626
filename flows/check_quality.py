"""Ask whether the data can be trusted: the tables, and the objects against the tables."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from quality.checking import refuse_faulty
from tasks.quality import ask_checks, close_run, find_checks, only_check, open_run, take_inventory
from tasks.quality_report import QualityReport, as_event, as_markdown

FAILED = "agentruns.quality.failed"


@flow(persist_result=False)
def check_quality(checks: str | None = None, grace_minutes: float = 60) -> QualityReport:
    """List the object store, compare it with the metadata, and ask every check of the data.

    This run succeeds whenever it found out; what it found is in its artifact "quality", in
    PostgreSQL, and in the event `agentruns.quality.failed` when the data did not pass.

    Args:
        checks: A folder with checks of your own on the worker's machine, asked besides ours.
        grace_minutes: An object that is younger than this may still get its row.
    """
    known = find_checks(checks)
    with only_check():
        run_id = open_run()
        snapshot = take_inventory(grace_minutes)
        results = ask_checks(known)
        report = close_run(run_id, snapshot, results)
    _tell(report)
    refuse_faulty(results)
    return report


def _tell(report: QualityReport) -> None:
    create_markdown_artifact(
        key="quality",
        description="The data passed." if report.passed else "**The data did not pass.**",
        markdown=as_markdown(report),
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
