"""What no store takes is refused by the call, stored harmless, or kept aside with its reason.

Whatever it is, what was recorded before and after it arrives.
"""

import json
import math
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from agentruns import Recorder, Run
from agentruns.spool import Rejected, Spool
from agentruns.spool.events import checksum
from storage.delivery import Delivery
from storage.stores import Stores
from tests.faults.recording_stores import Kept
from tests.faults.recording_trials import (
    PROMISES,
)
from tests.unit.cua_folders import png
from tests.unit.spools import events

POISON = "12 poison isolates itself"
LARGE = 17 * 1024 * 1024


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def _deep(levels: int) -> dict[str, Any]:
    return {"deeper": _deep(levels - 1)} if levels else {}


def _endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["itself"] = value
    return value


REFUSED: dict[str, Callable[[Run], object]] = {
    "percent above 100": lambda run: run.progress(101),
    "percent below 0": lambda run: run.progress(-0.1),
    "percent that is no number": lambda run: run.progress(math.nan),
    "percent as text": lambda run: run.progress("50"),  # type: ignore[arg-type]  # on purpose
    "half a step": lambda run: run.progress(5, step=1.5),  # type: ignore[arg-type]  # on purpose
    "step below 0": lambda run: run.progress(5, step=-1),
    "unknown level": lambda run: run.log("x", level="loud"),
    "memory without type": lambda run: run.remember("x", memory_type=""),
    "picture that is a number": lambda run: run.screenshot(7),  # type: ignore[arg-type]  # on purpose
    "picture that is not there": lambda run: run.screenshot("/nowhere/at-all.png"),
    "folder as file": lambda run: run.file("/"),
    "content type that is none": lambda run: run.file(b"x", content_type="html\r\nx: y"),
    "unknown ending": lambda run: run.finish("done"),
}

STORED: dict[str, Callable[[Run], UUID]] = {
    "NaN": lambda run: run.log("x", value=math.nan),
    "infinity": lambda run: run.progress(1, data={"value": -math.inf}),
    "more than 64 bits": lambda run: run.log("x", value=10**40),
    "nested too deeply": lambda run: run.remember("x", value=_deep(500)),
    "contains itself": lambda run: run.log("x", value=_endless()),
    "NUL in a message": lambda run: run.progress(1, "a\x00b"),
    "NUL in a key": lambda run: run.log("x", "info", **{"a\x00b": 1}),
    "half a surrogate": lambda run: run.remember("\ud800"),
    "message that is no text": lambda run: run.log({"not": "text"}),
    "data that is no object": lambda run: run.progress(1, data=[1, 2]),
    "keys that are no text": lambda run: run.log("x", value={1: 2, None: 3, (4, 5): 6}),
    "no words": lambda run: run.log("x", value=Unspeakable()),
    "bytes": lambda run: run.log("x", value=b"\xff\x00"),
    "dates": lambda run: run.log("x", at=datetime.max.replace(tzinfo=UTC), on=date.min),
    "operators": lambda run: run.log("x", "info", **{"$where": "1", "a.b": 2, "": 3, "_id": 4}),
    "large progress": lambda run: run.progress(1, "y " * (LARGE // 2)),
    "half a picture": lambda run: run.screenshot(png(1)[:700]),
    "empty picture": lambda run: run.screenshot(b""),
    "page as picture": lambda run: run.screenshot(_page(), name="page.png"),
    "empty file": lambda run: run.file(b"", name="empty"),
    "name with dots": lambda run: run.file(b"x", name="../../etc/passwd"),
}

REJECTED: dict[str, Callable[[Run], UUID]] = {
    "large log": lambda run: run.log("z " * (LARGE // 2)),
    "large memory": lambda run: run.remember("z " * (LARGE // 2)),
}


def _page() -> bytes:
    return b"<html><script>alert(1)</script></html>"


@pytest.fixture
def recorder(spool: Spool, agent_id: str) -> Iterator[Recorder]:
    with Recorder(agent_id, spool=spool.folder, deliver=False, exit_seconds=0) as recorder:
        yield recorder


@pytest.mark.parametrize("poison", REFUSED)
def test_an_argument_out_of_range_is_refused_and_nothing_is_kept(
    recorder: Recorder, spool: Spool, poison: str
) -> None:
    with recorder.run("x") as run:
        before = len(events(spool))
        with pytest.raises(ValueError, match="must be"):
            REFUSED[poison](run)
        assert len(events(spool)) == before
        run.log("goes on")
    PROMISES[POISON].trials += 1


def test_what_no_store_takes_is_stored_harmless_or_kept_aside_and_its_neighbours_arrive(
    recorder: Recorder, stores: Stores, agent_id: str
) -> None:
    neighbours, poisons = set(), {}
    with recorder.run("x") as run:
        for name, call in (STORED | REJECTED).items():
            neighbours.add(run.log("before"))
            poisons[name] = call(run)
            neighbours |= {run.progress(50, "after"), run.file(name.encode())}
    recorder.close()

    Delivery(recorder.spool, stores.settings).drain()

    stored, rejected = _ids(Kept(stores, agent_id)), _rejected(recorder.spool)
    PROMISES[POISON].trials += len(poisons)
    PROMISES[POISON].acknowledged += len(neighbours)
    PROMISES[POISON].lost += len(neighbours - stored)
    assert neighbours <= stored
    assert {name for name, one in poisons.items() if one in stored} == set(STORED)
    assert {name for name, one in poisons.items() if one in rejected} == set(REJECTED)
    assert all(rejected[poisons[name]].reason for name in REJECTED)


def test_a_picture_that_is_none_is_kept_as_a_file_that_says_why_and_runs_nowhere(
    recorder: Recorder, stores: Stores, agent_id: str
) -> None:
    with recorder.run("x") as run:
        for content in (png(1)[:700], b"", _page()):
            run.screenshot(content)
    recorder.close()

    Delivery(recorder.spool, stores.settings).drain()

    files = sorted(Kept(stores, agent_id).files, key=lambda row: row.sequence)
    assert {row.bucket for row in files} == {"binaries"}
    assert [row.metadata["fault"] for row in files] == [
        "The picture (image/png) is cut off before its end.",
        "The file is empty.",
        "The file is not a PNG, JPEG, GIF or WebP picture.",
    ]
    assert files[2].content_type.startswith("text/plain")


#: What another program, or a disk, may have made of an event.
PLANTED: dict[str, str | dict[str, Any]] = {
    "half JSON": '{"id": ',
    "NaN": '{"message": NaN}',
    "a list": "[]",
    "deep": "[" * 100_000,
    "no date": {"created_at": "yesterday"},
    "a date of the year 0": {"created_at": "0000-00-00T00:00:00Z"},
    "no agent": {"agent_id": "../other"},
    "a number as message": {"message": 5},
    "NUL": {"message": "a\x00b"},
    "unknown field": {"colour": "red"},
    "no id": {"id": "1"},
}


@pytest.mark.parametrize("planted", PLANTED)
def test_an_event_that_is_none_is_kept_aside_with_its_reason_and_its_neighbours_arrive(
    recorder: Recorder, stores: Stores, agent_id: str, planted: str
) -> None:
    with recorder.run("x") as run:
        before, _, after = run.log("before"), run.log("victim"), run.log("after")
    recorder.close()
    _plant(recorder.spool, PLANTED[planted])

    Delivery(recorder.spool, stores.settings).drain()

    assert _ids(Kept(stores, agent_id)) == {before, after}
    (rejected,) = _rejected(recorder.spool).values()
    assert rejected.reason.startswith("it is no valid LogEntry: ")
    assert recorder.spool.sessions() == []
    PROMISES[POISON].trials += 1


def _plant(spool: Spool, planted: str | dict[str, Any]) -> None:
    (path,) = spool.folder.glob("sessions/*/*/events.db")
    connection = sqlite3.connect(path)
    (payload,) = connection.execute("SELECT payload FROM logs WHERE position = 2").fetchone()
    changed = planted if isinstance(planted, str) else json.dumps(json.loads(payload) | planted)
    connection.execute(
        "UPDATE logs SET payload = ?, checksum = ? WHERE position = 2", (changed, checksum(changed))
    )
    connection.commit()
    connection.close()


def _ids(kept: Kept) -> set[UUID]:
    return {event.id for event in (*kept.said, *kept.progress, *kept.files)}


def _rejected(spool: Spool) -> dict[UUID, Rejected]:
    with spool.ledger() as ledger:
        return {UUID(one.id): one for one in ledger.rejected(1000)}
