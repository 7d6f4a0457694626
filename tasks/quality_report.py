"""What the checks found, for programs, for Prefect's automations and for people."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from agentruns.models.values import Record, UtcTime
from storage.deep import Pass
from storage.inventory import Snapshot
from storage.quality import CheckResult, QualityRun
from tasks.markdown import plain, table


class DeepPass(Record):
    """Objects that were read to compare their content."""

    scope: str
    """all, a sample, or a subset."""
    objects: int
    size_bytes: int
    began_at: UtcTime
    """Before this run when an earlier one was cut off."""

    @classmethod
    def of(cls, one: Pass) -> "DeepPass":
        """What is told of a pass."""
        return cls(
            scope=one.scope,
            objects=one.objects,
            size_bytes=one.size_bytes,
            began_at=one.began_at,
        )


class QualityReport(Record):
    """One run of the checks."""

    run_id: UUID
    passed: bool
    """Whether no check of the severity `error` found anything, and all could be asked."""
    started_at: UtcTime
    finished_at: UtcTime
    snapshot_id: UUID | None
    objects: int | None
    """None, like their size, once the inventory was replaced by newer ones."""
    size_bytes: int | None
    checks: tuple[CheckResult, ...]
    deep: tuple[DeepPass, ...] = ()
    """What was read to its end; what was found in it is among the checks."""
    report: str | None = None
    """Where the page about this run lies."""

    @classmethod
    def of(
        cls,
        run: QualityRun,
        snapshot: Snapshot | None,
        checks: Sequence[CheckResult],
        read: Sequence[Pass] = (),
    ) -> "QualityReport":
        """What is told of a run that came to its end."""
        return cls(
            run_id=run.id,
            passed=bool(run.passed),
            started_at=run.started_at,
            finished_at=run.finished_at or run.started_at,
            snapshot_id=run.snapshot_id,
            objects=snapshot.objects if snapshot else None,
            size_bytes=snapshot.size_bytes if snapshot else None,
            checks=tuple(sorted(checks, key=lambda check: check.name)),
            deep=tuple(map(DeepPass.of, read)),
        )

    @property
    def found(self) -> list[CheckResult]:
        """The checks that did not pass, the worst first."""
        order = ("error", "warning", "info")
        return sorted(
            (check for check in self.checks if not check.passed),
            key=lambda check: (order.index(check.severity), check.name),
        )


def as_event(report: QualityReport) -> dict[str, Any]:
    """What an automation is told of a run that did not pass."""
    found = [
        {"name": check.name, "severity": check.severity.value, "bad_rows": check.bad_rows}
        for check in report.found
    ]
    return {"run_id": str(report.run_id), "found": found}


def as_markdown(report: QualityReport) -> str:
    """The page that people open in Prefect to see whether the data can be trusted."""
    verdict = "The data passed." if report.passed else "**The data did not pass.**"
    parts = [
        f"{verdict} {len(report.checks)} checks, {len(report.found)} of them found something; "
        f"{report.objects} objects compared{read_of(report)}."
    ]
    if report.found:
        rows = [_row(check) for check in report.found]
        parts.append(table(("check", "severity", "bad rows", "what it means", "such as"), rows))
    good = ", ".join(plain(check.name) for check in report.checks if check.passed)
    return "\n\n".join([*parts, f"Passed: {good}."]) + "\n"


def _row(check: CheckResult) -> tuple[object, ...]:
    bad = "?" if check.bad_rows is None else check.bad_rows
    said = f"could not be asked: {check.fault}" if check.fault else check.message
    return plain(check.name), check.severity.value, bad, plain(said), plain(first_of(check))


def read_of(report: QualityReport) -> str:
    """How many objects were read to their end, as the rest of a sentence."""
    return "".join(f", {one.objects} read ({one.scope})" for one in report.deep)


def first_of(check: CheckResult) -> str:
    """The first of the bad rows, in one line."""
    row = check.sample[0] if check.sample else {}
    return ", ".join(f"{name} {value}" for name, value in row.items() if value is not None)
