"""`agentruns evaluate`: one evaluation pass."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import prefect_server
from apps.cli.tables import score_text, table
from apps.cli.values import (
    AgentIdFilter,
    Flag,
    GivenTerminal,
    PositiveOrAll,
    ScorerNames,
    Since,
    moment,
)

if TYPE_CHECKING:
    from tasks.evaluation_report import PassResult


def evaluate(  # noqa: PLR0913 - one parameter an option
    *,
    agent: AgentIdFilter = None,
    since: Since = None,
    scorer: ScorerNames = None,
    force: Flag = False,
    limit: PositiveOrAll = None,
    terminal: GivenTerminal,
) -> Answer:
    """Score the ended tasks whose evidence changed since their last evaluation.

    Example: `agentruns evaluate --agent browser-1 --since 7d`

    Args:
        agent: Only the tasks of this agent.
        since: Only tasks with evidence since then: an age (2h, 7d) or an ISO time.
        scorer: Only this scorer; may be repeated.
        force: Evaluate also what is evaluated already.
        limit: At most so many tasks.
        terminal: Where to print.
    """
    with terminal.working("Evaluating"), prefect_server(terminal):
        from flows.evaluate_tasks import evaluate_tasks

        result = evaluate_tasks(
            agent_id=agent,
            since=moment(since, datetime.now(UTC)) if since else None,
            scorers=scorer or None,
            force=force,
            limit=limit,
        )
    code = ExitCode.NOT_GOOD if result.failed else ExitCode.GOOD
    return Answer(result.model_dump(mode="json"), as_text(result), code)


def as_text(result: "PassResult") -> RenderableType:
    """What a pass did, and the mean score by scorer with its interval."""
    counts = (
        f"{result.evaluated} of {result.eligible} ended tasks evaluated, "
        f"{result.skipped} up to date, {result.failed} failed."
    )
    if not result.eligible:
        return "No task has ended yet; 'agentruns tasks list' shows what is recorded."
    rows = [
        (
            name,
            str(score.n),
            score_text(score.mean),
            _interval(score.ci_low, score.ci_high),
            str(score.not_applicable),
            str(score.failed),
        )
        for name, score in result.scores.items()
    ]
    scores = table("Scorer", "Tasks", "Mean", "95 % interval", "Not scored", "Failed", rows=rows)
    return Group(scores, "", counts, "See 'agentruns tasks list' for the score of each task.")


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f} to {high:.2f}"
