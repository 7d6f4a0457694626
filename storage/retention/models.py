"""What a policy says, and what goes and stays by it."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import Field

from agentruns.models.values import Record, UtcTime

Ended = Literal["completed", "failed", "cancelled", "interrupted"]
#: Only what has ended ever goes.
ENDED: tuple[Ended, ...] = get_args(Ended)


class Kind(StrEnum):
    """What a policy is about."""

    TASKS = "tasks"  #: tasks with everything recorded about them
    PASSES = "passes"  #: numbers of evaluation passes; the verdicts stay
    QUALITY = "quality"  #: runs of the checks, with what they found


#: So many of the tasks that go are named.
FIRST = 100

#: By kind, when nobody says otherwise. For tasks, somebody has to.
DEFAULT_AGES = {Kind.PASSES: timedelta(days=400), Kind.QUALITY: timedelta(days=90)}


class Policy(Record):
    """How long something is kept, and what is kept longer."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    kind: Kind = Kind.TASKS
    agents: Annotated[str, Field(pattern=r"^[a-z0-9*?_-]{1,63}$")] = "*"
    """`*` stands for any characters, `?` for one."""
    statuses: Annotated[tuple[Ended, ...], Field(min_length=1)] = ENDED
    older_than: Annotated[timedelta, Field(ge=timedelta(hours=1), le=timedelta(days=36_500))]
    """Since the task ended, or since the last record of it arrived."""
    keep_last: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """So many of the newest of each agent stay, however old."""
    keep_below: Annotated[float, Field(ge=0, le=1)] | None = None
    """What was scored below this stays."""
    scorer: str | None = None
    """Whose verdict counts for that; anybody's by default."""
    keep_tagged: tuple[str, ...] = ()
    """What has one of these among the `tags` of its metadata stays."""
    enabled: bool = True
    changed_at: UtcTime | None = None
    changed_by: str | None = None

    @property
    def agents_like(self) -> str:
        """The pattern of agents as SQL has it."""
        escaped = self.agents.replace("_", r"\_")
        return escaped.replace("*", "%").replace("?", "_")


class AgentShare(Record):
    """How much of one agent goes."""

    agent_id: str
    tasks: int = 0
    rows: int = 0
    """In PostgreSQL."""
    documents: int = 0
    """In MongoDB."""
    objects: int = 0
    size_bytes: int = 0
    """Of the objects."""

    def plus(self, other: "AgentShare") -> "AgentShare":
        """Both together."""
        return AgentShare(
            agent_id=self.agent_id,
            tasks=self.tasks + other.tasks,
            rows=self.rows + other.rows,
            documents=self.documents + other.documents,
            objects=self.objects + other.objects,
            size_bytes=self.size_bytes + other.size_bytes,
        )


class Kept(Record):
    """Tasks that stay for one reason."""

    reason: str
    tasks: int
    such_as: UUID

    def plus(self, other: "Kept") -> "Kept":
        """Both together."""
        return Kept(reason=self.reason, tasks=self.tasks + other.tasks, such_as=self.such_as)


class PolicyReport(Record):
    """What goes by one policy, and what stays."""

    policy: str
    kind: Kind
    agents: tuple[AgentShare, ...] = ()
    first: tuple[UUID, ...] = ()
    """The first of the tasks that go."""
    kept: tuple[Kept, ...] = ()
    rows: int = 0
    """Of our own tables."""
    left: int = 0
    """Tasks of which a search found something all the same; the next run ends them."""

    @property
    def tasks(self) -> int:
        """How many tasks go."""
        return sum(share.tasks for share in self.agents)

    def plus(self, other: "PolicyReport") -> "PolicyReport":
        """This and what comes after it."""
        agents = {share.agent_id: share for share in self.agents}
        for share in other.agents:
            known = agents.get(share.agent_id)
            agents[share.agent_id] = known.plus(share) if known else share
        kept = {one.reason: one for one in self.kept}
        for one in other.kept:
            told = kept.get(one.reason)
            kept[one.reason] = told.plus(one) if told else one
        return PolicyReport(
            policy=self.policy,
            kind=self.kind,
            agents=tuple(agents.values()),
            first=(self.first + other.first)[:FIRST],
            kept=tuple(kept.values()),
            rows=self.rows + other.rows,
            left=self.left + other.left,
        )


class RetentionReport(Record):
    """What would go, or what went."""

    applied: bool
    policies: tuple[PolicyReport, ...]

    @property
    def totals(self) -> dict[str, Any]:
        """All policies together."""
        shares = [share for policy in self.policies for share in policy.agents]
        names = ("tasks", "rows", "documents", "objects", "size_bytes")
        numbers = {name: sum(getattr(share, name) for share in shares) for name in names}
        numbers["rows"] += sum(policy.rows for policy in self.policies)
        return numbers

    @property
    def verified(self) -> bool:
        """Whether everything that was to go went, and a search found nothing of it."""
        return self.applied and not any(policy.left for policy in self.policies)
