"""What a lane knows of the segments that wait for it."""

from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from agentruns.spool import Lane, Session, Spool, spool_status
from storage.delivery import backlog as backlog_module
from storage.delivery.backlog import Backlog
from storage.delivery.watermarks import Watermarks
from tests.unit.spools import a_log, a_task, segments


def written(spool: Spool) -> None:
    with closing(Session(spool)) as session:
        session.append([a_log(a_task())])


def test_a_lane_may_learn_of_a_segment_while_others_are_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool").prepare()
    with spool.ledger() as ledger:
        backlog = Backlog(spool, Lane.LOGS, Watermarks(ledger))
        written(spool)
        (first,) = backlog.marks()
        asked = []

        def gone(segment: str) -> bool:
            asked.append(segment)
            written(spool)
            return len(backlog.marks()) == 0

        backlog.forget(gone)
        assert asked == [first]
        assert backlog.size() == 2


def test_many_living_recorders_do_not_use_up_the_open_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process has a thousand by default, and a segment takes three."""
    monkeypatch.setattr(backlog_module, "MOST_OPEN", 5)
    spool = Spool(tmp_path / "spool").prepare()
    with spool.ledger() as ledger, ExitStack() as living:
        for _ in range(6):
            session = living.enter_context(closing(Session(spool)))
            session.append([a_log(a_task())])
        backlog = Backlog(spool, Lane.LOGS, Watermarks(ledger))
        assert backlog.size() == 6
        assert len(backlog.read()) == 6
        assert not _open(spool)
        assert spool_status(spool).events == 6
        assert not _open(spool)


def _open(spool: Spool) -> list[str]:
    return [one.name for one in segments(spool) if one._connection is not None]
