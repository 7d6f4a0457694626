"""What goes by the policies and what stays, for people who look into Prefect."""

from storage.retention import PolicyReport, RetentionReport
from tasks.markdown import plain, table

NOTHING = "There is no policy that is enabled: nothing is deleted."


def as_markdown(report: RetentionReport) -> str:
    """The page that people open in Prefect; it names no title of what went."""
    if not report.policies:
        return f"{NOTHING}\n"
    head = "Deleted for good." if report.applied else "**Nothing was deleted.** This would go:"
    return "\n\n".join([head, *map(_of_policy, report.policies)]) + "\n"


def _of_policy(report: PolicyReport) -> str:
    parts = [f"## {plain(report.policy)}"]
    if report.rows:
        parts.append(f"{report.rows} rows of our own ({report.kind}).")
    if report.agents:
        rows = [
            (one.agent_id, one.tasks, one.rows, one.documents, one.objects, one.size_bytes)
            for one in report.agents
        ]
        heads = ("agent", "tasks", "rows", "documents", "objects", "bytes")
        parts.append(table(heads, rows))
    if report.kept:
        rows_kept = [(one.reason, one.tasks, one.such_as) for one in report.kept]
        parts.append(table(("kept because", "tasks", "such as"), rows_kept))
    if report.left:
        parts.append(f"**{report.left} tasks are not gone yet**; the next run ends them.")
    return "\n\n".join(parts if len(parts) > 1 else [*parts, "Nothing."])
