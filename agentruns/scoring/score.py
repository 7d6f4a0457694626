"""What a scorer is and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Self

from agentruns.scoring.evidence import TaskEvidence

Metrics = Mapping[str, int | float | None]


@dataclass(frozen=True, slots=True)
class Score:
    """A scorer's answer for one task: how good, and why."""

    value: float | None
    """0 (bad) to 1 (good); None where the scorer does not apply."""
    reason: str
    metrics: Metrics = field(default_factory=dict)
    """The numbers behind it."""

    def __post_init__(self) -> None:
        if self.value is not None and not (_is_number(self.value) and 0 <= self.value <= 1):
            raise ValueError(f"a score goes from 0 to 1 or is None, not {self.value!r}")
        for value in self.metrics.values():
            if value is not None and not _is_number(value):
                raise ValueError("metrics are finite numbers; leave out what is not known")
        text = "".join((self.reason, *self.metrics))
        if "\x00" in text or (not text.isascii() and _has_surrogates(text)):
            raise ValueError("reasons and names of metrics are text that every store takes")

    @classmethod
    def not_applicable(cls, reason: str) -> Self:
        """The answer where the question makes no sense."""
        return cls(None, reason)


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named, versioned opinion: another formula is another version."""

    name: str
    version: str
    score: Callable[[TaskEvidence], Score]
    """Pure: equal evidence, equal score."""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and isfinite(value)


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
