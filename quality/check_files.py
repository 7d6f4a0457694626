"""Checks as SQL files: a header that says what it means, and a query that gives the bad rows."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from storage.errors import CheckFaulty
from storage.quality import Severity

_OURS = Path(__file__).parent / "checks"
_HEADER = re.compile(r"-- (name|table|severity|message): (.+)")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TABLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_KEYS = ("name", "table", "severity", "message")
_LONGEST = 300


class Check(NamedTuple):
    """One check of the data."""

    name: str
    table: str
    """What it is about; a check of an empty table says nothing."""
    severity: Severity
    message: str
    """What is wrong when it finds something, in one sentence."""
    sql: str
    """Gives the bad rows."""


def all_checks(folder: Path | None = None) -> list[Check]:
    """Our checks, and those of a folder that somebody named.

    Raises:
        CheckFaulty: when a file there is no check; the message says why.
    """
    checks = checks_in(_OURS) + (checks_in(folder) if folder else [])
    names: set[str] = set()
    for check in checks:
        if check.name in names:
            raise CheckFaulty(f"Two checks are called '{check.name}'; rename yours.")
        names.add(check.name)
    return checks


def checks_in(folder: Path) -> list[Check]:
    """The checks of a folder, one in each `.sql` file, in the order of the files' names.

    Raises:
        CheckFaulty: when there is none, or a file is no check.
    """
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise CheckFaulty(
            f"The folder {folder} holds no check: a check is a file that ends in .sql."
        )
    return [read_check(file) for file in files]


def read_check(file: Path) -> Check:
    """The check in one file.

    Raises:
        CheckFaulty: when it is none; the message names the file and what it lacks.
    """
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CheckFaulty(f"The check {file} cannot be read as text.") from error
    header = dict(_headers(text.splitlines()))
    _refuse(file, [f"a line '-- {key}: ...'" for key in _KEYS if key not in header])
    sql = _COMMENT.sub("", text).strip().rstrip(";").rstrip()
    _refuse(file, _faults(header, sql))
    return Check(
        header["name"],
        header["table"],
        Severity(header["severity"]),
        header["message"],
        text.rstrip().rstrip(";"),
    )


def _headers(lines: Sequence[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        if not line.startswith("--"):
            return
        if found := _HEADER.fullmatch(line.rstrip()):
            yield found[1], found[2].strip()[:_LONGEST]


def _faults(header: dict[str, str], sql: str) -> list[str]:
    faults = []
    if header["severity"] not in set(Severity):
        faults.append(f"a severity of {', '.join(Severity)}")
    if not _TABLE.fullmatch(header["table"]):
        faults.append("the plain name of one table")
    if not re.match(r"(?i)(select|with|values|table)\b", sql):
        faults.append("a query that gives the bad rows")
    # Not even inside quotes: what is one statement would be a question for a parser.
    if ";" in sql:
        faults.append(
            "a single statement, without ';' (write chr(59) where you mean the character)"
        )
    return faults


def _refuse(file: Path, faults: Sequence[str]) -> None:
    if faults:
        raise CheckFaulty(
            f"{file} is no check, it needs {' and '.join(faults)}; see docs/check.md."
        )
