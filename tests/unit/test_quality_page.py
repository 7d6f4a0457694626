"""The page and the numbers about a check of the data: all is told, and nothing does anything."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

from apps.cli.quality_numbers import write_numbers
from apps.cli.quality_page import as_page, next_step
from storage.quality import CheckResult, RunCounts, Severity
from tasks.quality_chart import small_chart, trend_chart
from tasks.quality_history import QualityHistory
from tasks.quality_report import QualityReport
from tests.browser import Browser, browser

BEGAN = datetime(2026, 1, 1, 10, tzinfo=UTC)
ATTACK = "</td><script>document.title='run'</script><img src=//evil.example/x onerror=alert(1)>"
TASK = UUID(int=3)
LONG = "browser-1/" + "0" * 200 + ".png"


def result(name: str, severity: Severity, bad_rows: int | None = 0, **told: object) -> CheckResult:
    about = {"name": name, "subject": "tasks", "severity": severity, "message": f"{name} is bad."}
    passed = bad_rows == 0 and "fault" not in told
    return CheckResult.model_validate(
        {"bad_rows": bad_rows, "passed": passed, "sample": []} | about | told
    )


CHECKS = (
    result("late warning", Severity.WARNING, 1234, sample=[{"id": str(TASK)}]),
    result(ATTACK, Severity.ERROR, 1, message=ATTACK, sample=[{ATTACK: ATTACK, "path": LONG}]),
    result("missing object", Severity.ERROR, 2, subject="current_objects", sample=[{"x": None}]),
    result("tasks has rows", Severity.ERROR, None),
    result("mine", Severity.INFO, None, fault=f"syntax error at {ATTACK}"),
    result("fine", Severity.ERROR),
    result('quote " back \\ line \n end', Severity.ERROR),
)


@pytest.fixture
def history() -> QualityHistory:
    """A run that found much, after 29 that found less."""
    report = QualityReport(
        run_id=UUID(int=1),
        passed=False,
        started_at=BEGAN,
        finished_at=BEGAN + timedelta(seconds=7.25),
        snapshot_id=UUID(int=2),
        objects=40_112,
        size_bytes=8_000_000_000,
        checks=CHECKS,
    )
    runs = [
        RunCounts(UUID(int=n), BEGAN - timedelta(hours=29 - n), n % 3 > 0, n % 3, n % 2, 0, n)
        for n in range(30)
    ]
    return QualityHistory(report, runs, {one.name: [None, *range(29)] for one in report.found})


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


def test_the_page_tells_everything_and_the_worst_first(history):
    page = as_page(history, BEGAN)
    for told in (
        "The data did not pass",
        "took 7.2 s",
        "40,112",
        "8.0 GB",
        "1,234",
        str(UUID(int=1)),
    ):
        assert told in page
    for told in ("agentruns repair", f"agentruns tasks show {TASK}", "could not be asked", "fine"):
        assert told in page
    assert page.index("missing object") < page.index("late warning") < page.index("syntax error")


def test_no_recorded_text_is_markup(history):
    page = as_page(history, BEGAN)
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize("told", ["x; rm -rf ~", "$(id)", 7])
def test_no_recorded_text_is_part_of_a_command_to_copy(told):
    check = result("unknown task in MongoDB", Severity.ERROR, 1, sample=[{"task_id": told}])
    assert next_step(check)[1] == "agentruns tasks list"


@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_charts_are_whole_however_few_the_runs(history, count):
    assert trend_chart(history.runs[:count], alone=True).count("<g>") == count
    assert small_chart([None, 0, 7][:count]).count("<rect") == min(count, 3)


def test_a_run_that_is_the_first_and_found_nothing_has_a_page(history):
    good = history.report.model_copy(update={"passed": True, "checks": (), "objects": None})
    page = as_page(QualityHistory(good, [history.runs[0]], {}), BEGAN)
    assert "The data passed" in page
    assert "their inventory was replaced" in page


def test_the_page_fits_a_phone_and_asks_nobody_for_anything(history, tmp_path, chromium):
    file = tmp_path / "page.html"
    file.write_text(as_page(history, BEGAN))
    for width, is_dark in ((390, False), (390, True), (1280, False)):
        chromium.size(width, 844, is_dark=is_dark)
        chromium.open(file.as_uri())
        assert chromium.value("document.documentElement.scrollWidth") <= width
        assert chromium.asked == [file.as_uri()]
        assert chromium.value("document.title").startswith("The data did not pass")
    light, dark = (_background(chromium, is_dark=is_dark) for is_dark in (False, True))
    assert light != dark
    assert chromium.printed().startswith(b"%PDF")


def _background(chromium: Browser, *, is_dark: bool) -> object:
    chromium.size(390, 844, is_dark=is_dark)
    return chromium.value("getComputedStyle(document.body).backgroundColor")


def test_the_numbers_are_read_back_by_prometheus_itself(history, tmp_path: Path):
    file = tmp_path / "quality.prom"
    file.write_text("older numbers")
    write_numbers(history.report, file)
    assert list(tmp_path.iterdir()) == [file]
    found = {
        family.name: family.samples for family in text_string_to_metric_families(file.read_text())
    }
    rows = {one.labels["check"]: one.value for one in found["agentruns_quality_bad_rows"]}
    # None of the checks that count no rows.
    assert rows == {check.name: check.bad_rows for check in CHECKS if check.bad_rows is not None}
    broken = {one.labels["check"]: one.value for one in found["agentruns_quality_check_broken"]}
    assert [name for name, value in broken.items() if value] == ["mine"]
    (last,) = found["agentruns_quality_last_run_timestamp_seconds"]
    (took,) = found["agentruns_quality_duration_seconds"]
    assert (last.value, took.value) == (BEGAN.timestamp(), 7.25)
    (passed,) = found["agentruns_quality_passed"]
    assert passed.value == 0
