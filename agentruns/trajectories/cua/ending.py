"""The end of a cua run: its last errors, what it used, what it said at last."""

from typing import Any

from agentruns.models import ProgressUpdate
from agentruns.trajectories.cua.run import Run
from agentruns.trajectories.values import as_object, text_of


def end_step(
    run: Run, totals: dict[str, Any], items: list[Any], sha256: str = ""
) -> ProgressUpdate:
    """The last update of a completed run, at 100 percent and without a step of its own.

    Args:
        run: where its steps were counted.
        totals: `completed_at`, `total_usage` and `total_turns`, as in metadata.json.
        items: all that the run added to the conversation.
        sha256: of metadata.json, where there is one.
    """
    last = as_object(items[-1]) if items else {}
    answer = text_of(last.get("content")) if last.get("type") == "message" else ""
    data = {"kind": "end", "answer": answer, "total_usage": totals.get("total_usage")}
    data |= {"total_turns": totals.get("total_turns"), "steps": run.calls, "items": len(items)}
    data["usage"] = run.unused(as_object(totals.get("total_usage")))
    return ProgressUpdate(
        id=run.id("end", str(totals.get("completed_at"))),
        task_id=run.task_id,
        agent_id=run.agent_id,
        step=run.calls,
        progress_percent=100,
        message=run.plain(f"completed: {answer}" if answer else "completed"),
        data=run.storable(data | run.origin(run.metadata_path, sha256)).data,
        timestamp=run.moment.time,
    )
