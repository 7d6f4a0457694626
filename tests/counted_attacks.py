"""How many attacks each row of our promises about access withstood, printed at the end of a run.

A test says by `@pytest.mark.promise(row, by=...)` which row it shows. The helpers that attack
count by themselves; a test that uses none of them is one attack, refused when it passes, and with
`control=True` it is none, but shows that the same call works where it should.
"""

from collections import defaultdict
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest

#: What is refused, in short; the numbers are those that docs/security.md shows.
PROMISES = {
    1: "another agent's rows, documents, objects",
    2: "owner and superuser",
    3: "views, functions, references that leak",
    4: "roles and settings that claim another",
    5: "SQL and operators in values",
    6: "agent ids that collide",
    7: "MongoDB beyond its own database",
    8: "evaluator and frontend beyond their part",
    9: "object names that lead elsewhere",
    10: "presigned addresses used otherwise",
    11: "HTML and SVG as pictures",
    12: "bombs, halves and endless nesting",
    13: "hostile source folders",
    14: "secrets where others read",
    15: "local servers from outside",
}


@dataclass
class Counted:
    """What was tried for one promise against one store."""

    attacks: int = 0
    refused: int = 0
    controls: int = 0
    """Calls of the same kind that had to work, and did."""


@dataclass
class _Running:
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    controls: dict[str, int] = field(default_factory=lambda: defaultdict(int))


TABLE: dict[tuple[int, str], Counted] = defaultdict(Counted)
_RUNNING = _Running()


def refused(store: str) -> None:
    """Count an attack of the running test that this store refused."""
    _RUNNING.refused[store] += 1


def allowed(store: str) -> None:
    """Count a call of the running test that this store took, as it should."""
    _RUNNING.controls[store] += 1


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What fixtures of other tests did does not count for this one."""
    _RUNNING.refused.clear()
    _RUNNING.controls.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the test did to its row, once it has run."""
    report = yield
    mark = item.get_closest_marker("promise")
    if mark and report.when == "call" and not report.skipped:
        _add(mark, passed=report.passed)
    return report


def _add(mark: pytest.Mark, *, passed: bool) -> None:
    row, by = mark.args[0], mark.kwargs["by"]
    if mark.kwargs.get("control"):
        TABLE[row, by].controls += passed
        return
    stores = {*_RUNNING.refused, *_RUNNING.controls}
    for store in stores:
        entry, tried = TABLE[row, store], _RUNNING.refused.get(store, 0)
        entry.attacks += tried
        entry.refused += tried
        entry.controls += _RUNNING.controls.get(store, 0)
    if not _RUNNING.refused or not passed:
        # A test that fails is an attack that got through, whatever was refused before.
        TABLE[row, by].attacks += 1
        TABLE[row, by].refused += passed


def lines() -> list[str]:
    """One line for each promise and store."""
    head = f"{'row':>3}  {'attack':<42} {'refused by':<12}{'tried':>7}{'refused':>9}{'allowed':>9}"
    body = [
        f"{row:>3}  {PROMISES[row]:<42} {store:<12}"
        f"{one.attacks:>7}{one.refused:>9}{one.controls:>9}"
        for (row, store), one in sorted(TABLE.items())
    ]
    total = Counted(
        sum(one.attacks for one in TABLE.values()),
        sum(one.refused for one in TABLE.values()),
        sum(one.controls for one in TABLE.values()),
    )
    words = f"{'all':<59}{total.attacks:>7}{total.refused:>9}{total.controls:>9}"
    return [head, *body, words]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, where there is one."""
    if TABLE:
        terminalreporter.section("nobody where they don't belong")
        terminalreporter.write_line("\n".join(lines()))
