"""A process that deletes a task or an agent step by step, telling each, to be killed."""

import sys
from uuid import UUID

from storage.deletion import STEPS, Deleting


def tell(word: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main(what: str, name: str) -> None:
    """Delete it as `Deleting.finish` does, and tell of each step before it begins."""
    with Deleting() as deleting:
        tell("open")
        if what == "task":
            deletion = deleting.tombstones.open_task(UUID(name))
        else:
            deletion = deleting.begin_agent(name)
        with deleting.tombstones.only_one(deletion):
            for step in STEPS:
                tell(step)
                deleting.steps.take(step, [deletion.id])
    tell("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
