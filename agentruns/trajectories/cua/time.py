"""The moments of a cua run: ticks of UUID version 1, or what comes closest."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agentruns.trajectories.times import EARLIEST, Moment, possible

#: Ticks of 100 ns from 1582-10-15, where UUIDs begin, to 1970-01-01.
TICKS_BEFORE_1970 = 0x01B21DD213814000
IN_NAME = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)_.*_(?P<time>\d{6})_[0-9a-f]{4}\Z")


def from_ticks(value: Any) -> datetime | None:
    """The time of a `created_at` value, or None where it is none or an impossible one."""
    if not isinstance(value, str | int) or not re.fullmatch(r"\d{1,19}", str(value)):
        return None
    microseconds = (int(value) - TICKS_BEFORE_1970) // 10
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
    return possible(moment)


def from_folder(folder: Path, trajectory_id: str) -> Moment:
    """The local time in the run's name, else the time of the folder's last change."""
    if (found := IN_NAME.search(trajectory_id)) and (named := _local(found["day"] + found["time"])):
        return Moment(named, "name of the run, as local time")
    try:
        changed = datetime.fromtimestamp(folder.lstat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        changed = EARLIEST
    return Moment(changed, "last change of the folder")


def _local(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y-%m-%d%H%M%S").astimezone()
    except (ValueError, OverflowError):
        return None
