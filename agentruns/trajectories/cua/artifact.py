"""One part of a cua run, which the saver writes to one file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Artifact:
    """One numbered file; the number is global in the run, so it is the order."""

    number: int
    path: str
    name: str
    type: str

    @property
    def turn(self) -> str:
        """The folder it lies in, which its call and its screenshots share."""
        return self.path.partition("/")[0]
