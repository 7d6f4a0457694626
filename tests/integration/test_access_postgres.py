"""Each component does its work with its own login."""

from contextlib import ExitStack, closing

import pytest

from agentruns.models import AgentTask, ProgressUpdate, Status, StoredFile, new_id, utcnow
from agentruns.scoring import SCORERS
from apps.stack import Stack
from apps.stack.servers.postgres import PostgresServer
from storage.access.keys import new_key
from storage.access.postgres import PostgresAccess
from storage.errors import AccessDenied, RecordRejected
from storage.evaluation import EvaluationStore
from storage.evidence import START, PassOrder
from storage.mongo import MongoAdapter
from storage.postgres import PostgresAdapter
from storage.postgres.address import with_login


@pytest.fixture
def as_agent(database_url, agent_id):
    """PostgreSQL as a key of the agent reaches it."""
    key = new_key(agent_id)
    PostgresAccess(database_url).grant(key)
    url = with_login(database_url, key.key_id, key.secret.get_secret_value())
    with closing(PostgresAdapter(url)) as adapter:
        yield adapter


@pytest.fixture
def as_component(stack: Stack, database_url):
    """PostgreSQL as a component reaches it, by name."""
    site = stack._known_site()
    with ExitStack() as opened:

        def adapter(name):
            url = PostgresServer(site).url_of(name)
            own = f"{url.rpartition('/')[0]}/{database_url.rpartition('/')[2]}"
            return opened.enter_context(closing(PostgresAdapter(own)))

        yield adapter


def file_of(task, number):
    return StoredFile(
        agent_id=task.agent_id, task_id=task.id, bucket="screenshots", content_type="image/png",
        object_path=f"{task.agent_id}/{task.id}/{number}.png", size_bytes=1, sha256="0" * 64,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 3, 300], ids=["one", "inserted", "copied"])
def test_an_agent_stores_everything_it_records_and_does_so_again(as_agent, agent_id, count):
    tasks = [AgentTask(agent_id=agent_id, title="x", status="in_progress") for _ in range(3)]
    steps = [ProgressUpdate(task_id=tasks[n % 3].id, agent_id=agent_id) for n in range(count)]
    files = [file_of(tasks[n % 3], n) for n in range(count)]
    for _ in range(2):
        as_agent.store_rows(
            tasks=tasks, progress=steps, files=files, touched=[task.id for task in tasks]
        )
        as_agent.heartbeat([task.id for task in tasks])
    told = tasks[0].model_copy(
        update={"status": Status.COMPLETED, "status_at": utcnow(), "metadata": {"a": 1}}
    )
    as_agent.store_rows(tasks=[told])
    assert as_agent.get_task(told.id).status is Status.COMPLETED
    assert len(as_agent.get_tasks()) == 3
    assert len(as_agent.get_recent_progress(limit=1000)) == count
    assert len(as_agent.get_binary_files(limit=1000)) == count
    assert as_agent.health_check().healthy


def test_an_agent_finds_nothing_of_another_and_stores_nothing_for_it(as_agent, postgres, agent_id):
    other = postgres.create_task("other", "theirs")
    assert list(as_agent.get_tasks()) == list(as_agent.get_tasks(agent_id="other")) == []
    as_agent.store_rows(touched=[other.id])
    as_agent.heartbeat([other.id])
    for told in (
        other,
        other.model_copy(update={"title": "mine"}),
        AgentTask(agent_id="other", title="x"),
    ):
        with pytest.raises(AccessDenied):
            as_agent.store_rows(tasks=[told])
    with pytest.raises(RecordRejected, match="progress_of_own_task"):
        as_agent.add_progress_update(other.id, agent_id)
    assert postgres.get_task(other.id) == other


def test_the_evaluator_judges_twice_with_its_own_login(as_component, postgres, settings, agent_id):
    tasks = [AgentTask(agent_id=agent_id, title="x", status="completed") for _ in range(5)]
    postgres.store_rows(tasks=tasks)
    order, evaluator = PassOrder(tuple(SCORERS)), as_component("evaluator")
    with closing(MongoAdapter(cluster_mode=True, settings=settings)) as mongo:
        store = EvaluationStore(evaluator, mongo)
        for again in (False, True):
            pass_id = new_id()
            with store.only_pass(wait_seconds=5):
                store.open_pass(pass_id, order)
                store.evaluate_batch(pass_id, order, START, 100)
                counts = store.close_pass(pass_id, {})
            assert (counts.evaluated, counts.skipped) == ((0, 5) if again else (5, 0))
            postgres.store_rows(touched=[tasks[0].id] if again else [])
        forced = PassOrder(tuple(SCORERS), force=True)
        store.open_pass(again_id := new_id(), forced)
        assert store.evaluate_batch(again_id, forced, START, 100).evaluated == 5
    assert evaluator.health_check().healthy
    with pytest.raises(AccessDenied):
        evaluator.create_task(agent_id, "x")


def test_the_frontend_answers_that_it_is_healthy(as_component):
    assert as_component("frontend").health_check().healthy


def test_what_the_operator_alone_may_is_refused_to_others_in_our_words(as_agent, stack):
    site = stack._known_site()
    with pytest.raises(AccessDenied, match="rights of its role"):
        PostgresAccess(PostgresServer(site).url_of("evaluator")).add("a")
    with pytest.raises(RecordRejected, match="agents_agent_id_check"):
        PostgresAccess(PostgresServer(site).url_of("operator")).add("A")
