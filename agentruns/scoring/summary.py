"""Many scores in a few numbers, added up batch by batch in constant memory."""

from dataclasses import dataclass
from math import pi, sqrt, tan
from typing import NamedTuple, Self


class Summary(NamedTuple):
    """The mean of a scorer's scores, and where the true mean lies with 95 % confidence."""

    n: int
    mean: float | None
    ci_low: float | None
    """None below two scores: one score says nothing about the spread."""
    ci_high: float | None


@dataclass(slots=True)
class Tally:
    """What one scorer said about the tasks so far."""

    n: int = 0
    """Scores; a scorer that did not apply gave none."""
    total: float = 0.0
    squares: float = 0.0
    not_applicable: int = 0
    failed: int = 0
    first_error: str | None = None
    """What the first failure said; the others are counted only."""

    def add(self, value: float | None) -> None:
        """Count one verdict."""
        if value is None:
            self.not_applicable += 1
        else:
            self.n += 1
            self.total += value
            self.squares += value * value

    def add_failure(self, error: Exception) -> None:
        """Count a task that the scorer could not judge."""
        self.failed += 1
        self.first_error = self.first_error or f"{type(error).__name__}: {error}"

    def __iadd__(self, other: Self) -> Self:
        self.n += other.n
        self.total += other.total
        self.squares += other.squares
        self.not_applicable += other.not_applicable
        self.failed += other.failed
        self.first_error = self.first_error or other.first_error
        return self

    def summary(self) -> Summary:
        """Mean and 95 % interval by Student's t, cut to the 0 to 1 of a score."""
        if not self.n:
            return Summary(0, None, None, None)
        mean = self.total / self.n
        if self.n == 1:
            return Summary(1, mean, None, None)
        # Rounding may leave a hair below zero when all scores are equal.
        variance = max(0.0, (self.squares - self.n * mean * mean) / (self.n - 1))
        reach = _t_975(self.n - 1) * sqrt(variance / self.n)
        return Summary(self.n, mean, max(0.0, mean - reach), min(1.0, mean + reach))


def _t_975(freedom: int) -> float:
    """Student's t that 2.5 % exceed: exact below 3, within 0.2 % from there on."""
    if freedom == 1:
        return tan(0.475 * pi)
    if freedom == 2:
        return 0.95 / sqrt(2 * 0.975 * 0.025)
    # Abramowitz and Stegun 26.7.5, its four terms worked out for the normal quantile 1.96.
    v = freedom
    return 1.959964 + 2.372271 / v + 2.822499 / v**2 + 2.555850 / v**3 + 1.589534 / v**4
