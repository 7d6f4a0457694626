"""Names of objects that are no paths: they are told, and never become one on any disk."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: The longest name of an object that S3 knows, and of a file in a folder.
LONGEST_KEY = 1024
LONGEST_PART = 255
#: As deep as anything can be removed again.
DEEPEST = 200
IS_PREFIX = "Its name is also the beginning of other objects' names, and no file can be a folder."


class Named(NamedTuple):
    """A name below the source, and why it cannot be a path."""

    name: str
    fault: str | None


def fault_of(name: str) -> str | None:
    """Why a name below the source cannot be a path there; None for one that can."""
    raw, parts = name.encode("utf-8", "surrogatepass"), name.split("/")
    faults = {
        "Its name has a NUL character, which no path has.": "\0" in name,
        "Its name is longer than the 1,024 bytes that S3 allows.": len(raw) > LONGEST_KEY,
        "Its name begins with a slash, or is empty.": not parts[0],
        "Its name ends with a slash: it stands for a folder and yet holds data.": not parts[-1],
        "Its name has two slashes with nothing between them.": "" in parts,
        "Its name has a part '.' or '..', which leads elsewhere.": bool({".", ".."} & set(parts)),
        "Its name has a part of more than 255 bytes, which no folder can hold.": any(
            len(part.encode("utf-8", "surrogatepass")) > LONGEST_PART for part in parts
        ),
        "Its name has more than 200 parts, deeper than any run lies.": len(parts) > DEEPEST,
        "Its name is no valid text.": any("\ud800" <= c <= "\udfff" for c in name),
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def judged(names: Iterable[str]) -> Iterator[Named]:
    """Each name with its fault, for names in the order of their bytes.

    A name comes once it is certain that it begins no other, so that memory holds only names that
    begin one another.
    """
    waiting: list[str] = []
    prefixes: set[str] = set()
    for name in names:
        if fault := fault_of(name):
            yield Named(name, fault)
            continue
        while waiting and not name.startswith(waiting[-1]):
            yield _decided(waiting.pop(), prefixes)
        prefixes.update(known for known in waiting if name.startswith(f"{known}/"))
        waiting.append(name)
    while waiting:
        yield _decided(waiting.pop(), prefixes)


def unfit_path(name: str) -> bytes:
    """The path of the item that such an object is: no path of a file or a folder ends like this."""
    return name.encode("utf-8", "surrogatepass") + b"/"


def is_unfit(item_path: bytes) -> bool:
    """Whether an item is an object whose name is no path."""
    return item_path.endswith(b"/")


def fault_of_item(item_path: bytes) -> str:
    """Why it is in quarantine."""
    name = item_path.removesuffix(b"/").decode("utf-8", "surrogatepass")
    return fault_of(name) or IS_PREFIX


def _decided(name: str, prefixes: set[str]) -> Named:
    is_prefix = name in prefixes
    prefixes.discard(name)
    return Named(name, IS_PREFIX if is_prefix else None)
