"""What the PostgreSQL adapter promises to those who call it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

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
from storage.errors import RecordNotFound, RecordRejected
from storage.paging import Position
from storage.postgres import PostgresAdapter

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SHA = "a" * 64


@pytest.fixture
def task(postgres, agent_id):
    return postgres.create_task(agent_id=agent_id, title="Book a flight", description="To Rome")


def file_of(task, **fields):
    bucket = fields.pop("bucket", "screenshots")
    return StoredFile(
        **{"content_type": "image/png"} | fields,
        agent_id=task.agent_id,
        task_id=task.id,
        bucket=bucket,
        object_path=object_path(task.agent_id, task.id, SHA, ".png"),
        size_bytes=3,
        sha256=SHA,
    )


def test_the_url_of_the_settings_is_used_when_none_is_given(settings):
    with PostgresAdapter() as postgres:
        assert list(postgres.get_tasks()) == []


def test_making_an_adapter_opens_nothing():
    PostgresAdapter("postgresql://nobody@127.0.0.1:1/nothing").close()


def test_a_created_task_is_found_again(postgres, task):
    assert postgres.get_task(task.id) == task
    assert postgres.get_task(str(task.id)) == task
    assert task.status is Status.PENDING
    assert task.updated_at is not None


def test_an_unknown_task_is_not_found(postgres):
    with pytest.raises(RecordNotFound, match="There is no task with the id"):
        postgres.get_task(uuid4())
    with pytest.raises(RecordNotFound):
        postgres.update_task_status(uuid4(), "completed")


def test_the_times_of_a_task_follow_its_status(postgres, task):
    started = postgres.update_task_status(task.id, "in_progress")
    assert started.started_at == started.status_at
    assert started.finished_at is None
    ended = postgres.update_task_status(task.id, Status.COMPLETED)
    assert ended.started_at == started.started_at
    assert ended.finished_at == ended.status_at


def test_an_interrupted_task_may_go_on(postgres, task):
    postgres.update_task_status(task.id, "in_progress")
    assert postgres.update_task_status(task.id, "interrupted").finished_at is not None
    assert postgres.update_task_status(task.id, "in_progress").finished_at is None


def test_the_status_a_task_has_already_changes_nothing(postgres, task):
    ended = postgres.update_task_status(task.id, "completed")
    assert postgres.update_task_status(task.id, "completed") == ended


def test_a_status_never_goes_back(postgres, task):
    ended = postgres.update_task_status(task.id, "failed")
    for status in ("pending", "in_progress", "completed", "cancelled", "interrupted"):
        with pytest.raises(
            RecordRejected, match=f"is failed already, so it cannot become {status}"
        ):
            postgres.update_task_status(task.id, status)
    assert postgres.get_task(task.id) == ended


def test_progress_is_told_oldest_first(postgres, task):
    first = postgres.add_progress_update(task.id, task.agent_id, 50.0, "Halfway", timestamp=T0)
    later = postgres.add_progress_update(str(task.id), task.agent_id, 100, step=2, data={"a": 1})
    assert list(postgres.get_task_progress(task.id)) == [first, later]
    assert list(postgres.get_recent_progress()) == [later, first]
    assert list(postgres.get_recent_progress(agent_id="other")) == []


def test_verdicts_are_told_newest_first(postgres, task):
    about = {"task_id": task.id, "agent_id": task.agent_id, "scorer": "outcome"}
    first = postgres.create_evaluation(**about, scorer_version="1", score=0.5, created_at=T0)
    later = postgres.create_evaluation(**about, scorer_version="2", score=None)
    assert list(postgres.get_evaluations(task.id)) == [later, first]
    assert list(postgres.get_evaluations(scorer_version="1")) == [first]
    assert list(postgres.get_evaluations(scorer="outcome", agent_id=task.agent_id)) == [
        later,
        first,
    ]
    assert list(postgres.get_evaluations(scorer="other")) == []


def test_a_second_verdict_on_equal_evidence_is_not_kept(postgres, task):
    about = {"task_id": task.id, "agent_id": task.agent_id, "scorer": "s", "scorer_version": "1"}
    postgres.create_evaluation(**about, score=0.5, evidence_digest="x")
    postgres.create_evaluation(**about, score=0.9, evidence_digest="x")
    postgres.create_evaluation(**about, score=0.7, evidence_digest="y")
    assert sorted(verdict.score for verdict in postgres.get_evaluations(task.id)) == [0.5, 0.7]


def test_a_score_of_a_hundred_is_refused_with_the_right_one(postgres, task):
    with pytest.raises(ValueError, match=r"for 85.5 of 100 write 0.855"):
        postgres.create_evaluation(
            task_id=task.id, agent_id=task.agent_id, scorer="s", scorer_version="1", score=85.5
        )


def test_files_are_found_by_every_filter(postgres, task):
    picture = postgres.register_binary_file(file_of(task, uploaded_at=T0))
    report = postgres.register_binary_file(
        **file_of(task, bucket="binaries", content_type="application/pdf").model_dump()
    )
    assert list(postgres.get_binary_files()) == [report, picture]
    assert list(postgres.get_binary_files(bucket="screenshots", task_id=task.id)) == [picture]
    assert list(postgres.get_binary_files(content_type="application/pdf")) == [report]
    assert list(postgres.get_binary_files(agent_id="other")) == []


def test_tasks_are_found_by_every_filter(postgres, agent_id):
    tasks = [
        AgentTask(agent_id=agent, title="x", status=status)
        for agent in (agent_id, "other")
        for status in ("completed", "failed")
    ]
    postgres.store_rows(tasks=tasks)
    ids = [task.id for task in tasks]
    assert {task.id for task in postgres.get_tasks(status="completed")} == {ids[0], ids[2]}
    assert {task.id for task in postgres.get_tasks(agent_id=agent_id)} == set(ids[:2])
    assert {task.id for task in postgres.get_tasks("failed", "other")} == {ids[3]}


def pages(read):
    """Every page of a list, one after the other."""
    found, after = [], None
    while True:
        page = read(after)
        found.append(list(page))
        after = page.next
        if after is None:
            return found


def test_pages_hold_every_record_once_although_times_are_equal(postgres, agent_id):
    tasks = [AgentTask(agent_id=agent_id, title=str(n), created_at=T0) for n in range(25)]
    postgres.store_rows(tasks=tasks)
    found = pages(lambda after: postgres.get_tasks(agent_id=agent_id, limit=10, after=after))
    assert [len(page) for page in found] == [10, 10, 5]
    assert {task.id for page in found for task in page} == {task.id for task in tasks}


def test_the_last_page_says_so_when_it_is_just_full(postgres, agent_id):
    postgres.store_rows(tasks=[AgentTask(agent_id=agent_id, title=str(n)) for n in range(10)])
    assert postgres.get_tasks(limit=10).next is None


def test_records_that_come_in_between_neither_shift_nor_repeat_a_page(postgres, task):
    steps = [
        ProgressUpdate(
            task_id=task.id, agent_id=task.agent_id, step=n, timestamp=T0 + timedelta(minutes=n)
        )
        for n in range(30)
    ]
    postgres.store_rows(progress=steps[::2])
    late = iter(steps[1::2])

    def read(after):
        postgres.store_rows(progress=[next(late), next(late)])
        return postgres.get_task_progress(task.id, limit=5, after=after)

    found = [update.step for page in pages(read) for update in page]
    assert found == sorted(set(found))
    assert set(range(0, 30, 2)) <= set(found)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_list_is_never_unbounded(postgres, limit):
    with pytest.raises(ValueError, match="limit must lie between 1 and 1000"):
        postgres.get_tasks(limit=limit)


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("10", id="an offset"),
        pytest.param("é\x00\ud800", id="not ASCII"),
        pytest.param("JyBPUiAxPTE=", id="' OR 1=1"),
        pytest.param("MjAyNi0wMS0wMXxhYmM=", id="no id"),
        pytest.param(Position(utcnow(), new_id(), 2**63).cursor(), id="no position of a record"),
        pytest.param(
            "MjAyNi0wMS0wMXwwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA=", id="no zone"
        ),
    ],
)
def test_a_cursor_that_is_not_ours_is_a_clear_error(postgres, cursor):
    with pytest.raises(ValueError, match="the cursor is unknown"):
        postgres.get_tasks(after=cursor)


HOSTILE = ["' OR 1=1 --", "x\x00y", "\ud800", "%s", "a/../b", "A", "", "a" * 58, "a\n"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_agents_and_statuses_are_refused_before_the_database(postgres, task, text):
    with pytest.raises(ValueError, match="agent_id is not valid"):
        postgres.get_tasks(agent_id=text)
    with pytest.raises(ValueError, match="status is not valid"):
        postgres.get_tasks(status=text)
    with pytest.raises(ValueError, match="id is not valid"):
        postgres.get_task(text)
    with pytest.raises(ValueError, match="bucket is not valid"):
        postgres.get_binary_files(bucket=text)


def test_other_hostile_filters_find_nothing_or_are_refused(postgres, task):
    postgres.register_binary_file(file_of(task))
    for text in ("' OR 1=1 --", "%s", "%(x)s", "", "'; DROP TABLE tasks; --"):
        assert list(postgres.get_binary_files(content_type=text)) == []
        assert list(postgres.get_evaluations(scorer=text)) == []
    for text in ("x\x00y", "\ud800"):
        with pytest.raises(ValueError, match="content_type is not valid"):
            postgres.get_binary_files(content_type=text)
    assert postgres.get_task(task.id).title == task.title


@pytest.mark.parametrize("percent", [101, -1, float("nan"), float("inf")])
def test_a_percentage_out_of_range_keeps_nothing(postgres, task, percent):
    with pytest.raises(ValueError, match="progress_percent"):
        postgres.add_progress_update(task.id, task.agent_id, percent)
    assert list(postgres.get_task_progress(task.id)) == []


def test_progress_of_an_unknown_task_is_rejected(postgres, agent_id):
    with pytest.raises(RecordRejected, match="progress_of_own_task"):
        postgres.add_progress_update(new_id(), agent_id, 1)


def test_extremes_survive_the_way_there_and_back(postgres, agent_id):
    data = {"big": 2**63 - 1, "tiny": 5e-324, "text": "\u2028 \\u0000 'quoted' %s 🎈", "no": None}
    task = postgres.create_task(agent_id=agent_id, title="🎈" * 500, metadata=data)
    assert postgres.get_task(task.id).metadata == data
    update = postgres.add_progress_update(task.id, agent_id, data=data)
    assert next(iter(postgres.get_task_progress(task.id))) == update


def test_an_error_in_a_transaction_rolls_all_of_it_back(postgres, task):
    def spoil():
        with postgres.connection() as connection:
            connection.execute("UPDATE tasks SET title = 'spoilt'")
            raise KeyError

    with pytest.raises(KeyError):
        spoil()
    assert postgres.get_task(task.id) == task


def test_a_closed_adapter_opens_again_on_use(postgres, task):
    postgres.close()
    postgres.close()
    assert postgres.get_task(task.id) == task


def test_a_healthy_server_says_so(postgres):
    health = postgres.health_check()
    assert (health.name, health.healthy) == ("postgres", True)
    assert health.latency_ms < 2000


def test_everything_returned_is_a_frozen_model(postgres, task):
    verdict = postgres.create_evaluation(
        task_id=task.id, agent_id=task.agent_id, scorer="s", scorer_version="1", score=1
    )
    assert isinstance(verdict, Evaluation)
    with pytest.raises(ValueError, match="frozen"):
        verdict.score = 0.1
