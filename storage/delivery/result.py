"""What came of a delivery."""

from collections import Counter
from dataclasses import dataclass, field

from agentruns.models.kinds import COUNTED_AS
from agentruns.spool import COUNTED, Event


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What this delivery has stored, what is left in the spool, and what was refused."""

    delivered: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    """Events that are in the stores now: tasks, progress, logs, memories, files."""
    pending: int = 0
    """Events that wait in the spool."""
    rejected: int = 0
    """Events that this delivery found refused for good."""
    gave_up: bool = False
    """Whether it ended as a person has to change a setting or a right."""

    def __add__(self, later: "DeliveryResult") -> "DeliveryResult":
        delivered = {kind: n + later.delivered[kind] for kind, n in self.delivered.items()}
        rejected = self.rejected + later.rejected
        return DeliveryResult(delivered, later.pending, rejected, later.gave_up)


class LaneCounts:
    """How many events one lane has delivered, and how many were refused."""

    def __init__(self) -> None:
        self.delivered: Counter[str] = Counter()
        self.rejected = 0

    def add(self, delivered: list[Event], rejected: int) -> None:
        """Count one batch."""
        self.delivered.update(COUNTED_AS[event.kind] for event in delivered)
        self.rejected += rejected


def by_session(events: list[Event]) -> dict[str, Counter[str]]:
    """How many of each kind each session has among these."""
    counts: dict[str, Counter[str]] = {}
    for (segment, kind), number in Counter((each.segment, each.kind) for each in events).items():
        session = segment.partition("/")[0]
        counts.setdefault(session, Counter())[COUNTED_AS[kind]] += number
    return counts
