"""What is known of a deletion: whose, since when, and how much went; never what it was."""

from collections.abc import Mapping
from uuid import UUID

from agentruns.models.values import AgentId, Record, UtcTime

#: How many there are, by store and by table, collection or bucket.
Counts = dict[str, dict[str, int]]


class Deletion(Record):
    """An order to delete a task or an agent; it outlives what it deletes."""

    id: UUID
    agent_id: AgentId
    task_id: UUID | None
    """None when the whole agent goes."""
    began_at: UtcTime
    began_by: str
    archives: tuple[str, ...] = ()
    """Archives of original files that hold something of the task."""
    items: int = 0
    """Items of migrations that the task came from."""
    found: Counts | None = None
    """How much there was, once that was counted."""
    finished_at: UtcTime | None = None
    readmitted_at: UtcTime | None = None
    """Since when another agent of that name may write."""

    @property
    def name(self) -> str:
        """What goes, in words."""
        return name_of(self.agent_id, self.task_id)

    @property
    def folder(self) -> str:
        """The prefix of everything of it in the object store."""
        return f"{self.agent_id}/" if self.task_id is None else f"{self.agent_id}/{self.task_id}/"


class Plan(Record):
    """What a deletion would take, and what it would leave because others need it."""

    agent_id: AgentId
    task_id: UUID | None
    deletion_id: UUID | None = None
    """Of the deletion that was begun already."""
    finished_at: UtcTime | None = None
    found: Counts
    kept: int = 0
    """Objects that stay, as another task refers to them."""

    @property
    def verified(self) -> bool:
        """Whether it was deleted before, and nothing of it is there."""
        return self.finished_at is not None and not without_zeros(self.found)


class Deleted(Record):
    """What a deletion took, and whether a search found nothing of it any more."""

    agent_id: AgentId
    task_id: UUID | None
    deletion_id: UUID
    deleted: Counts
    left: Counts
    """What the search found all the same."""

    @classmethod
    def of(cls, deletion: Deletion, left: Counts) -> "Deleted":
        """What came of a deletion."""
        return cls(
            agent_id=deletion.agent_id,
            task_id=deletion.task_id,
            deletion_id=deletion.id,
            deleted=deletion.found or {},
            left=left,
        )

    @property
    def name(self) -> str:
        """What goes, in words."""
        return name_of(self.agent_id, self.task_id)

    @property
    def verified(self) -> bool:
        """Whether nothing is left."""
        return not self.left


def name_of(agent_id: str, task_id: UUID | None) -> str:
    """What goes, in words."""
    return f"agent {agent_id}" if task_id is None else f"task {task_id}"


def without_zeros(counts: Mapping[str, Mapping[str, int]]) -> Counts:
    """The counts that are not zero."""
    some = {store: {name: n for name, n in told.items() if n} for store, told in counts.items()}
    return {store: told for store, told in some.items() if told}
