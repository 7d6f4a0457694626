"""Running a program as somebody with fewer rights."""

import os
import pwd
import subprocess
from pathlib import Path
from typing import TypedDict

from apps.stack.errors import StackError

#: The usual owner of PostgreSQL on a machine, and the one we make where there is none.
USUAL, OURS = "postgres", "agentruns"


class AsUser(TypedDict, total=False):
    """Arguments of `subprocess.run` that give up rights."""

    user: int
    group: int
    extra_groups: list[int]


def unprivileged_user() -> str | None:
    """Who runs PostgreSQL, which refuses to run as root; None when we are somebody else."""
    if os.geteuid() != 0:
        return None
    for name in (USUAL, OURS):
        if _exists(name):
            return name
    _create(OURS)
    return OURS


def as_user(name: str | None) -> AsUser:
    """What makes `subprocess.run` run a program as this user."""
    if name is None:
        return {}
    entry = pwd.getpwnam(name)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give(path: Path, name: str | None) -> None:
    """Make a file or folder theirs."""
    if name is not None:
        entry = pwd.getpwnam(name)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def may_enter(folder: Path, name: str | None) -> bool:
    """Whether this user can reach what is in a folder."""
    if name is None:
        return True
    asked = ["test", "-x", str(folder)]
    ran = subprocess.run(asked, check=False, cwd="/", **as_user(name))  # noqa: S603 - a fixed command
    return ran.returncode == 0


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _create(name: str) -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a fixed command
    except (OSError, subprocess.CalledProcessError) as error:
        raise StackError(
            "PostgreSQL refuses to run as root and the user 'agentruns' could not be created: "
            "create a user named postgres or agentruns, or start the servers as another user"
        ) from error
