"""Checks as files: what is one, and what is refused with which words."""

import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from agentruns.models import utcnow
from apps.cli.checking import quality_as_text
from quality.check_files import all_checks, checks_in, read_check
from storage.errors import CheckFaulty
from storage.quality import CheckResult, Severity
from tasks.quality_report import QualityReport, as_event

GOOD = """-- name: task in vain
-- table: tasks
-- severity: warning
-- message: The task ended in vain.
SELECT id FROM tasks WHERE title = 'vain';
"""


def test_our_checks_have_names_and_messages_of_their_own() -> None:
    checks = all_checks()
    assert len(checks) >= 30
    assert len({check.message for check in checks}) == len(checks)
    assert all(check.message.endswith(".") for check in checks)


def test_a_check_is_a_file_with_a_header(tmp_path: Path) -> None:
    (tmp_path / "vain.sql").write_text(GOOD)
    (tmp_path / "readme.txt").write_text("no check")
    (check,) = checks_in(tmp_path)
    assert check[:4] == ("task in vain", "tasks", "warning", "The task ended in vain.")
    assert check.sql.endswith("'vain'")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SELECT 1", "a line '-- name: ...'"),
        (GOOD.replace("-- severity: warning\n", ""), "a line '-- severity: ...'"),
        (GOOD.replace("warning", "fatal"), "a severity of error, warning, info"),
        (GOOD.replace("table: tasks", "table: tasks; --"), "the plain name of one table"),
        (GOOD.replace("SELECT id FROM", "DELETE FROM"), "a query that gives the bad rows"),
        (GOOD + "DROP TABLE tasks;", "a single statement"),
        ("\x00\xff", "a line '-- name: ...'"),
    ],
)
def test_what_is_no_check_is_told_with_what_it_lacks(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mine.sql"
    file.write_text(text)
    with pytest.raises(CheckFaulty, match=r"mine\.sql is no check") as refused:
        read_check(file)
    assert told in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_bytes(b"\xff\xfe")
    with pytest.raises(CheckFaulty, match="cannot be read as text"):
        checks_in(tmp_path)


def test_a_folder_without_checks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckFaulty, match="holds no check"):
        all_checks(tmp_path)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.sql").write_text(GOOD.replace("task in vain", "missing object"))
    with pytest.raises(CheckFaulty, match="rename yours"):
        all_checks(tmp_path)


def test_people_read_what_was_found_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    one = CheckResult(
        name="missing object",
        subject="current_objects",
        severity=Severity.ERROR,
        passed=False,
        bad_rows=7,
        message="The row's object is not in the store.",
        sample=[{"file_id": "x", "agent_id": None, "object_path": "a/\x1b[31m/b.png"}],
    )
    good = one.model_copy(update={"name": "orphan object", "passed": True, "bad_rows": 0})
    report = QualityReport(
        run_id=UUID(int=1),
        passed=False,
        started_at=utcnow(),
        finished_at=utcnow(),
        snapshot_id=UUID(int=2),
        objects=9,
        size_bytes=9,
        checks=(one, good),
    )
    Console(width=160).print(quality_as_text(report))
    shown = capsys.readouterr().out
    assert "The row's object is not in the store." in shown
    assert "file_id x, object_path a/" in shown
    assert "orphan object" not in shown
    assert "\x1b" not in shown
    assert shown.endswith("The data did not pass. 2 checks, 9 objects compared.\n")
    assert as_event(report)["found"] == [
        {"name": "missing object", "severity": "error", "bad_rows": 7}
    ]


def test_nobody_waits_for_great_expectations_who_does_not_check() -> None:
    code = "import sys, flows.check_quality; print('great_expectations' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
