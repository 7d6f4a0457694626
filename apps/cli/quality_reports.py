"""`agentruns check report`, and the files that `agentruns check quality` leaves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from cyclopts import Parameter

from apps.cli.answer import Answer
from apps.cli.values import GivenTerminal, QualityRunId

if TYPE_CHECKING:
    from tasks.quality_history import QualityHistory


def report(
    run: QualityRunId | None = None,
    *,
    to: Annotated[Path | None, Parameter(name="--to")] = None,
    prometheus: Path | None = None,
    terminal: GivenTerminal,
) -> Answer:
    """Write what a check of the data found, as one page or as numbers, without checking again.

    Example: `agentruns check report --to quality.html`

    Args:
        run: Which, as 'agentruns check quality --json' and its event tell it; by default the newest
            that came to its end.
        to: The page: one file that loads nothing, for a browser, a phone or a printer.
        prometheus: The numbers: a file that ends in .prom, for the textfile collector.
        terminal: Where to print.
    """
    from tasks.quality_history import read_history

    if not to and not prometheus:
        raise ValueError("say what to write: --to FILE for the page, --prometheus FILE for numbers")
    with terminal.working("Reading what was found"):
        history = read_history(UUID(run) if run else None)
        _write(history, to, prometheus)
    written = " and ".join(str(file) for file in (to, prometheus) if file)
    told = history.report.model_dump(mode="json") | {"report": str(to) if to else None}
    return Answer(told, f"Written to {written}.")


@contextmanager
def left_in_files(page: Path | None, prometheus: Path | None) -> Iterator[Callable[[UUID], None]]:
    """Write files about the check that is made meanwhile, also when one of the checks is broken.

    Gives what is to be called with the id of the run: while one reads objects for hours, others
    begin and end.
    """
    from storage.errors import CheckFaulty, RecordNotFound
    from tasks.quality_history import read_history

    for file in (page, prometheus):
        _refuse_unwritable(file)
    ran: list[UUID] = []
    try:
        yield ran.append
    except CheckFaulty:
        # Where a file is no check, nothing was asked, and there may be nothing to tell.
        with suppress(RecordNotFound):
            _write(read_history(), page, prometheus)
        raise
    if page or prometheus:
        _write(read_history(ran[0]), page, prometheus)


def _write(history: "QualityHistory", page: Path | None, prometheus: Path | None) -> None:
    from agentruns.models import utcnow
    from apps.cli.quality_numbers import write_numbers
    from apps.cli.quality_page import as_page

    if page:
        page.write_text(as_page(history, utcnow()), encoding="utf-8")
    if prometheus:
        write_numbers(history.report, prometheus)


def _refuse_unwritable(file: Path | None) -> None:
    """Say at once what would be told after the check, minutes later."""
    if file and not file.absolute().parent.is_dir():
        raise ValueError(f"there is no folder {file.absolute().parent} to write {file.name} into")
