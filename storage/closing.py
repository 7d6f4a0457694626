"""What holds connections and gives them up."""

from abc import ABC, abstractmethod
from typing import Self


class Closable(ABC):
    """Something that is closed at the end of its `with` block; using it again opens it again."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
