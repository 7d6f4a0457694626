"""The size of a spool is known in time that does not grow with what waits in it."""

import shutil
from pathlib import Path

from agentruns.spool import Session, Spool
from agentruns.spool.disk import size_of
from agentruns.spool.sizes import SpoolSizes
from tests.unit.spools import a_log, a_picture, a_task


def _filled(spool: Spool) -> Session:
    session, task = Session(spool), a_task()
    for number in range(3):
        session.append([a_log(task), a_picture(task, f"picture {number}".encode())])
        session._begin_segment()
    return session


def _exact(spool: Spool, own: Path) -> int:
    return size_of(spool.folder) - size_of(own)


def test_everything_counts_but_the_own_segment(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    others, session = _filled(spool), _filled(spool)
    (tmp_path / "rejected").mkdir()
    (tmp_path / "rejected" / "one.png").write_bytes(b"12345")
    sizes, own = SpoolSizes(spool.folder), session.path / "000004"
    assert sizes.besides(own) == _exact(spool, own)
    others.append([a_log(a_task(), "x" * 100_000)])
    assert sizes.besides(own) == _exact(spool, own)
    others.close()
    assert sizes.besides(own) == _exact(spool, own)
    session.close()


def test_what_cannot_change_is_looked_at_once(tmp_path: Path) -> None:
    """A second look at 100,000 objects at every second would hold up the agent."""
    spool = Spool(tmp_path)
    over, session = _filled(spool), _filled(spool)
    over.close()
    sizes, own = SpoolSizes(spool.folder), session.path / "000004"
    before = sizes.besides(own)
    (over.path / "000001" / "unseen").write_bytes(b"x" * 1000)
    (session.path / "000001" / "unseen").write_bytes(b"x" * 1000)
    assert sizes.besides(own) == before
    (session.path / "000001" / "unseen").unlink()
    (over.path / "000001" / "unseen").unlink()
    for segment in (over.path / "000001", session.path / "000002"):
        shutil.rmtree(segment)
        assert sizes.besides(own) == _exact(spool, own)
    shutil.rmtree(over.path)
    assert sizes.besides(own) == _exact(spool, own)
    session.close()
