"""Refused events as files, for whoever has to find out what is wrong with them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentruns.spool import Rejected, Spool, object_of
from agentruns.spool.disk import PRIVATE_FOLDER


def export_rejected(spool: Spool, refused: Sequence[Rejected], folder: Path) -> None:
    """Write a JSON file an event into a folder, and the object of a file beside it."""
    # As in the spool: what an agent has seen is not for everybody on the machine.
    folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    for one in refused:
        content = object_of(spool, one)
        if content is not None:
            shutil.copyfile(content, folder / content.name)
        document = one._asdict() | {
            "payload": _readable(one.payload),
            "object": content.name if content else None,
        }
        text = json.dumps(document, ensure_ascii=False, indent=2)
        # A payload that was damaged may hold anything.
        (folder / f"{one.id}.json").write_text(text + "\n", errors="backslashreplace")


def _readable(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload
