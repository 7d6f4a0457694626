"""Evaluation passes on the real stores."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from uuid import UUID

import pytest

from agentruns.models import (
    AgentTask,
    AnyRecord,
    Bucket,
    Evaluation,
    Level,
    LogEntry,
    ProgressUpdate,
    Status,
    StoredFile,
    new_id,
    object_path,
)
from agentruns.scoring import SCORERS, LogCounts, Score, Scorer, TaskEvidence
from storage.errors import StoreUnavailable
from storage.evaluation import BatchResult, Counts, EvaluationStore
from storage.evidence import START, PassOrder, gather
from storage.stores import Stores

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ALL = tuple(SCORERS)
PLENTY = 10**6


@pytest.fixture
def evaluation(stores: Stores) -> EvaluationStore:
    return EvaluationStore(stores.postgres, stores.mongo)


def task(agent_id: str, status: Status = Status.COMPLETED, **fields: object) -> AgentTask:
    known: dict[str, object] = {
        "agent_id": agent_id,
        "title": "Book a flight",
        "status": status,
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=60),
    }
    return AgentTask.model_validate(known | fields)


def step(of: AgentTask, number: int | None, seconds: int = 0, **data: object) -> ProgressUpdate:
    return ProgressUpdate(
        task_id=of.id,
        agent_id=of.agent_id,
        step=number,
        progress_percent=10.0 * (number or 0),
        timestamp=NOW + timedelta(seconds=seconds),
        data=data,
    )


def write(stores: Stores, *records: AnyRecord) -> None:
    assert not stores.writer.write(records).rejected


def run(
    evaluation: EvaluationStore, scorers: Sequence[str] = ALL, room: int = PLENTY, **order: object
) -> tuple[Counts, BatchResult]:
    """One pass, as the flow does it."""
    wanted = PassOrder(tuple(scorers), **order)  # type: ignore[arg-type] # each test gives what fits
    pass_id = new_id()
    with evaluation.only_pass(wait_seconds=30):
        evaluation.open_pass(pass_id, wanted)
        total = BatchResult()
        while total.reached is not None and total.judged < room:
            total += evaluation.evaluate_batch(pass_id, wanted, total.reached, room - total.judged)
        return evaluation.close_pass(pass_id, {}), total


def verdicts(stores: Stores, of: UUID) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for verdict in reversed(stores.postgres.get_evaluations(task_id=of, limit=1000)):
        found.setdefault(verdict.scorer, []).append(verdict.score)
    return found


def test_a_pass_judges_every_ended_task_once(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    ended = [task(agent_id, status) for status in sorted(Status) if status.value != "pending"]
    write(stores, *ended, task(agent_id, Status.PENDING))
    counts, total = run(evaluation)
    assert counts == Counts(eligible=4, evaluated=4, skipped=0, failed=0)
    assert total.tallies["outcome"].summary().n == 3
    assert total.tallies["outcome"].not_applicable == 1
    for one in ended:
        expected = {} if one.status is Status.IN_PROGRESS else dict.fromkeys(SCORERS, 1)
        assert {name: len(all_) for name, all_ in verdicts(stores, one.id).items()} == expected
    assert run(evaluation)[0] == Counts(eligible=4, evaluated=0, skipped=4, failed=0)


def test_scores_of_skipped_tasks_are_part_of_the_summary(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    write(stores, task(agent_id), task(agent_id, Status.FAILED))
    first, second = run(evaluation)[1], run(evaluation)[1]
    assert first.tallies == second.tallies
    assert first.worst == second.worst


def test_new_evidence_leads_to_a_new_verdict_beside_the_old(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    one, other = task(agent_id), task(agent_id)
    write(stores, one, other, step(one, 1))
    run(evaluation)
    write(stores, LogEntry(agent_id=agent_id, task_id=one.id, level=Level.ERROR, message="lost"))
    assert run(evaluation)[0] == Counts(eligible=2, evaluated=1, skipped=1, failed=0)
    assert verdicts(stores, one.id)["stability"] == [1.0, 0.5]
    assert len(verdicts(stores, other.id)["stability"]) == 1


def test_equal_evidence_gives_no_second_verdict(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    one = task(agent_id)
    write(stores, one)
    run(evaluation)
    with stores.postgres.connection() as connection:
        connection.execute("UPDATE tasks SET evidence_at = clock_timestamp()")
    assert run(evaluation)[0].evaluated == 1
    assert run(evaluation)[0].skipped == 1
    assert {len(all_) for all_ in verdicts(stores, one.id).values()} == {1}


def test_force_judges_again_and_doubles_nothing(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    one = task(agent_id)
    write(stores, one)
    run(evaluation)
    assert run(evaluation, force=True)[0].evaluated == 1
    assert {len(all_) for all_ in verdicts(stores, one.id).values()} == {1}


def test_another_version_of_a_scorer_judges_again_and_alone(
    stores: Stores,
    evaluation: EvaluationStore,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = task(agent_id)
    write(stores, one)
    run(evaluation)
    monkeypatch.setitem(SCORERS, "outcome", Scorer("outcome", "2", lambda _: Score(0.5, "half")))
    assert run(evaluation)[0].evaluated == 1
    assert verdicts(stores, one.id)["outcome"] == [1.0, 0.5]
    assert len(verdicts(stores, one.id)["overall"]) == 1


@pytest.mark.parametrize("answer", [Score(0.5, "fine", {}), None])
def test_a_broken_scorer_fails_its_own_column_only(
    stores: Stores,
    evaluation: EvaluationStore,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
    answer: Score | None,
) -> None:
    one, other = task(agent_id), task(agent_id, Status.FAILED)
    write(stores, one, other)

    def fragile(evidence: TaskEvidence) -> Score:
        if evidence.status is Status.FAILED or answer is None:
            raise ZeroDivisionError("by design")
        return answer

    monkeypatch.setitem(SCORERS, "fragile", Scorer("fragile", "1", fragile))
    counts, total = run(evaluation, ("fragile", *ALL))
    failed = 1 if answer else 2
    assert counts == Counts(eligible=2, evaluated=2 - failed, skipped=0, failed=failed)
    assert total.tallies["fragile"].failed == failed
    assert total.tallies["fragile"].first_error == "ZeroDivisionError: by design"
    assert set(verdicts(stores, other.id)) == set(ALL)
    # What failed is tried again, what succeeded is not.
    assert run(evaluation, ("fragile", *ALL))[0].failed == failed


@pytest.mark.parametrize(("batch_size", "piece"), [(1, 1), (3, 2), (7, 3), (50, 3), (50, 50)])
def test_batches_of_any_size_reach_every_task_of_every_agent(
    stores: Stores,
    evaluation: EvaluationStore,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
    batch_size: int,
    piece: int,
) -> None:
    monkeypatch.setattr("storage.evidence.PIECE", piece)
    tasks = [task(f"{agent_id}-{number % 3}") for number in range(7)]
    write(stores, *tasks)
    counts, total = run(evaluation, batch_size=batch_size)
    assert counts == Counts(eligible=7, evaluated=7, skipped=0, failed=0)
    assert total.tallies["overall"].n == 7
    assert all(set(verdicts(stores, one.id)) == set(ALL) for one in tasks)


def test_a_limit_counts_what_is_judged(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    write(stores, *(task(agent_id) for _ in range(5)))
    done = [run(evaluation, room=2, batch_size=3)[0] for _ in range(4)]
    assert [counts.evaluated for counts in done] == [2, 2, 1, 0]
    assert done[-1].skipped == 5


def test_agent_and_time_narrow_a_pass(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    write(stores, task(agent_id), task(f"{agent_id}-b"))
    assert run(evaluation, agent_id=agent_id)[0].eligible == 1
    assert run(evaluation, since=datetime.now(UTC) + timedelta(hours=1))[0].eligible == 0
    assert run(evaluation, since=datetime.now(UTC) - timedelta(hours=1))[0].eligible == 2


def test_evidence_is_everything_that_was_recorded(stores: Stores, agent_id: str) -> None:
    one = task(agent_id, metadata={"attempts": 3, "usage": {"total_tokens": 900}})
    picture = b"\x89PNG"
    sha256 = "0" * 64
    file = StoredFile(
        agent_id=agent_id,
        task_id=one.id,
        bucket=Bucket.SCREENSHOTS,
        object_path=object_path(agent_id, one.id, sha256, ".png"),
        content_type="image/png",
        size_bytes=len(picture),
        sha256=sha256,
    )
    usage = {"total_tokens": 7, "response_cost": 0.25}
    logs = [
        LogEntry(agent_id=agent_id, task_id=one.id, level=level, message="x")
        for level in (Level.INFO, Level.INFO, Level.WARNING, Level.CRITICAL)
    ]
    stores.postgres.store_rows(
        tasks=[one],
        files=[file],
        progress=[
            step(one, 1, usage=usage),
            step(one, 2, seconds=10, usage=usage, error="no such button"),
            step(one, 2, seconds=40, error=None),
            step(one, None, seconds=42, error=False),
        ],
    )
    write(stores, *logs)
    [piece] = gather(stores.postgres, stores.mongo, PassOrder(ALL), START, PLENTY)
    assert piece.last
    evidence = piece.tasks[0].evidence
    assert evidence == TaskEvidence(
        task_id=one.id,
        agent_id=agent_id,
        status=Status.COMPLETED,
        evidence_at=evidence.evidence_at if evidence else NOW,
        created_at=one.created_at,
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=60),
        attempts=3,
        updates=4,
        steps=3,
        step_errors=1,
        percent=20.0,
        gap_mean_s=14.0,
        gap_max_s=30.0,
        tokens=900,
        cost=0.5,
        files=1,
        screenshots=1,
        file_bytes=4,
        logs=LogCounts(info=2, warning=1, critical=1),
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"attempts": "many", "usage": "none"},
        {"attempts": -3, "usage": {"total_tokens": "12", "response_cost": [1]}},
        {"attempts": 10**18, "usage": {"total_tokens": 2**62, "response_cost": 1e300}},
        {"attempts": None, "usage": [1, 2]},
    ],
)
def test_strange_metadata_stops_no_batch(
    stores: Stores, evaluation: EvaluationStore, agent_id: str, metadata: dict[str, object]
) -> None:
    one = task(agent_id, metadata=metadata)
    write(stores, one, step(one, 1, **metadata))
    assert run(evaluation)[0].evaluated == 1


def test_a_batch_whose_reply_got_lost_counts_once(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    one = task(agent_id)
    write(stores, one)
    order, pass_id = PassOrder(ALL), new_id()
    evaluation.open_pass(pass_id, order)
    first = evaluation.evaluate_batch(pass_id, order, START, PLENTY)
    again = evaluation.evaluate_batch(pass_id, order, START, PLENTY)
    assert again.tallies == first.tallies
    assert evaluation.close_pass(pass_id, {}) == Counts(1, 1, 0, 0)
    assert {len(all_) for all_ in verdicts(stores, one.id).values()} == {1}


def test_two_passes_at_once_share_nothing(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    write(stores, *(task(agent_id) for _ in range(20)))
    with ThreadPoolExecutor(2) as pool:
        done = [
            future.result()[0]
            for future in [pool.submit(run, evaluation, batch_size=3) for _ in range(2)]
        ]
    assert sorted(counts.evaluated for counts in done) == [0, 20]
    assert sorted(counts.skipped for counts in done) == [0, 20]


def test_a_pass_that_waits_too_long_says_so(evaluation: EvaluationStore) -> None:
    inside, over = Event(), Event()

    def hold() -> None:
        with evaluation.only_pass(wait_seconds=0):
            inside.set()
            over.wait(10)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert inside.wait(10)
        with (
            pytest.raises(StoreUnavailable, match="start this one again"),
            evaluation.only_pass(wait_seconds=0),
        ):
            pass
        over.set()
        holding.result()
    with evaluation.only_pass(wait_seconds=0):
        pass


def test_what_arrives_during_a_pass_is_for_the_next(
    stores: Stores,
    evaluation: EvaluationStore,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = task(agent_id)
    write(stores, one)

    def meanwhile(evidence: TaskEvidence) -> Score:
        if not evidence.updates:
            write(stores, step(one, 1))
        return Score(min(1.0, evidence.updates), "how much was known")

    monkeypatch.setitem(SCORERS, "meanwhile", Scorer("meanwhile", "1", meanwhile))
    assert [run(evaluation, ("meanwhile",))[0].evaluated for _ in range(3)] == [1, 1, 0]
    assert verdicts(stores, one.id)["meanwhile"] == [0.0, 1.0]


def test_new_and_old_tasks_in_one_batch_find_their_way(
    stores: Stores,
    evaluation: EvaluationStore,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("storage.evidence.PIECE", 2)
    old = [task(agent_id) for _ in range(6)]
    write(stores, *old)
    run(evaluation)
    write(stores, *(task(agent_id) for _ in range(5)), step(old[0], 1), step(old[5], 1))
    assert run(evaluation)[0] == Counts(eligible=11, evaluated=7, skipped=4, failed=0)
    assert verdicts(stores, old[5].id)["stability"] == [None, 1.0]


def test_a_verdict_that_somebody_stores_meanwhile_is_no_obstacle(
    stores: Stores,
    evaluation: EvaluationStore,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = task(agent_id)
    write(stores, one)

    def beaten(evidence: TaskEvidence) -> Score:
        same = {"scorer": "beaten", "scorer_version": "1", "score": 1.0}
        about = {"task_id": one.id, "agent_id": agent_id, "evidence_digest": evidence.digest()}
        write(stores, Evaluation.model_validate(same | about))
        return Score(1.0, "the same")

    monkeypatch.setitem(SCORERS, "beaten", Scorer("beaten", "1", beaten))
    assert run(evaluation, ("beaten",))[0] == Counts(1, 1, 0, 0)
    assert run(evaluation, ("beaten",))[0].skipped == 1
    assert verdicts(stores, one.id)["beaten"] == [1.0]


def test_the_pass_is_kept_with_its_counts_and_errors(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    write(stores, task(agent_id))
    order, pass_id = PassOrder(("outcome",), since=NOW), new_id()
    evaluation.open_pass(pass_id, order)
    evaluation.evaluate_batch(pass_id, order, START, PLENTY)
    evaluation.close_pass(pass_id, {"outcome": "1 task: ValueError"})
    with stores.postgres.connection() as connection:
        row = connection.execute(
            "SELECT scorers, parameters->>'since', eligible, evaluated, errors,"
            " finished_at >= started_at FROM evaluation_passes WHERE id = %s",
            [pass_id],
        ).fetchone()
    expected = ({"outcome": "1"}, NOW.isoformat(), 1, 1, {"outcome": "1 task: ValueError"}, True)
    assert json.dumps(row) == json.dumps(expected)


def test_the_worst_tasks_are_told_with_title_and_reason(
    stores: Stores, evaluation: EvaluationStore, agent_id: str
) -> None:
    good, bad = task(agent_id), task(agent_id, Status.FAILED, title="Pay the bill")
    write(stores, good, bad)
    _, total = run(evaluation)
    ids = [task_id for _, task_id in total.worst]
    assert ids == [bad.id, good.id]
    worst = evaluation.verdicts_of(ids, SCORERS["outcome"])
    assert [(one.title, one.score) for one in worst] == [
        ("Pay the bill", 0.0),
        ("Book a flight", 1.0),
    ]
