"""What has to begin anew in a forked child, where no thread of its parent runs."""

import os
import weakref
from typing import Protocol


class BeginsAnew(Protocol):
    """Something that holds locks or files of its process."""

    def begin_anew(self) -> None:
        """Leave to the parent what is the parent's, in a forked child."""


def begin_anew_in_children(one: BeginsAnew) -> None:
    """Have this told of every fork, for as long as somebody uses it."""
    _ALL.add(one)


def _tell_all() -> None:
    for one in list(_ALL):
        one.begin_anew()


_ALL: "weakref.WeakSet[BeginsAnew]" = weakref.WeakSet()

os.register_at_fork(after_in_child=_tell_all)
