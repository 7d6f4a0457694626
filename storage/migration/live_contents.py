"""What the stores have of a live recording, to be compared with its folder."""

from collections.abc import Callable, Iterator
from typing import TypeVar
from uuid import UUID

from agentruns.models import AnyRecord, Page, StoredFile
from storage.migration.item_contents import Contents
from storage.paging import MOST
from storage.stores import Stores

Row = TypeVar("Row", bound="AnyRecord | StoredFile")


def live_contents(stores: Stores, agent_id: str, task_id: UUID) -> Contents:
    """The steps, pictures and log entries of a task, read page by page."""
    contents = Contents()
    postgres, mongo = stores.postgres, stores.mongo
    for step in _all(lambda after: postgres.get_task_progress(task_id, MOST, after)):
        contents.add(step)
    for file in _all(
        lambda after: postgres.get_binary_files(task_id=task_id, limit=MOST, after=after)
    ):
        contents.add(file)
    for entry in _all(
        lambda after: mongo.read_logs(task_id=task_id, limit=MOST, after=after, agent_id=agent_id)
    ):
        contents.add(entry)
    return contents


def _all(page_after: Callable[[str | None], Page[Row]]) -> Iterator[Row]:
    page = page_after(None)
    yield from page
    while page.next:
        page = page_after(page.next)
        yield from page
