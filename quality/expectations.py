"""The checks as suites of Great Expectations, one suite a table; the only file that imports it.

Import it late: it takes four seconds and 200 MB.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any, ClassVar
from uuid import UUID

# Before the import, which reads it: nobody is told what is checked here.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
)
from great_expectations.datasource.fluent.interfaces import TestConnectionError
from great_expectations.datasource.fluent.postgres_datasource import PostgresDatasource
from great_expectations.expectations.core.expect_table_row_count_to_be_between import (
    ExpectTableRowCountToBeBetween,
)
from great_expectations.expectations.core.unexpected_rows_expectation import (
    UnexpectedRowsExpectation,
)
from great_expectations.expectations.expectation import Expectation

from quality.check_files import Check
from storage.quality import CheckResult, Severity

#: Every row says how many there are: the query runs once, and not a second time to be counted.
_COUNT = "agentruns_bad_rows"
#: Tables in which there is nothing where nobody migrates or deletes.
MAY_BE_EMPTY = frozenset({"migrations", "deletions"})
#: Of each check, as many bad rows are kept; the tables know all of them.
MOST_SAMPLES = 20
_LONGEST_FAULT = 300
_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "warning", Severity.INFO: "info"}
#: The address is part of the parameters; this only has to look like one.
_SOMEWHERE = "postgresql+psycopg://user@server/database"
#: What SQLAlchemy would take for a parameter; a cast is none.
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")


class BadRows(UnexpectedRowsExpectation):
    """No row is bad; told by one run of a query that gives the first of them and their number."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        rows = metrics["unexpected_rows_query.table"]
        counted = rows[0][_COUNT] if rows else 0
        found = {"observed_value": counted, "details": {"unexpected_rows": rows}}
        return {"success": not rows, "result": found}


def ask(checks: Sequence[Check], connection: Mapping[str, Any]) -> list[CheckResult]:
    """What each check finds, table by table; `connection` are the driver's parameters."""
    with _source(connection) as source:
        return [result for suite in _suites(checks) for result in _asked(source, suite)]


def rows_check(table: str) -> Check:
    """The check that belongs to each suite: nothing is wrong in an empty table, and nothing good.

    Agents may have nothing to show, and nobody may have judged yet; without a task there is no
    data at all.
    """
    severity = Severity.ERROR if table == "tasks" else Severity.WARNING
    return Check(
        f"{table} has rows",
        table,
        severity,
        f"There is nothing in {table}, so its other checks say nothing.",
        "",
    )


@contextmanager
def _source(connection: Mapping[str, Any]) -> Iterator[PostgresDatasource]:
    # Without pages of its own: they load scripts from elsewhere.
    nothing = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    context = gx.get_context(
        mode="ephemeral", project_config=DataContextConfig(store_backend_defaults=nothing)
    )
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}  # type: ignore[assignment]  # as its own configuration has it
    source = context.data_sources.add_postgres(
        "agentruns",
        connection_string=_SOMEWHERE,
        kwargs={"connect_args": dict(connection)},  # type: ignore[call-arg]  # its stub lacks it
    )
    try:
        yield source
    finally:
        source.get_execution_engine().engine.dispose()
        source.get_engine().dispose()


def _suites(checks: Sequence[Check]) -> list[list[Check]]:
    tables = dict.fromkeys(check.table for check in checks)
    return [
        [
            *(() if table in MAY_BE_EMPTY else (rows_check(table),)),
            *(check for check in checks if check.table == table),
        ]
        for table in tables
    ]


def _asked(source: PostgresDatasource, suite: Sequence[Check]) -> Iterator[CheckResult]:
    table = suite[0].table
    try:
        asset = source.add_table_asset(table, table_name=table)
    except TestConnectionError:
        for check in suite:
            yield _result(check, {}, f"there is no table {table} that can be read")
        return
    batch = asset.add_batch_definition_whole_table("all rows").get_batch()
    expectations = [_expectation(check) for check in suite]
    answers = batch.validate(
        gx.ExpectationSuite(name=table, expectations=expectations), result_format="COMPLETE"
    )
    by_name = {check.name: check for check in suite}
    for answer in answers.results:
        meta = answer.expectation_config.meta if answer.expectation_config else None
        check = by_name[(meta or {})["check"]]
        asked = "observed_value" in answer.result
        yield _result(check, answer.result, None if asked else _fault(answer.exception_info))


def _expectation(check: Check) -> Expectation:
    named: dict[str, Any] = {"meta": {"check": check.name}, "severity": _SEVERITIES[check.severity]}
    if not check.sql:
        return ExpectTableRowCountToBeBetween(min_value=1, **named)
    return BadRows(
        unexpected_rows_query=_in_its_words(check.sql), description=check.message, **named
    )


def _in_its_words(sql: str) -> str:
    """The query with everything doubled or escaped that somebody on the way would read.

    It has to name its batch, or a warning goes to standard output.
    """
    braced = sql.replace("{", "{{").replace("}", "}}")
    escaped = _PARAMETER.sub(r"\\:", braced)
    # Nothing can be written on this connection, and whoever names a file may read everything.
    counted = f"SELECT *, count(*) OVER () AS {_COUNT} FROM (\n{escaped}\n) AS bad_rows"  # noqa: S608 - see above
    return f"{counted} LIMIT {MOST_SAMPLES} /* {{batch}} */"


def _result(check: Check, found: Mapping[str, Any], fault: str | None) -> CheckResult:
    rows = found.get("details", {}).get("unexpected_rows", [])
    # The row count of a table is no count of bad rows.
    bad = found["observed_value"] if found and check.sql else None
    good = not fault and (bad == 0 if check.sql else found["observed_value"] > 0)
    return CheckResult(
        name=check.name,
        subject=check.table,
        severity=check.severity,
        passed=good,
        bad_rows=bad,
        message=check.message,
        sample=[_row(row) for row in rows],
        fault=fault,
    )


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items() if name != _COUNT}


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    # JSON has no NaN, and PostgreSQL would refuse all that was found.
    if isinstance(value, float) and isfinite(value):
        return value
    return str(value) if isinstance(value, UUID) else _text(value)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _fault(exceptions: Mapping[str, Any]) -> str:
    """The first line of what went wrong; the rest repeats the query."""
    first = exceptions if "exception_message" in exceptions else next(iter(exceptions.values()), {})
    words = str(first.get("exception_message") or "it gave no answer")
    return words.strip().partition("\n")[0][:_LONGEST_FAULT]
