"""The calls of the original design, as it writes them, with nothing but the environment set."""

from urllib.request import urlopen
from uuid import UUID

import pytest

from storage import MinIOAdapter, MongoAdapter, PostgresAdapter
from storage.errors import RecordNotFound
from tests.unit.cua_folders import png

PNG = png(1)

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture
def task_id(agent_id: str) -> UUID:
    """A task with something to find."""
    with PostgresAdapter() as pg:
        return pg.create_task(agent_id=agent_id, title="Book a flight", description="To Oslo").id


def test_a_frontend_asks_postgresql_for_tasks_progress_and_scores(
    agent_id: str, task_id: UUID
) -> None:
    pg = PostgresAdapter()
    pg.update_task_status(task_id, "in_progress")
    update = pg.add_progress_update(task_id, agent_id, 50.0, "Halfway")
    pg.update_task_status(task_id, "completed")
    verdict = pg.create_evaluation(
        task_id=task_id, agent_id=agent_id, scorer="human", scorer_version="1", score=0.85
    )

    assert [task.id for task in pg.get_tasks(status="completed", limit=100)] == [task_id]
    assert pg.get_task(task_id).description == "To Oslo"
    assert list(pg.get_task_progress(task_id)) == [update]
    assert list(pg.get_recent_progress()) == [update]
    assert list(pg.get_evaluations(task_id=task_id)) == [verdict]
    assert pg.health_check().healthy
    pg.close()


def test_lists_of_tasks_go_on_where_the_cursor_says(agent_id: str) -> None:
    with PostgresAdapter() as pg:
        made = {pg.create_task(agent_id=agent_id, title=str(number)).id for number in range(5)}
        first = pg.get_tasks(agent_id=agent_id, limit=3)
        rest = pg.get_tasks(agent_id=agent_id, after=first.next)
    assert [len(first), len(rest)] == [3, 2]
    assert {task.id for task in (*first, *rest)} == made


def test_a_score_out_of_100_is_refused_with_the_score_that_is_meant(
    agent_id: str, task_id: UUID
) -> None:
    verdict = {"task_id": task_id, "agent_id": agent_id, "scorer": "human", "scorer_version": "1"}
    with PostgresAdapter() as pg, pytest.raises(ValueError, match=r"85.5 of 100 write 0.855"):
        pg.create_evaluation(**verdict, score=85.5)


def test_an_agent_writes_logs_and_memories_and_an_evaluator_reads_those_of_all(
    agent_id: str,
) -> None:
    agents = [f"{agent_id}-1", f"{agent_id}-2"]
    errors = []
    for agent in agents:
        mongo = MongoAdapter(agent_id=agent)
        mongo.write_log("opened the page")
        errors.append(mongo.write_log("the page is gone", level="error", url="https://example.org"))
        memory = mongo.write_memory("prefers aisle seats", memory_type="observation")
        assert [entry.message for entry in mongo.read_logs(level="error")] == ["the page is gone"]
        assert list(mongo.read_memories()) == [memory]
        assert mongo.health_check().healthy
        mongo.close()

    mongo = MongoAdapter(cluster_mode=True)
    page = mongo.read_all_agent_logs(agents, level="error")
    assert sorted(page, key=lambda entry: entry.agent_id) == errors
    assert not page.missing
    assert mongo.health_check().healthy
    mongo.close()


def test_a_screenshot_is_uploaded_registered_found_and_opened_by_a_browser(
    agent_id: str, task_id: UUID
) -> None:
    pg = PostgresAdapter()
    minio = MinIOAdapter(agent_id=agent_id, postgres_adapter=pg)
    path = minio.upload_screenshot(file_data=PNG, task_id=task_id)
    report = minio.upload_file(b"%PDF-1.7", task_id=task_id, filename="report.pdf")

    (row,) = pg.get_binary_files(bucket="screenshots", task_id=task_id)
    assert (row.object_path, row.size_bytes) == (path, len(PNG))
    assert {file.object_path for file in pg.get_binary_files(agent_id=agent_id)} == {path, report}
    assert list(pg.get_binary_files(content_type="image/png", task_id=task_id)) == [row]
    url = minio.get_presigned_url("screenshots", path, expires_seconds=3600)
    with urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        assert (answer.headers["Content-Type"], answer.read()) == ("image/png", PNG)
    assert minio.download_screenshot(path) == PNG
    assert minio.health_check().healthy
    minio.delete("screenshots", path)
    with pytest.raises(RecordNotFound):
        minio.download_screenshot(path)
    minio.close()
    pg.close()


def test_an_object_that_somebody_else_put_is_registered(agent_id: str, task_id: UUID) -> None:
    with PostgresAdapter() as pg:
        digest = "0" * 64
        file = pg.register_binary_file(
            agent_id=agent_id,
            task_id=task_id,
            bucket="binaries",
            object_path=f"{agent_id}/{task_id}/{digest}.bin",
            content_type="application/octet-stream",
            size_bytes=3,
            sha256=digest,
        )
        assert list(pg.get_binary_files(bucket="binaries", task_id=task_id)) == [file]
