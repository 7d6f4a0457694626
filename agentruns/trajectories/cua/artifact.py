"""One part of a cua run, which the saver writes to one file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Artifact:
    """One numbered file; the number is global in the run, so it is the order."""

    number: int
    path: str
    name: str
    type: str
    group: str = ""
    """What its call and its screenshots share where no turn folder tells."""

    @property
    def turn(self) -> str:
        """Its group, else the folder it lies in, which its call and its screenshots share."""
        return self.group or self.path.partition("/")[0]
