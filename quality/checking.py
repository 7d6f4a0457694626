"""Whether the data can be trusted: every check asked, and what to make of the answers."""

from collections.abc import Sequence

from quality.check_files import Check
from storage.errors import CheckFaulty
from storage.postgres import PostgresAdapter
from storage.quality import CheckResult, reading_parameters

#: A check that takes longer is given up: nobody's SQL holds the server up for ever.
STATEMENT_SECONDS = 300.0
_TOLD = 3


def run_checks(url: str, checks: Sequence[Check]) -> list[CheckResult]:
    """What each check finds in the tables and in the newest inventory.

    Raises:
        StoreUnavailable: when PostgreSQL went away meanwhile.
    """
    # Late: it takes four seconds, which nobody should wait for who asks something else.
    from quality.expectations import ask  # noqa: PLC0415 - see above

    # First: that it is away, or of another schema, is not the fault of a check.
    with PostgresAdapter(url) as postgres:
        _probe(postgres)
        results = ask(checks, reading_parameters(url, STATEMENT_SECONDS))
        if faulty(results):
            _probe(postgres)
    return results


def faulty(results: Sequence[CheckResult]) -> list[CheckResult]:
    """The checks that could not be asked."""
    return [result for result in results if result.fault]


def passed(results: Sequence[CheckResult]) -> bool:
    """Whether no check of the severity `error` found anything, and all could be asked."""
    return not any(result.closes_the_gate or result.fault for result in results)


def refuse_faulty(results: Sequence[CheckResult]) -> None:
    """Raise where a check could not be asked, which is no news about the data.

    Raises:
        CheckFaulty: it names the first of them, and why.
    """
    if not (found := faulty(results)):
        return
    told = "; ".join(f"'{one.name}': {one.fault}" for one in found[:_TOLD])
    raise CheckFaulty(
        f"{len(found)} checks could not be asked, so nothing is known of what they look for; mend "
        f"their SQL, or report ours. {told}."
    )


def _probe(postgres: PostgresAdapter) -> None:
    with postgres.connection() as connection:
        connection.execute("SELECT")
