"""Delete what is older than the policies say, but for what they keep."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from storage.retention import RetentionReport
from storage.retention.retaining import applied_by_pages
from tasks.retention import apply_page, choose_policies, end_cut_off, plan_retention, prune
from tasks.retention_report import NOTHING, as_markdown


@flow(timeout_seconds=12 * 3600, persist_result=False)
def apply_retention(policy: str | None = None, *, yes: bool = False) -> RetentionReport:
    """Delete what is older than the policies say; without `yes`, only say what would go.

    It may be killed at any point: the next run, or `finish-deletions`, ends what was begun.

    Args:
        policy: Only this policy, also when it is not enabled.
        yes: Really delete.
    """
    report = _applied(policy) if yes else plan_retention(policy)
    if not report.policies:
        get_run_logger().info(NOTHING)
    create_markdown_artifact(
        key="retention",
        description=f"{report.totals['tasks']} tasks" if report.policies else NOTHING,
        markdown=as_markdown(report),
    )
    if yes and not report.verified:
        raise RuntimeError("Some tasks are not gone yet: the artifact says by which policy.")
    return report


def _applied(name: str | None) -> RetentionReport:
    policies = choose_policies(name)
    if policies:
        end_cut_off()
    done = (applied_by_pages(one, apply_page, prune) for one in policies)
    return RetentionReport(applied=True, policies=tuple(done))
