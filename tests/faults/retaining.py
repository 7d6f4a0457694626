"""A process that applies retention, telling each step before it takes it, to be killed."""

import sys
from collections.abc import Callable
from typing import Any

from storage.retention import Retaining, retaining
from tests.faults.deleting import tell


def telling(word: str, act: Callable[..., Any]) -> Callable[..., Any]:
    """The same act, told before it is done."""

    def told(*arguments: Any) -> Any:
        tell(arguments[0] if word == "step" else word)
        return act(*arguments)

    return told


def main(policy: str) -> None:
    """Delete what goes by a policy, three tasks at a time."""
    retaining.BATCH = 3
    with Retaining() as one:
        steps = one._deleting.steps
        for name, word in (("take", "step"), ("verify", "verify")):
            setattr(steps, name, telling(word, getattr(steps, name)))
        for owner, name, word in ((one._judging, "page", "judge"), (one, "_open", "open")):
            setattr(owner, name, telling(word, getattr(owner, name)))
        one.apply(policy)
    tell("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
