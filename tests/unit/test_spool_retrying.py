"""What a store refused is taken up again: nothing is lost on the way, nothing there twice."""

from contextlib import closing
from pathlib import Path

import pytest

from agentruns.models import AgentTask, AnyRecord, ProgressUpdate, Status, Upload
from agentruns.spool import (
    Lane,
    Rejected,
    Session,
    Spool,
    SpoolFull,
    object_of,
    retry_rejected,
)
from storage.delivery.poison import refused
from tests.unit.spools import (
    PNG,
    a_log,
    a_picture,
    a_step,
    a_task,
    acknowledge_all,
    events,
    records,
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool").prepare()


def reject(spool: Spool, *refused: AnyRecord, at: str = "2026-01-01") -> list[str]:
    """Put records on the list, as a delivery does."""
    listed = [_rejected(spool, record, at) for record in refused]
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {}, {}, listed)
    return [one.id for one in listed]


def _rejected(spool: Spool, record: AnyRecord, at: str) -> Rejected:
    kept = record.file if isinstance(record, Upload) else record
    name = None
    if isinstance(record, Upload):
        name = kept.object_path.rpartition("/")[2]
        (spool.folder / "rejected").mkdir(exist_ok=True)
        (spool.folder / "rejected" / name).write_bytes(record.content)
    payload = kept.model_dump_json()
    kind = type(kept).__name__
    return Rejected(str(kept.id), "s", kind, "a", None, "no", payload, name, at)


def listed(spool: Spool) -> list[str]:
    with spool.ledger() as ledger:
        return [one.id for one in ledger.rejected()]


def test_what_was_refused_waits_again_as_it_was(spool: Spool) -> None:
    task = a_task()
    step = a_step(task).model_copy(update={"sequence": 17})
    picture = a_picture(task)
    reject(spool, task, step, a_log(task), picture)
    assert retry_rejected(spool).number == 4
    assert listed(spool) == []
    assert records(spool, Lane.ROWS) == [task, step]
    (again,) = records(spool, Lane.FILES)
    assert isinstance(again, Upload)
    assert again.file.id == picture.file.id
    assert Path(str(again.content)).read_bytes() == PNG
    assert list((spool.folder / "rejected").iterdir()) == []


def test_only_the_events_that_were_named_are_taken_up(spool: Spool) -> None:
    first, second = reject(spool, a_log(a_task()), a_log(a_task()))
    assert retry_rejected(spool, [first, "unknown"]).number == 1
    assert listed(spool) == [second]


def test_more_than_one_batch_is_taken_up(spool: Spool) -> None:
    task = a_task()
    reject(spool, *(a_log(task, str(number)) for number in range(250)))
    assert retry_rejected(spool).number == 250
    assert len(records(spool)) == 250


def test_what_is_no_record_stays_on_the_list_with_the_reason(spool: Spool) -> None:
    broken = Rejected("x", "s", "LogEntry", None, None, "damaged", "{", None, "2026-01-01")
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.LOGS, {}, {}, [broken])
    reject(spool, a_log(a_task()))
    retried = retry_rejected(spool)
    assert retried.number == 1
    assert [one.id for one in retried.unfit] == listed(spool) == ["x"]
    assert "no valid LogEntry" in retried.unfit[0].reason


def test_a_file_whose_object_is_gone_stays_on_the_list(spool: Spool) -> None:
    (name,) = reject(spool, a_picture(a_task()))
    with spool.ledger() as ledger:
        (one,) = ledger.rejected()
    assert object_of(spool, one)
    (spool.folder / "rejected" / str(one.object)).unlink()
    assert object_of(spool, one) is None
    assert "not in the spool" in retry_rejected(spool).unfit[0].reason
    assert listed(spool) == [name]


def test_a_file_whose_object_was_changed_holds_up_no_other(spool: Spool) -> None:
    task = a_task()
    reject(spool, task, changed := a_picture(task), a_log(task))
    (kept,) = (spool.folder / "rejected").iterdir()
    kept.write_bytes(PNG[::-1])
    retried = retry_rejected(spool)
    assert retried.number == 2
    assert [unfit.id for unfit in retried.unfit] == [str(changed.file.id)]
    assert "not what was recorded" in retried.unfit[0].reason
    assert listed(spool) == [str(changed.file.id)]
    assert kept.exists()


def test_an_object_that_another_refused_event_has_stays(spool: Spool) -> None:
    task = a_task()
    first, _ = reject(spool, a_picture(task), a_picture(task))
    assert retry_rejected(spool, [first]).number == 1
    assert len(list((spool.folder / "rejected").iterdir())) == 1


def test_what_a_running_delivery_refuses_once_more_stays_on_the_list(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delivery may be quicker than the retry: it refuses before the list is shortened."""
    picture = a_picture(a_task())
    (name,) = reject(spool, picture)
    append = Session.append
    lock = spool.delivery_lock()

    def refused_at_once(session: Session, again: list[AnyRecord]) -> None:
        append(session, again)
        assert lock.acquire()
        reject(spool, picture, at="2026-01-02")

    monkeypatch.setattr(Session, "append", refused_at_once)
    retry_rejected(spool)
    lock.release()
    assert listed(spool) == [name]
    assert len(list((spool.folder / "rejected").iterdir())) == 1


def test_nothing_leaves_the_list_before_it_is_in_the_spool(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = reject(spool, a_log(a_task()))

    def full(session: Session, again: list[AnyRecord]) -> None:
        raise SpoolFull("no room")

    monkeypatch.setattr(Session, "append", full)
    with pytest.raises(SpoolFull):
        retry_rejected(spool)
    assert listed(spool) == names


def test_every_refused_state_of_a_task_is_kept_and_taken_up(spool: Spool) -> None:
    begun = a_task()
    ended = begun.model_copy(update={"status": Status.COMPLETED, "metadata": {"exit_code": 0}})
    with closing(Session(spool)) as session:
        session.append([begun, ended, a_step(begun)])
    told = [refused(event, Lane.ROWS, "no", spool.folder) for event in events(spool, Lane.ROWS)]
    acknowledge_all(spool)
    with spool.ledger() as ledger:
        ledger.acknowledge(Lane.ROWS, {}, {}, told)
    assert {one.task_id for one in told} == {str(begun.id)}
    assert retry_rejected(spool).number == 3
    again = records(spool, Lane.ROWS)
    assert [one for one in again if isinstance(one, AgentTask)] in ([begun, ended], [ended, begun])
    assert [one.sequence for one in again if isinstance(one, ProgressUpdate)] == [1]
