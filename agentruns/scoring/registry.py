"""The scorers that there are."""

from collections.abc import Iterable

from agentruns.scoring.efficiency import EFFICIENCY
from agentruns.scoring.outcome import OUTCOME
from agentruns.scoring.overall import OVERALL
from agentruns.scoring.score import Scorer
from agentruns.scoring.stability import STABILITY

#: By name; a program that brings its own scorer adds it here before it starts a pass.
SCORERS: dict[str, Scorer] = {
    scorer.name: scorer for scorer in (OUTCOME, EFFICIENCY, STABILITY, OVERALL)
}


def select_scorers(names: Iterable[str] | None = None) -> tuple[Scorer, ...]:
    """The scorers of these names, each once; all of them when no name is given.

    Raises:
        ValueError: for a name that no scorer has.
    """
    wanted = tuple(dict.fromkeys(names or SCORERS))
    if unknown := [name for name in wanted if name not in SCORERS]:
        raise ValueError(
            f"there is no scorer '{unknown[0]}'; the scorers are {', '.join(sorted(SCORERS))}"
        )
    return tuple(SCORERS[name] for name in wanted)
