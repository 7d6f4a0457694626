"""`agentruns migrate rebuild`: the original folder of an imported task."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.tables import table
from apps.cli.values import GivenTerminal, TaskId


def rebuild(
    task_id: TaskId, *, to: Annotated[Path, Parameter(name="--to")], terminal: GivenTerminal
) -> Answer:
    """Write the original folder of an imported task anew, byte for byte where nothing was secret.

    Example: `agentruns migrate rebuild 01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11 --to old-run`

    Args:
        task_id: The task, as 'agentruns tasks list' prints it.
        to: A folder that does not exist yet, or is empty.
        terminal: Where to print.
    """
    from uuid import UUID

    from storage.migration.rebuilding import Rebuilding
    from storage.stores import shared_stores

    stores = shared_stores()
    with terminal.working("Rebuilding"):
        done = Rebuilding(stores.postgres, stores.minio).rebuild(UUID(task_id), to)
    said = f"{done.files} files in {done.folder}, {done.equal} of them byte for byte as they were."
    rows = [(one["path"], ", ".join(one["at"][:5])) for one in done.redacted]
    text: RenderableType = said
    if rows:
        text = Group(said, "", table("Name", "Without its secrets at", rows=rows))
    return Answer(done._asdict(), text)
