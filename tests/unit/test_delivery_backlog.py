"""What a lane knows of the segments that wait for it."""

from contextlib import closing
from pathlib import Path

from agentruns.spool import Lane, Session, Spool
from storage.delivery.backlog import Backlog
from storage.delivery.watermarks import Watermarks
from tests.unit.spools import a_log, a_task


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
