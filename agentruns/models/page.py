"""A bounded piece of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

Item = TypeVar("Item", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Sequence[Item], Generic[Item]):
    """Some items in order, and the cursor that gives the next ones."""

    items: tuple[Item, ...]
    next: str | None = None
    """Pass it as `after=` for the following page; None on the last."""

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        return self.items[index]
