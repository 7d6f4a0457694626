"""The evaluation flow, from its parameters to the page that it leaves in Prefect."""

import logging
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.exceptions import ParameterTypeError

from agentruns.models import AgentTask, Status
from agentruns.scoring import SCORERS, Score, Scorer, TaskEvidence
from flows.evaluate_tasks import evaluate_tasks
from storage.evaluation import TaskVerdict
from storage.stores import Stores
from tasks.evaluation_report import PassResult, as_markdown


@pytest.fixture
def tasks(stores: Stores, agent_id: str) -> list[AgentTask]:
    tasks = [
        AgentTask(agent_id=agent_id, title=f"Book a flight to {status}", status=status)
        for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.IN_PROGRESS)
    ]
    stores.writer.write(tasks)
    return tasks


def test_a_pass_returns_its_counts_and_scores_and_the_next_has_nothing_to_do(
    tasks: list[AgentTask],
) -> None:
    first = evaluate_tasks(batch_size=2)
    assert (first.eligible, first.evaluated, first.skipped, first.failed) == (3, 3, 0, 0)
    assert list(first.scores) == list(SCORERS)
    outcome = first.scores["outcome"]
    assert (outcome.n, outcome.mean, outcome.ci_low, outcome.ci_high) == (2, 0.5, 0.0, 1.0)
    assert outcome.not_applicable == 1
    second = evaluate_tasks()
    assert (second.evaluated, second.skipped) == (0, 3)
    assert second.scores == first.scores
    assert second.pass_id != first.pass_id


def test_the_page_in_prefect_shows_scores_and_the_worst_tasks(tasks: list[AgentTask]) -> None:
    evaluate_tasks(scorers=["outcome"])
    page = _latest_page()
    assert "| outcome | 2 | 0.500 | 0.000 to 1.000 | 1 | 0 |" in page
    assert str(tasks[1].id) in page


def test_a_broken_scorer_is_logged_once_with_its_name(
    tasks: list[AgentTask], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_evidence: TaskEvidence) -> Score:
        raise ZeroDivisionError("by design")

    monkeypatch.setitem(SCORERS, "broken", Scorer("broken", "1", broken))
    with caplog.at_level(logging.ERROR):
        result = evaluate_tasks(batch_size=1)
    assert (result.evaluated, result.failed) == (0, 3)
    assert result.scores["broken"].failed == 3
    assert result.scores["outcome"].n == 2
    said = [record.getMessage() for record in caplog.records if "broken" in record.getMessage()]
    assert said == [
        "Scorer broken could not judge 3 tasks, the first because of ZeroDivisionError: by design"
    ]


def test_narrowing_parameters_reach_the_stores(tasks: list[AgentTask], agent_id: str) -> None:
    assert evaluate_tasks(agent_id="nobody").eligible == 0
    assert evaluate_tasks(agent_id=agent_id, limit=1).evaluated == 1
    assert evaluate_tasks(agent_id=agent_id, force=True).evaluated == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"scorers": ["style"]}, "the scorers are efficiency, outcome, overall, stability"),
        ({"agent_id": "../etc"}, "is not an agent id"),
        ({"limit": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_parameters_are_refused_in_a_sentence(
    stores: Stores, wrong: dict[str, object], words: str
) -> None:
    with pytest.raises((ValueError, ParameterTypeError), match=words):
        evaluate_tasks(**wrong)  # type: ignore[arg-type] # wrong by design


def test_what_agents_wrote_is_only_text_on_the_page() -> None:
    worst = TaskVerdict(uuid4(), "a", "![x](http://evil/p.png) | <img>\n# head", "failed", 0.0, "")
    empty = PassResult(pass_id=uuid4(), eligible=0, evaluated=0, skipped=0, failed=0, scores={})
    page = as_markdown(empty, {}, [worst])
    assert r"\!\[x\]\(http://evil/p.png\) \| \<img\> \# head" in page


def _latest_page() -> str:
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["evaluation-pass"]))
    with get_client(sync_client=True) as client:
        pages = client.read_artifacts(artifact_filter=wanted)
    return str(max(pages, key=lambda page: page.created or 0).data)
