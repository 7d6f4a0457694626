"""Batches of records: repeatable, all or nothing, and the same end in whatever order they come."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentruns.models import (
    AgentTask,
    Evaluation,
    ProgressUpdate,
    Status,
    StoredFile,
    new_id,
    object_path,
    utcnow,
)
from storage.errors import RecordRejected
from storage.postgres.transitions import collapsed

T0 = utcnow()
FINAL = {Status.COMPLETED, Status.FAILED, Status.CANCELLED}


def records_of(agent_id, count):
    tasks = [AgentTask(agent_id=agent_id, title=f"task {n}") for n in range(count)]
    return {
        "tasks": tasks,
        "progress": [
            ProgressUpdate(
                task_id=task.id, agent_id=agent_id, message="né 🎈", data={"a": [1, None]}
            )
            for task in tasks
        ],
        "files": [file_of(agent_id, task.id) for task in tasks],
        "evaluations": [
            Evaluation(
                task_id=task.id, agent_id=agent_id, scorer="s", scorer_version="1", score=None
            )
            for task in tasks
        ],
    }


def file_of(agent_id, task_id):
    return StoredFile(
        agent_id=agent_id,
        task_id=task_id,
        bucket="screenshots",
        object_path=object_path(agent_id, task_id, "a" * 64, ".png"),
        content_type="image/png",
        size_bytes=3,
        sha256="a" * 64,
        metadata={"step": 1},
    )


def everything(postgres):
    tables = ("tasks", "task_progress", "binary_file_metadata", "evaluations")
    with postgres.connection() as connection:
        return [connection.execute(f"TABLE {table} ORDER BY id").fetchall() for table in tables]


def evidence_of(postgres, task_id):
    with postgres.connection() as connection:
        found = connection.execute("SELECT evidence_at FROM tasks WHERE id = %s", [task_id])
        return found.fetchone()[0]


@pytest.mark.parametrize("count", [1, 20, 300])
def test_storing_a_batch_twice_changes_nothing(postgres, agent_id, count):
    batch = records_of(agent_id, count)
    postgres.store_rows(**batch)
    before = everything(postgres)
    postgres.store_rows(**batch)
    assert everything(postgres) == before
    assert [len(rows) for rows in before] == [count] * 4


@pytest.mark.parametrize("count", [2, 300])
def test_what_comes_back_equals_what_went_in(postgres, agent_id, count):
    batch = records_of(agent_id, count)
    postgres.store_rows(**batch)
    assert by_id(postgres.get_recent_progress(limit=1000)) == by_id(batch["progress"])
    assert by_id(postgres.get_binary_files(limit=1000)) == by_id(batch["files"])
    assert by_id(postgres.get_evaluations(limit=1000)) == by_id(batch["evaluations"])


def by_id(records):
    return {record.id: record for record in records}


@pytest.mark.parametrize("count", [1, 300])
def test_one_refused_record_keeps_the_whole_batch_out(postgres, agent_id, count):
    batch = records_of(agent_id, count)
    batch["progress"].append(ProgressUpdate(task_id=new_id(), agent_id=agent_id))
    with pytest.raises(RecordRejected, match="progress_of_own_task"):
        postgres.store_rows(**batch)
    assert everything(postgres) == [[], [], [], []]


def test_an_error_never_repeats_what_the_record_says(postgres, agent_id):
    task = postgres.create_task(agent_id=agent_id, title="x")
    spoiled = ProgressUpdate(task_id=task.id, agent_id=agent_id, data={"password": "s3cret"})
    spoiled.data["nul"] = "\x00"
    with pytest.raises(RecordRejected) as refused:
        postgres.store_rows(progress=[spoiled])
    assert "s3cret" not in str(refused.value)


def test_progress_files_and_logs_renew_the_evidence_and_verdicts_do_not(postgres, agent_id):
    task = postgres.create_task(agent_id=agent_id, title="x")
    seen = [evidence_of(postgres, task.id)]
    postgres.create_evaluation(
        task_id=task.id, agent_id=agent_id, scorer="s", scorer_version="1", score=1
    )
    assert evidence_of(postgres, task.id) == seen[-1]
    for news in (
        {"progress": [ProgressUpdate(task_id=task.id, agent_id=agent_id)]},
        {"files": [file_of(agent_id, task.id)]},
        {"touched": {task.id}},
        {"tasks": [task.model_copy(update={"status": Status.COMPLETED})]},
    ):
        postgres.store_rows(**news)
        seen.append(evidence_of(postgres, task.id))
    assert seen == sorted(set(seen))


def test_renewing_the_evidence_moves_no_index_entry(postgres, agent_id):
    """A heap-only update: 200 touches of a task add nothing to any index."""
    task = postgres.create_task(agent_id=agent_id, title="x")
    before = index_size(postgres)
    for _ in range(200):
        postgres.store_rows(touched={task.id})
    assert index_size(postgres) == before


def index_size(postgres):
    with postgres.connection() as connection:
        return connection.execute(
            "SELECT sum(pg_relation_size(indexrelid)) FROM pg_index"
            " WHERE indrelid = 'tasks'::regclass"
        ).fetchone()


def test_writers_that_share_tasks_do_not_get_in_each_others_way(postgres, agent_id):
    tasks = [AgentTask(agent_id=agent_id, title=str(n)) for n in range(20)]
    postgres.store_rows(tasks=tasks)

    def write(number):
        ordered = tasks if number % 2 else tasks[::-1]
        for _ in range(5):
            postgres.store_rows(
                tasks=[task.model_copy(update={"status_at": utcnow()}) for task in ordered[:10]],
                progress=[ProgressUpdate(task_id=task.id, agent_id=agent_id) for task in ordered],
            )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(postgres.get_recent_progress(agent_id=agent_id, limit=1000)) == 400


def test_another_agents_task_is_never_changed(postgres, agent_id):
    task = postgres.create_task(agent_id=agent_id, title="mine")
    theirs = {"agent_id": "other", "title": "theirs", "status": Status.COMPLETED}
    postgres.store_rows(tasks=[task.model_copy(update=theirs)])
    assert postgres.get_task(task.id) == task


def test_an_end_told_late_counts_although_the_task_was_thought_interrupted(postgres, agent_id):
    """The agent's last words may still lie in its spool when somebody notices the silence."""
    task = AgentTask(agent_id=agent_id, title="x", status="in_progress", status_at=T0)
    later = {"status": Status.INTERRUPTED, "status_at": T0 + timedelta(minutes=5)}
    ended = {"status": Status.COMPLETED, "status_at": T0 + timedelta(minutes=1)}
    for told in (task, task.model_copy(update=later), task.model_copy(update=ended)):
        postgres.store_rows(tasks=[told])
    found = postgres.get_task(task.id)
    assert (found.status, found.finished_at) == (Status.COMPLETED, T0 + timedelta(minutes=1))


def test_finished_stays_finished(postgres, agent_id):
    for final in FINAL:
        task = AgentTask(agent_id=agent_id, title="x", status=final, status_at=T0)
        postgres.store_rows(tasks=[task])
        for status in set(Status) - {final}:
            for minutes in (-1, 1):
                at = T0 + timedelta(minutes=minutes)
                told = task.model_copy(update={"status": status, "status_at": at})
                postgres.store_rows(tasks=[told])
        assert postgres.get_task(task.id).status is final


@st.composite
def histories(draw):
    """What may be told of one task: any states at any times, of its ends only one."""
    end = draw(st.sampled_from(sorted(FINAL)))
    steps = st.tuples(
        st.sampled_from([*sorted(set(Status) - FINAL), end]),
        st.integers(0, 5),
        st.booleans(),
        st.integers(0, 2),
    )
    return draw(st.lists(steps, min_size=1, max_size=7))


@settings(
    max_examples=60,
    deadline=None,
    # Each example is about a task of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories(), data=st.data())
def test_the_order_in_which_states_arrive_makes_no_difference(postgres, agent_id, history, data):
    repeated = data.draw(st.permutations([*history, *history]))
    cuts = data.draw(st.lists(st.booleans(), min_size=len(repeated), max_size=len(repeated)))
    ends = [
        told(postgres, agent_id, order, cut)
        for order, cut in ((history, [True] * len(history)), (repeated, cuts))
    ]
    assert ends[0] == ends[1]


def told(postgres, agent_id, history, cuts):
    """What is known of a task after this history came in batches, cut where `cuts` says."""
    task_id, batch = new_id(), []
    for step, cut in zip(history, cuts, strict=True):
        batch.append(state(task_id, agent_id, *step))
        if cut:
            postgres.store_rows(tasks=batch)
            batch = []
    postgres.store_rows(tasks=batch)
    found = postgres.get_task(task_id)
    return found.model_dump(exclude={"id", "updated_at"})


def state(task_id: UUID, agent_id, status, minute, timed, born):
    at = T0 + timedelta(minutes=minute)
    return AgentTask(
        id=task_id,
        agent_id=agent_id,
        title=f"{status} at {minute}",
        description="timed" if timed else None,
        status=status,
        status_at=at,
        # Equal states say the same of what both speak of.
        metadata={"last": f"{status} at {minute}", f"{status} {minute} {timed} {born}": True},
        created_at=T0 - timedelta(minutes=born),
        started_at=at if timed and status is not Status.PENDING else None,
    )


@given(history=histories())
def test_a_batch_is_collapsed_to_one_state_a_task(history):
    task_id = new_id()
    states = [state(task_id, "agent1", *step) for step in history]
    assert len(collapsed(states)) == 1
    assert collapsed(states) == collapsed(states[::-1])


def test_the_earliest_creation_gives_a_task_its_words_whenever_it_is_told(postgres, agent_id):
    real = AgentTask(agent_id=agent_id, title="Book a flight", description="To Rome")
    joined = real.model_copy(
        update={
            "title": "a recorder inside",
            "description": None,
            "status": Status.PENDING,
            "created_at": real.created_at + timedelta(seconds=2),
            "metadata": {"parent": "shell"},
        }
    )
    real = real.model_copy(update={"status": Status.IN_PROGRESS, "metadata": {"pid": 7}})
    for order in ([real, joined], [joined, real]):
        for told in order:
            postgres.store_rows(tasks=[told.model_copy(update={"id": order[0].id})])
        found = postgres.get_task(order[0].id)
        assert found.metadata == {"pid": 7, "parent": "shell"}
        assert (found.title, found.description) == ("Book a flight", "To Rome")
        assert (found.status, found.created_at) == (Status.IN_PROGRESS, real.created_at)


@pytest.mark.parametrize("count", [2, 300])
def test_the_place_among_everything_said_is_kept(postgres, agent_id, count):
    task = postgres.create_task(agent_id=agent_id, title="x")
    steps = [
        ProgressUpdate(task_id=task.id, agent_id=agent_id, sequence=number, timestamp=T0)
        for number in range(count, 0, -1)
    ]
    files = [file_of(agent_id, task.id).model_copy(update={"sequence": 2**62 + 1})]
    postgres.store_rows(progress=steps, files=files)
    assert list(postgres.get_task_progress(task.id, limit=1000)) == steps[::-1]
    first = postgres.get_task_progress(task.id, limit=1)
    assert postgres.get_task_progress(task.id, limit=1, after=first.next).items == (steps[-2],)
    assert by_id(postgres.get_binary_files(task_id=task.id)) == by_id(files)


def test_a_heartbeat_counts_for_runs_in_progress_and_moves_no_index_entry(postgres, agent_id):
    running = postgres.create_task(agent_id=agent_id, title="x", status=Status.IN_PROGRESS)
    ended = postgres.create_task(agent_id=agent_id, title="x", status=Status.FAILED)
    before = index_size(postgres)
    for _ in range(200):
        postgres.heartbeat([running.id, ended.id])
    assert index_size(postgres) == before
    assert (heartbeat_of(postgres, running.id), heartbeat_of(postgres, ended.id)) == (True, False)
    assert postgres.get_task(running.id) == running


def heartbeat_of(postgres, task_id):
    with postgres.connection() as connection:
        found = connection.execute(
            "SELECT heartbeat_at > evidence_at FROM tasks WHERE id = %s", [task_id]
        )
        return bool(found.fetchone()[0])
