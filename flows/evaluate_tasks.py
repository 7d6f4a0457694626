"""Score every ended task whose evidence changed since its last evaluation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger
from pydantic import AwareDatetime, Field

from agentruns.scoring import select_scorers
from storage.arguments import checked_agent_id
from storage.evaluation import BatchResult
from storage.evidence import BATCH_SIZE, PassOrder
from tasks.evaluation import close_pass, evaluate_batch, only_pass, open_pass, worst_verdicts
from tasks.evaluation_report import PassResult, as_markdown, errors_of

#: More than any pass judges.
NO_LIMIT = 2**31 - 1


@flow(timeout_seconds=4 * 3600, persist_result=False)
def evaluate_tasks(  # noqa: PLR0913 - the fields of the form in Prefect's UI
    *,
    agent_id: str | None = None,
    since: AwareDatetime | None = None,
    scorers: list[str] | None = None,
    force: bool = False,
    limit: Annotated[int, Field(ge=1)] | None = None,
    batch_size: Annotated[int, Field(ge=1, le=50_000)] = BATCH_SIZE,
) -> PassResult:
    """Score every ended task whose evidence changed since its last evaluation.

    A pass never overlaps another: it waits until that has ended. It may be stopped at any point;
    the next one goes on with what is missing.

    Args:
        agent_id: Only the tasks of this agent.
        since: Only tasks of which something was stored since then.
        scorers: Only these scorers; all of them when empty.
        force: Evaluate also what has been evaluated on all its evidence.
        limit: Evaluate at most so many tasks; the next pass goes on with the others.
        batch_size: Tasks a step; the default is about a second of work.
    """
    order = _order(agent_id, since, scorers, force, batch_size)
    with only_pass():
        pass_id = open_pass(order)
        done = _evaluate(pass_id, order, limit or NO_LIMIT)
        errors = errors_of(done.tallies)
        result = PassResult.of(pass_id, close_pass(pass_id, errors), done.tallies)
    _tell(order, done, errors, result)
    return result


def _order(
    agent_id: str | None,
    since: datetime | None,
    scorers: Sequence[str] | None,
    force: bool,
    batch_size: int,
) -> PassOrder:
    names = tuple(scorer.name for scorer in select_scorers(scorers))
    agent_id = agent_id and checked_agent_id(agent_id)
    return PassOrder(names, agent_id, since, force, batch_size)


def _evaluate(pass_id: UUID, order: PassOrder, limit: int) -> BatchResult:
    """Batch after batch, until no task is left or the limit is reached."""
    done = BatchResult()
    while done.reached is not None and done.judged < limit:
        done += evaluate_batch(pass_id, order, done.reached, limit - done.judged)
    return done


def _tell(order: PassOrder, done: BatchResult, errors: dict[str, str], result: PassResult) -> None:
    for name, error in errors.items():
        get_run_logger().error("Scorer %s %s", name, error)
    create_markdown_artifact(
        key="evaluation-pass",
        description=f"{result.evaluated} of {result.eligible} tasks evaluated",
        markdown=as_markdown(result, errors, worst_verdicts(order, done)),
    )
