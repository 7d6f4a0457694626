"""`agentruns evaluate`: one evaluation pass."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType

from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import use_prefect
from apps.cli.tables import score_text, table
from apps.cli.terminal import Terminal
from apps.cli.values import AgentIdFilter, Flag, PositiveOrAll, Since, moment

if TYPE_CHECKING:
    from flows.evaluate_tasks import PassResult


def evaluate(  # noqa: PLR0913 - one parameter an option
    *,
    agent: AgentIdFilter = None,
    since: Since = None,
    scorer: list[str] | None = None,
    force: Flag = False,
    limit: PositiveOrAll = None,
    terminal: Annotated[Terminal, Parameter(parse=False)],
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
    use_prefect(terminal)
    with terminal.working("Evaluating"):
        # Late: the flow brings Prefect, which takes two seconds.
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
        f"{result.evaluated} of {result.eligible} tasks evaluated, "
        f"{result.skipped} skipped, {result.failed} failed."
    )
    if not result.scores:
        return f"{counts} Nothing is new since the last pass; --force evaluates again."
    rows = [
        (
            name,
            str(score.n),
            score_text(score.mean),
            _interval(score.ci_low, score.ci_high),
        )
        for name, score in result.scores.items()
    ]
    scores = table("Scorer", "Tasks", "Mean", "95 % interval", rows=rows)
    return Group(scores, counts, "See 'agentruns tasks list' for the score of each task.")


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f} to {high:.2f}"
