"""`agentruns tasks ...`: look at what was recorded."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from apps.cli.answer import Answer
from apps.cli.task_list import as_list
from apps.cli.task_page import TaskRecords, as_page
from apps.cli.values import AgentIdFilter, Flag, GivenTerminal, PageLimit, StatusFilter, TaskId

if TYPE_CHECKING:
    from agentruns.models import Page, StoredFile
    from storage import Stores


def list_tasks(
    *,
    agent: AgentIdFilter = None,
    status: StatusFilter = None,
    limit: PageLimit = 20,
    after: str | None = None,
    terminal: GivenTerminal,
) -> Answer:
    """List the recorded tasks with their scores, newest first.

    Example: `agentruns tasks list --agent browser-1 --status failed --limit 50`

    Args:
        agent: Only the tasks of this agent.
        status: Only tasks in this state: pending, in_progress, completed, failed, cancelled or
            interrupted.
        limit: At most so many on a page.
        after: The `next` of an earlier page, for the page that follows it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage import Stores, load_settings

    with Stores(load_settings()) as stores:
        page = stores.postgres.get_tasks(agent_id=agent, status=status, limit=limit, after=after)
        scores = stores.postgres.get_latest_scores([task.id for task in page], "overall")
    rows = [task.model_dump(mode="json") | {"score": scores.get(task.id)} for task in page]
    return Answer({"tasks": rows, "next": page.next}, as_list(page, scores, terminal))


def show_task(
    task_id: TaskId,
    /,
    *,
    urls: Flag = False,
    limit: PageLimit = 20,
    terminal: GivenTerminal,
) -> Answer:
    """Show one task: its first steps, and its newest files, log entries and evaluations.

    Example: `agentruns tasks show 01980c8e-9a51-7cc4-8d3a-3f5f2f1f6a11 --urls`

    Args:
        task_id: Which task, as `agentruns tasks list` prints it.
        urls: Add an address to each screenshot, which opens in any browser for one hour.
        limit: At most so many of each.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage import Stores, load_settings

    with Stores(load_settings()) as stores:
        records = read_records(stores, UUID(task_id), limit)
        links = screenshot_links(stores, records.files) if urls else {}
    return Answer(as_document(records, links), as_page(records, links, terminal))


def read_records(stores: "Stores", task_id: UUID, limit: int) -> TaskRecords:
    """A task, its first steps, and the newest of everything else that hangs on it."""
    task = stores.postgres.get_task(task_id)
    return TaskRecords(
        task=task,
        progress=stores.postgres.get_task_progress(task_id, limit=limit),
        files=stores.postgres.get_binary_files(task_id=task_id, limit=limit),
        missing=stores.postgres.get_missing_files(task_id, limit=limit),
        logs=stores.mongo.read_logs(agent_id=task.agent_id, task_id=task_id, limit=limit),
        evaluations=stores.postgres.get_evaluations(task_id=task_id, limit=limit),
    )


def screenshot_links(stores: "Stores", files: "Page[StoredFile]") -> dict[UUID, str]:
    """A presigned address for each screenshot, good for one hour."""
    return {
        file.id: stores.minio.get_presigned_url(
            file.bucket, file.object_path, content_type=file.content_type
        )
        for file in files
        if file.bucket == "screenshots"
    }


def as_document(records: TaskRecords, links: dict[UUID, str]) -> dict[str, Any]:
    """The task for programs; `url` stands only where one was asked for."""
    files = [
        file.model_dump(mode="json") | ({"url": links[file.id]} if file.id in links else {})
        for file in records.files
    ]
    return {
        "task": records.task.model_dump(mode="json"),
        "progress": [update.model_dump(mode="json") for update in records.progress],
        "files": files,
        "missing_files": [file.model_dump(mode="json") for file in records.missing],
        "logs": [entry.model_dump(mode="json") for entry in records.logs],
        "evaluations": [each.model_dump(mode="json") for each in records.evaluations],
    }
