"""Programs on this machine and in wheels."""

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from apps.stack.errors import StackError
from apps.stack.privileges import as_user


def in_wheel(package: str, path: str) -> Path | None:
    """A file of an installed package, without importing anything of it."""
    try:
        file = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError:
        return None
    return file if file.exists() else None


def version_of(program: Path, pattern: str, user: str | None = None) -> str:
    """The version that a program prints, which shows that it runs.

    Raises:
        StackError: when it does not run or says something else.
    """
    try:
        ran = subprocess.run(  # noqa: S603 - a server's program, run without a shell
            [program, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
            cwd="/",
            **as_user(user),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        raise StackError(f"{program} cannot be run: {reason}") from error
    if (found := re.search(pattern, ran.stdout)) is None:
        said = (ran.stderr or ran.stdout).strip().splitlines()[-1:] or ["it says nothing"]
        raise StackError(f"{program} cannot be run: {said[0]}")
    return found[1]


def major_of(program: Path, pattern: str, user: str | None = None) -> int:
    """The major version that a program prints."""
    return int(version_of(program, pattern, user))


def this_python() -> str:
    """This Python, by one name whichever name it was started by.

    A server that would be started by another command is restarted; `python` and `python3` are
    no reason.
    """
    named = Path(sys.executable).with_name(f"python{sys.version_info[0]}.{sys.version_info[1]}")
    return str(named if named.exists() else sys.executable)
