"""A damaged spool is read as far as it can be; the rest is kept aside and told."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from agentruns.models import Status
from agentruns.spool import (
    Lane,
    Session,
    Spool,
    SpoolTooNew,
    SpoolUnusable,
    spool_status,
)
from agentruns.spool.damage import reports
from agentruns.spool.databases import connect
from tests.unit.spools import (
    PNG,
    a_log,
    a_picture,
    a_task,
    acknowledge_all,
    crash,
    events,
    records,
    segments,
)

OLD = Path(__file__).parents[1] / "data" / "spool-format-1"
PAGE = 4096


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def file(spool: Spool) -> Path:
    """The events of a session whose process was killed: 600 log entries and a picture."""
    session = Session(spool)
    task = a_task()
    session.open_run(task)
    session.append([a_log(task, f"{number} {'x' * 100}") for number in range(600)])
    session.append([a_picture(task)])
    crash(session)
    return segments(spool)[0].path / "events.db"


@pytest.mark.parametrize("page", [6, 12, 20])
def test_a_torn_page_costs_only_what_was_on_it(spool: Spool, file: Path, page: int) -> None:
    _overwrite(file, page * PAGE, b"\xff" * PAGE)
    logs = events(spool, Lane.LOGS)
    readable = [event.record.message for event in logs if event.record]
    assert 500 < len(readable) < 600
    assert readable == sorted(readable, key=lambda text: int(text.split()[0]))
    damaged = [event for event in logs if event.damage]
    assert len(readable) + len(damaged) == 600
    assert {event.damage for event in damaged} == {"it can't be read any more"}
    assert len(events(spool, Lane.FILES)) == 1


def test_what_is_written_behind_a_damage_is_read(spool: Spool) -> None:
    """An agent that still lives does not notice that an old page of its own segment is torn."""
    session, task = Session(spool), a_task()
    session.append([a_log(task, f"{number} {'x' * 100}") for number in range(600)])
    file = segments(spool)[0].path / "events.db"
    with closing(connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _overwrite(file, 12 * PAGE, b"\xff" * PAGE)
    damaged = sum(1 for event in events(spool, Lane.LOGS) if event.damage)
    assert damaged
    session.append([a_log(task, "later")])
    session.close()
    found = events(spool, Lane.LOGS)
    assert len(found) == 601
    assert found[-1].record in records(spool, Lane.LOGS)
    assert sum(1 for event in found if event.damage) == damaged


@pytest.mark.parametrize(("number", "costs"), [(300, 20), (599, 1)])
def test_a_position_with_a_flipped_bit_makes_up_no_events(
    spool: Spool, file: Path, number: int, costs: int
) -> None:
    """SQLite takes it for another position, thousands of events away."""
    with closing(connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = file.read_bytes()
    position = number + 1
    told = bytes([0x80 | position >> 7, position & 0x7F])
    at = content.rfind(told, 0, content.rindex(f'"{number} x'.encode()))
    _overwrite(file, at, b"\xff")
    readable = [event.record for event in events(spool, Lane.LOGS) if event.record]
    assert 600 - costs <= len(readable) < 600
    assert len(events(spool, Lane.LOGS)) <= 600
    assert len(reports(spool.folder)) == 1


def test_a_damaged_segment_is_kept_aside_with_a_report(spool: Spool, file: Path) -> None:
    _overwrite(file, 12 * PAGE, b"\xff" * PAGE)
    name = segments(spool)[0].name
    missing = sum(1 for event in events(spool) if event.damage)
    (report,) = reports(spool.folder)
    assert report["segment"] == name
    assert "malformed" in report["error"]
    assert report["events_missing_before"]["logs"] == missing
    acknowledge_all(spool)
    (kept,) = (spool.folder / "damaged").iterdir()
    assert [path.read_bytes() for path in kept.glob("*.png")] == [PNG]
    assert (kept / "events.db").stat().st_size > PAGE
    assert spool_status(spool).damaged == 1


def test_a_segment_of_which_nothing_is_left_goes_aside(spool: Spool, file: Path) -> None:
    _overwrite(file, 0, b"\xff" * PAGE)
    assert events(spool) == []
    acknowledge_all(spool)
    assert len(reports(spool.folder)) == 1
    # The run is ended all the same: its note does not lie in the damaged file.
    assert not any(spool.sessions_folder.rglob("open/*.json"))


def test_the_other_sessions_go_on(spool: Spool, file: Path) -> None:
    _overwrite(file, 0, b"\xff" * PAGE)
    healthy = Session(spool)
    healthy.append([a_log(a_task(), "healthy")])
    assert [one.message for one in records(spool)] == ["healthy"]
    healthy.close()


def test_a_flipped_bit_is_found(spool: Spool, file: Path) -> None:
    content = file.read_bytes()
    _overwrite(file, content.index(b"300 xxx") + 10, b"y")
    (damaged,) = (event for event in events(spool, Lane.LOGS) if event.damage)
    assert damaged.damage == "it is not what was written: its checksum does not fit"
    assert "300 x" in damaged.payload


def test_a_missing_object_is_told(spool: Spool, file: Path) -> None:
    next(file.parent.glob("*.png")).unlink()
    (event,) = events(spool, Lane.FILES)
    assert event.damage == "its object is not in the spool (No such file or directory)"


def test_an_object_that_was_cut_is_told(spool: Spool, file: Path) -> None:
    next(file.parent.glob("*.png")).write_bytes(PNG[:5])
    (event,) = events(spool, Lane.FILES)
    assert event.damage == "its object has 5 bytes where 8 were written"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("{", "it is no valid LogEntry: the whole"),
        ('{"agent_id": "../etc"}', "it is no valid LogEntry: agent_id"),
        ('{"agent_id": "a", "message": "\\u0000"}', "it is no valid LogEntry: message"),
    ],
)
def test_an_event_that_is_no_record_is_told(
    spool: Spool, file: Path, payload: str, reason: str
) -> None:
    connection = connect(file)
    connection.execute("INSERT INTO logs (kind, payload) VALUES ('LogEntry', ?)", (payload,))
    connection.close()
    damage = events(spool, Lane.LOGS)[-1].damage
    assert damage is not None
    assert damage.startswith(reason)


def test_a_session_whose_own_file_broke_goes_on_in_another(spool: Spool) -> None:
    session = Session(spool)
    task = a_task()
    session.append([a_log(task, f"{number} {'x' * 100}") for number in range(600)])
    session._segment._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    session._segment._connection.execute("PRAGMA shrink_memory")
    _overwrite(session._segment.path / "events.db", PAGE, b"\xff" * 60 * PAGE)
    session.append([a_log(task, "after")])
    assert records(spool)[-1].message == "after"
    session.close()


def test_a_spool_of_an_older_version_is_upgraded(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "old")
    spool = Spool(tmp_path / "old").prepare()
    assert [event.damage for event in events(spool)] == [None] * 4
    assert spool.sessions()[0].settle()
    assert records(spool, Lane.ROWS)[-1].status is Status.INTERRUPTED
    assert (spool.folder / "FORMAT").read_text() == "agentruns spool 2\n"


def test_a_spool_of_a_newer_version_is_refused(spool: Spool) -> None:
    spool.prepare()
    (spool.folder / "FORMAT").write_text("agentruns spool 99\n")
    with pytest.raises(SpoolTooNew, match=r"made by a newer agentruns \(format 99.*: upgrade"):
        Session(spool)


def test_a_segment_of_a_newer_version_is_refused(spool: Spool, file: Path) -> None:
    connection = connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SpoolTooNew, match="written by a newer agentruns"):
        events(spool)


@pytest.mark.parametrize("content", [b"PNG\n", b"\x89PNG\xff", b""])
def test_a_folder_that_is_something_else_is_refused(spool: Spool, content: bytes) -> None:
    spool.folder.mkdir()
    (spool.folder / "FORMAT").write_bytes(content)
    with pytest.raises(SpoolUnusable, match="is no spool's"):
        Session(spool)


def _overwrite(file: Path, offset: int, content: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(content)


@pytest.mark.parametrize("damage", [b"garbage" * 2000, b""], ids=["no database", "torn page"])
def test_a_damaged_ledger_is_kept_aside_and_a_new_one_begins(tmp_path: Path, damage: bytes) -> None:
    spool = Spool(tmp_path / "spool").prepare()
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {"s/1": 7}, {})
    database = spool.folder / "ledger.db"
    content = database.read_bytes()
    database.write_bytes(damage or content[:4096] + b"\xff" * (len(content) - 4096))
    spool.mend_ledger()
    with spool.ledger() as ledger:
        assert ledger.position("s/1", Lane.LOGS) == 0
    (kept,) = spool.folder.glob("damaged/ledger-*/ledger.db")
    assert kept.stat().st_size >= 4096
    assert len(reports(spool.folder)) == 1


def test_a_sound_ledger_stays_as_it_is(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool").prepare()
    spool.mend_ledger()
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {"s/1": 7}, {})
        spool.mend_ledger()
    with spool.ledger() as ledger:
        assert ledger.position("s/1", Lane.LOGS) == 7
    assert reports(spool.folder) == []
