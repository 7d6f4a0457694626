"""What a repair plans or did, and what is left for a person."""

from uuid import UUID

from agentruns.models.values import Record
from quality.for_a_person import advice_on
from storage.quality import CheckResult
from storage.repair import PlannedAction
from tasks.markdown import plain, table
from tasks.quality_report import first_of

#: The table `repair_actions` has all of them.
MOST_TOLD = 500


class RepairPlan(Record):
    """The actions of a repair."""

    counts: dict[str, dict[str, int]]
    """By kind, and by what came of them."""
    actions: tuple[PlannedAction, ...]
    """The first of them."""

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(number for told in self.counts.values() for number in told.values())


class Left(Record):
    """What a check finds, and no repair mends."""

    check: str
    severity: str
    rows: int | None
    message: str
    advice: str
    """Why it is for a person, and what that person can do."""
    such_as: str


class RepairReport(Record):
    """A plan, and what came of it when it was applied."""

    repair_id: UUID
    applied: bool
    passed: bool
    """Whether the checks pass now."""
    counts: dict[str, dict[str, int]]
    planned: tuple[PlannedAction, ...]
    """The first actions; `counts` has the number of all."""
    left: tuple[Left, ...]
    """After a repair: what the checks still find. Before: what they find, mended or not."""

    @property
    def total(self) -> int:
        """How many actions there are."""
        return sum(number for told in self.counts.values() for number in told.values())


def left_of(checks: tuple[CheckResult, ...]) -> tuple[Left, ...]:
    """What the checks found, with advice."""
    return tuple(
        Left(
            check=check.name,
            severity=check.severity.value,
            rows=check.bad_rows,
            message=check.message,
            advice=advice_on(check.name),
            such_as=first_of(check),
        )
        for check in checks
        if not check.passed
    )


def as_markdown(report: RepairReport) -> str:
    """The page that people open in Prefect."""
    parts = ["Applied." if report.applied else "**Only planned: nothing was changed.**"]
    if report.planned:
        heads = ("what", "row or object", "why", "outcome")
        parts.append(table(heads, [_row(action) for action in report.planned]))
    if report.left:
        rows = [
            (plain(one.check), one.severity, one.rows or "?", plain(one.advice))
            for one in report.left
        ]
        parts.append(table(("check", "severity", "rows", "for a person"), rows))
    return "\n\n".join(parts) + "\n"


def subject_of(action: PlannedAction) -> str:
    """The row or the object that an action is about."""
    if action.record:
        return f"{action.record} {action.row_id}"
    return f"{action.bucket}/{action.object_path}"


def _row(action: PlannedAction) -> tuple[object, ...]:
    outcome = action.told or action.outcome or "planned"
    return action.kind, plain(subject_of(action)), plain(action.reason), plain(outcome)
