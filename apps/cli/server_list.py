"""How the servers on this machine look."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from apps.cli.tables import table

if TYPE_CHECKING:
    from apps.stack.states import StackStatus

STATE_STYLES = {
    "running": "green",
    "starting": "cyan",
    "stopped": "dim",
    "failed": "bold red",
    "silent": "bold red",
    "unsupervised": "yellow",
}


def as_list(status: "StackStatus") -> RenderableType:
    """One line a server, and what to do next."""
    if not status["servers"]:
        return f"Nothing was ever started in {status['home']}; 'agentruns up' does."
    rows = [
        (
            server["name"],
            Text(server["state"], STATE_STYLES.get(server["state"], "")),
            server["address"],
            server["version"] or "-",
            str(server["pid"] or "-"),
        )
        for server in status["servers"]
    ]
    return Group(
        table("Server", "State", "Address", "Version", "PID", rows=rows), "", _next(status)
    )


def _next(status: "StackStatus") -> Text:
    if not status["ready"]:
        failed = next((each["name"] for each in status["servers"] if each["state"] == "failed"), "")
        why = f" 'agentruns logs {failed}' says why it failed." if failed else ""
        return Text(f"Not everything runs; 'agentruns up' starts what is missing.{why}")
    pages = f"Prefect's pages: {status['prefect_ui']}\n" if status["prefect_ui"] else ""
    return Text(f"{pages}Data and logs: {status['home']}", no_wrap=True, overflow="ignore")
