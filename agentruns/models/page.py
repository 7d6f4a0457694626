"""A bounded piece of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Sequence[Item_co], Generic[Item_co]):
    """Some items in order, and the cursor that gives the next ones."""

    items: tuple[Item_co, ...]
    next: str | None = None
    """Pass it as `after=` for the following page; None on the last."""

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Item_co: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item_co, ...]: ...
    def __getitem__(self, index: int | slice) -> Item_co | tuple[Item_co, ...]:
        return self.items[index]
