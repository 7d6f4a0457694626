"""What a run leaves in the spool, from its beginning to whichever end."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

import agentruns
from agentruns import Recorder, Run
from agentruns.models import AgentTask, LogEntry, Memory, ProgressUpdate, Status
from agentruns.recording import recorder as recorder_module
from agentruns.recording import run_clock
from agentruns.spool import Lane, SpoolUnusable
from tests.unit.spools import acknowledge_all, records


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder("browser-1", spool=tmp_path / "spool", deliver=False, exit_seconds=0) as recorder:
        yield recorder


def tasks(recorder: Recorder, task_id: UUID | None = None) -> list[AgentTask]:
    told = [record for record in records(recorder.spool) if isinstance(record, AgentTask)]
    return [task for task in told if task_id in {None, task.id}]


def logs(recorder: Recorder) -> list[LogEntry]:
    return [record for record in records(recorder.spool) if isinstance(record, LogEntry)]


def statuses(recorder: Recorder, run: Run) -> list[Status]:
    return [task.status for task in tasks(recorder, run.task_id)]


def test_everything_that_is_exported_is_there() -> None:
    assert {name: getattr(agentruns, name) for name in agentruns.__all__}
    assert set(agentruns.__all__) <= set(dir(agentruns))
    with pytest.raises(AttributeError, match="no attribute 'recorder_of'"):
        _ = agentruns.recorder_of


def test_a_run_is_a_task_with_all_that_was_said(recorder: Recorder) -> None:
    with recorder.run("Book a flight", description="To Rome", metadata={"site": "x"}) as run:
        said = run.log("opened the page", level="warning", url="https://example.com")
        told = run.progress(25, "logged in", step=1, data={"form": "login"})
        kept = run.remember("prefers aisle seats", memory_type="preference", sure=True)
    began, ended = tasks(recorder)
    assert (began.title, began.description, began.status) == (
        "Book a flight",
        "To Rome",
        Status.IN_PROGRESS,
    )
    assert began.metadata["site"] == "x"
    assert {"host", "machine", "boot_id", "pid", "session"} == set(began.metadata["recorder"])
    assert (ended.id, ended.status, ended.started_at) == (
        run.task_id,
        Status.COMPLETED,
        began.started_at,
    )
    assert ended.finished_at
    by_id = {record.id: record for record in records(recorder.spool) if hasattr(record, "id")}
    assert by_id[said].message == "opened the page"
    assert isinstance(by_id[told], ProgressUpdate)
    assert by_id[told].data == {"form": "login"}
    assert isinstance(by_id[kept], Memory)
    assert by_id[kept].memory_type == "preference"


def test_what_is_said_is_numbered_in_its_order(recorder: Recorder) -> None:
    with recorder.run() as run:
        for _ in range(3):
            run.log("said")
            run.progress(None)
    numbers = [getattr(record, "sequence", None) for record in records(recorder.spool)]
    assert sorted(filter(None, numbers)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no such seat"), Status.FAILED),
        (SystemExit(3), Status.FAILED),
        (SystemExit("out of memory"), Status.FAILED),
        (SystemExit(0), Status.COMPLETED),
        (SystemExit(), Status.COMPLETED),
        (KeyboardInterrupt(), Status.CANCELLED),
        (asyncio.CancelledError(), Status.CANCELLED),
        (GeneratorExit(), Status.CANCELLED),
    ],
    ids=repr,
)
def test_an_exception_decides_how_the_run_ended_and_goes_on(
    recorder: Recorder, error: BaseException, status: Status
) -> None:
    with pytest.raises(type(error)), recorder.run() as run:
        raise error
    assert statuses(recorder, run) == [Status.IN_PROGRESS, status]
    assert [entry.level for entry in logs(recorder)] == ["error"] * (status is Status.FAILED)


def test_a_failure_is_told_with_its_traceback(recorder: Recorder) -> None:
    with pytest.raises(ZeroDivisionError), recorder.run():
        _ = 1 / 0
    (entry,) = logs(recorder)
    assert entry.message == "ZeroDivisionError: division by zero"
    assert entry.data["exception"]["type"] == "ZeroDivisionError"
    assert "_ = 1 / 0" in entry.data["exception"]["traceback"]
    assert tasks(recorder)[-1].metadata == {"reason": entry.message}


def test_the_first_end_counts(recorder: Recorder) -> None:
    with recorder.run() as run:
        run.cancel("the user said so")
        run.finish("failed", "later")
    assert statuses(recorder, run) == [Status.IN_PROGRESS, Status.CANCELLED]
    assert tasks(recorder)[-1].metadata == {"reason": "the user said so"}


def test_a_run_without_a_block_ends_when_it_is_told_to(recorder: Recorder) -> None:
    run = recorder.start_run("Book")
    assert statuses(recorder, run) == [Status.IN_PROGRESS]
    run.finish("failed", "no seats", seats=0)
    assert statuses(recorder, run) == [Status.IN_PROGRESS, Status.FAILED]
    assert tasks(recorder)[-1].metadata == {"reason": "no seats", "seats": 0}


def test_what_is_said_after_the_end_is_kept(recorder: Recorder) -> None:
    with recorder.run() as run:
        pass
    run.log("late")
    assert [entry.message for entry in logs(recorder)] == ["late"]


def test_what_is_said_before_the_beginning_begins_the_run(recorder: Recorder) -> None:
    run = recorder.run("Book")
    run.log("early")
    with run:
        pass
    assert statuses(recorder, run) == [Status.IN_PROGRESS, Status.COMPLETED]


def test_a_run_that_is_open_at_the_end_of_the_recorder_is_interrupted(tmp_path: Path) -> None:
    recorder = Recorder("browser-1", spool=tmp_path, deliver=False, exit_seconds=0)
    run = recorder.start_run()
    recorder.close()
    assert statuses(recorder, run) == [Status.IN_PROGRESS, Status.INTERRUPTED]


def test_a_run_inside_another_names_it_as_its_parent(recorder: Recorder) -> None:
    with recorder.run("outer") as outer:
        with recorder.run("inner") as inner:
            pass
        with recorder.run("second") as second:
            pass
    with recorder.run("alone") as alone:
        pass
    parents = {
        run.task_id: tasks(recorder, run.task_id)[0].metadata.get("parent_task_id")
        for run in (outer, inner, second, alone)
    }
    assert parents == {
        outer.task_id: None,
        inner.task_id: str(outer.task_id),
        second.task_id: str(outer.task_id),
        alone.task_id: None,
    }


def test_runs_of_asyncio_tasks_do_not_mix(recorder: Recorder) -> None:
    async def work(name: str) -> tuple[UUID, UUID]:
        with recorder.run(name) as outer:
            await asyncio.sleep(0)
            with recorder.run(f"inside {name}") as inner:
                await asyncio.sleep(0)
        return outer.task_id, inner.task_id

    async def all_of_it() -> list[tuple[UUID, UUID]]:
        return await asyncio.gather(work("a"), work("b"), work("c"))

    for outer, inner in asyncio.run(all_of_it()):
        assert tasks(recorder, inner)[0].metadata["parent_task_id"] == str(outer)


def test_a_block_left_from_another_context_ends_its_run(recorder: Recorder) -> None:
    async def steps(runs: list[Run]) -> Any:
        with recorder.run("generated") as run:
            runs.append(run)
            yield 1
            yield 2

    async def leave_early(runs: list[Run]) -> None:
        generator = steps(runs)
        await asyncio.create_task(anext(generator))
        await asyncio.create_task(generator.aclose())

    runs: list[Run] = []
    asyncio.run(leave_early(runs))
    assert statuses(recorder, runs[0]) == [Status.IN_PROGRESS, Status.CANCELLED]


def test_a_known_task_is_gone_on_with(recorder: Recorder) -> None:
    known = uuid4()
    with recorder.run("again", task_id=str(known)) as run:
        pass
    assert run.task_id == known
    assert statuses(recorder, run) == [Status.IN_PROGRESS, Status.COMPLETED]


def test_why_an_earlier_run_of_a_task_ended_is_taken_away_by_the_end_of_this_one(
    recorder: Recorder,
) -> None:
    with recorder.run("again", task_id=uuid4()):
        pass
    assert tasks(recorder)[-1].metadata == {"reason": None}


def test_a_recorder_inside_a_recorded_command_joins_its_task(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = uuid4()
    monkeypatch.setenv("AGENTRUNS_TASK_ID", str(around))
    with recorder.run("inside") as run, recorder.run("nested") as nested:
        run.log("hello")
    assert run.task_id == around
    assert statuses(recorder, run) == [Status.PENDING]
    assert tasks(recorder, nested.task_id)[0].metadata["parent_task_id"] == str(around)


def test_a_joined_run_tells_a_bad_end_and_never_a_status(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTRUNS_TASK_ID", str(uuid4()))
    with pytest.raises(ValueError, match="no such seat"), recorder.run() as run:
        raise ValueError("no such seat")
    assert statuses(recorder, run) == [Status.PENDING]
    assert [entry.message for entry in logs(recorder)] == [
        "ValueError: no such seat",
        "a recorder that joined the task ended: failed",
    ]


@pytest.mark.parametrize(
    "asked", [{"task_id": str(uuid4())}, {}], ids=["a task of its own", "another agent"]
)
def test_who_does_not_join_has_the_recorded_task_as_parent(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    around = uuid4()
    monkeypatch.setenv("AGENTRUNS_TASK_ID", str(around))
    if not asked:
        monkeypatch.setenv("AGENT_ID", "somebody-else")
    with recorder.run(**asked) as run:
        pass
    assert statuses(recorder, run) == [Status.IN_PROGRESS, Status.COMPLETED]
    assert tasks(recorder)[0].metadata["parent_task_id"] == str(around)


def test_the_time_inside_a_run_never_goes_back(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorder.run() as run:
        run.log("before")
        monkeypatch.setattr(time, "time_ns", lambda: 0)
        monkeypatch.setattr(run_clock, "utcnow", lambda: pytest.fail("the clock was asked again"))
        time.sleep(0.01)
        run.log("after")
    before, after = logs(recorder)
    assert before.created_at < after.created_at


def test_a_full_spool_hides_no_exception_of_the_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> None:
        with recorder.run() as run:
            _fill(run)
            _ = 1 / 0

    recorder = Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0, max_bytes=2**20)
    with pytest.raises(ZeroDivisionError):
        work()
    assert "could not be kept: The spool" in caplog.text
    recorder.close()


def test_the_end_of_a_run_can_be_told_again_when_there_is_room(tmp_path: Path) -> None:
    recorder = Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0, max_bytes=2**20)
    run = recorder.start_run()
    _fill(run)
    with pytest.raises(agentruns.SpoolFull):
        run.finish()
    acknowledge_all(recorder.spool)
    run.finish()
    assert statuses(recorder, run) == [Status.COMPLETED]
    recorder.close()


def _fill(run: Run) -> None:
    for size in (100_000, 1000, 1):
        with suppress(agentruns.SpoolFull):
            while True:
                run.log("x" * size)


def test_nothing_is_written_before_the_first_event(tmp_path: Path) -> None:
    recorder = Recorder("browser-1", spool=tmp_path / "spool", deliver=False)
    recorder.run("never entered")
    assert recorder.flush(0).pending == 0
    assert recorder.close().pending == 0
    assert not (tmp_path / "spool").exists()


def test_flush_says_what_has_arrived(recorder: Recorder) -> None:
    with recorder.run() as run:
        run.log("hello")
        assert (recorder.flush(0).pending, recorder.flush(0).delivering) == (2, False)
        with recorder.spool.ledger() as ledger:
            (session,) = recorder.spool.sessions()
            (segment,) = session.segments()
            ledger.acknowledge(Lane.LOGS, {segment.name: 1}, {session.name: {"logs": 1}})
        result = recorder.flush(0)
    assert (result.pending, result.delivered["logs"], result.rejected) == (1, 1, 0)


def test_flush_waits_for_whoever_delivers_and_no_longer_than_asked(recorder: Recorder) -> None:
    recorder.start_run().finish()
    started = time.monotonic()
    assert recorder.flush(0.3).pending == 2
    assert 0.3 <= time.monotonic() - started < 2
    acknowledge_all(recorder.spool)
    assert recorder.flush(5).pending == 0


def test_closing_says_in_one_line_what_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0) as recorder:
        recorder.start_run().finish()
    assert caplog.messages == [
        f"2 events are still in the spool {tmp_path}, and nobody delivers: "
        f"run `agentruns deliver --spool {tmp_path}` (part of agentruns[server])."
    ]


def test_closing_points_at_the_delivery_that_is_at_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0) as recorder:
        recorder.start_run().finish()
        lock = recorder.spool.delivery_lock()
        assert lock.acquire()
    lock.release()
    assert caplog.messages == [
        f"2 events are still in the spool {tmp_path}; the running delivery will deliver them."
    ]


def test_closing_is_silent_when_all_has_arrived_and_may_be_repeated(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.start_run().finish()
    acknowledge_all(recorder.spool)
    assert recorder.close().pending == recorder.close().pending == 0
    assert caplog.messages == []


def test_a_recorder_that_was_closed_goes_on_when_it_is_used(recorder: Recorder) -> None:
    recorder.start_run("first").finish()
    recorder.close()
    recorder.start_run("second").finish()
    assert [task.title for task in tasks(recorder)] == ["first", "first", "second", "second"]


@pytest.mark.parametrize("close", [Recorder.close, lambda recorder: recorder.flush(0)])
def test_the_recorder_never_talks_to_its_own_run(
    recorder: Recorder, close: Callable[[Recorder], object]
) -> None:
    run = recorder.start_run()
    handler = agentruns.logging_handler(run)
    logging.getLogger().addHandler(handler)
    try:
        close(recorder)
    finally:
        logging.getLogger().removeHandler(handler)
    assert logs(recorder) == []


def test_at_the_end_one_recorder_that_fails_keeps_no_other_from_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when Ctrl-C ended the waiting for the delivery of the first."""
    first, second = (
        Recorder("a", spool=tmp_path / name, deliver=False, exit_seconds=0) for name in "ab"
    )
    monkeypatch.setattr(recorder_module, "_OPEN", {})
    for recorder in (first, second):
        recorder.start_run()

    def close(timeout: float | None = None) -> None:
        if timeout is None:
            raise KeyboardInterrupt
        raise SpoolUnusable("gone")

    monkeypatch.setattr(first, "close", close)
    recorder_module._close_all()
    assert second.flush(0).pending == 1
    monkeypatch.undo()
    first.close()
