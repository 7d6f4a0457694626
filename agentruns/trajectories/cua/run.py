"""What is known of a cua run while its parts are turned into records one by one."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.folder import METADATA
from agentruns.trajectories.foreign_run import ForeignRun

#: More model answers than are ever open at once.
OPEN_CALLS = 64


class Answer(NamedTuple):
    """What the model said when it asked for an action."""

    text: str
    reasoning: str
    usage: dict[str, Any]
    source: str


def _amounts(usage: dict[str, Any]) -> dict[str, float]:
    return {k: v for k, v in usage.items() if type(v) in {int, float} and abs(v) < 1e15}


@dataclass(slots=True, kw_only=True)
class Run(ForeignRun):
    """One run on its way to records, read from files or told while it happens."""

    calls: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    pictured_inline: str = ""
    """The turn whose call result carried its own screenshot."""
    metadata_path: str = METADATA
    """The file that tells of the run as a whole; nothing when there is none."""

    @abstractmethod
    def step_of(self, artifact: Artifact) -> int:
        """The step that an artifact's pictures belong to."""

    @abstractmethod
    def is_pictured(self, artifact: Artifact) -> bool:
        """Tell whether a call's screenshot is known from elsewhere than its result."""

    def remember(self, answer: Answer, call_ids: Iterable[str]) -> None:
        """Keep an answer for the calls it asked for; its usage counts for the first of them."""
        for call_id in call_ids:
            self.answers[call_id] = answer
            answer = answer._replace(usage={})
        while len(self.answers) > OPEN_CALLS:
            del self.answers[next(iter(self.answers))]

    def count_usage(self, usage: dict[str, Any]) -> None:
        """Note what a step's record says was used, so that the run's end adds only the rest."""
        for name, amount in _amounts(usage).items():
            self.used[name] = self.used.get(name, 0) + amount

    def unused(self, total: dict[str, Any]) -> dict[str, float]:
        """What the whole run used beyond its steps, in answers that led to no action."""
        rest = {name: amount - self.used.get(name, 0) for name, amount in _amounts(total).items()}
        return {name: round(amount, 9) for name, amount in rest.items() if amount > 1e-9}
