"""The flows of new servers: given to Prefect once, so that starting again is quick."""

from pathlib import Path
from typing import TYPE_CHECKING

from agentruns import __version__
from agentruns.home import home
from apps.cli.prefect_server import quieten
from apps.cli.terminal import Terminal

if TYPE_CHECKING:
    from apps.stack.stack import Stack


def deploy_once(stack: "Stack", terminal: Terminal) -> None:
    """Deploy the flows of this version to the local Prefect server, unless they are there."""
    note = _note()
    if note.exists() and note.read_text() == __version__:
        return
    terminal.say("giving the flows to Prefect")
    quieten(terminal)
    # Late: Prefect takes two seconds.
    from apps.deploying import deploy

    # The settings of this process may belong to another server.
    deploy(stack.environment())
    note.write_text(__version__)


def _note() -> Path:
    # Beside the server's own data, so that a reset takes both.
    from apps.stack.folders import Folders

    return Folders(home()).data / "prefect" / "deployed"
