"""`agentruns up`, `down`, ...: the servers on this machine."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentruns.home import home
from apps.cli.answer import Answer
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.first_deploy import deploy_once
from apps.cli.server_list import as_list
from apps.cli.terminal import Terminal, readable
from apps.cli.values import Flag, GivenTerminal, Positive

if TYPE_CHECKING:
    from apps.stack.stack import Stack
    from apps.stack.states import StackStatus

COMPONENTS = ("operator", "evaluator", "frontend")
ServerName = Literal["mongodb", "postgres", "minio", "prefect", "worker"]


def up(*, terminal: GivenTerminal) -> Answer:
    """Start MongoDB, PostgreSQL, MinIO, the Prefect server and a worker on this machine.

    Harmless when they run already. The first time MinIO may have to be built, which takes
    minutes, and the flows are deployed.

    Example: `agentruns up`

    Args:
        terminal: Where to print.
    """
    stack = _stack(terminal)
    with terminal.working("Starting the servers"):
        state = stack.up()
        deploy_once(stack, terminal)
    return _state(state)


def down(*, terminal: GivenTerminal) -> Answer:
    """Stop the servers on this machine; their data stays.

    Example: `agentruns down`

    Args:
        terminal: Where to print.
    """
    with terminal.working("Stopping"):
        stopped = _stack(terminal).down()
    return Answer({"stopped": list(stopped)}, _stopped(stopped))


def reset(*, yes: Flag = False, terminal: GivenTerminal) -> Answer:
    """Stop the servers on this machine and delete all their data.

    Example: `agentruns reset --yes`

    Args:
        yes: Really delete; nothing happens without it.
        terminal: Where to print.
    """
    if not yes:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            f"this deletes everything recorded in {home()}; add --yes if you mean it.",
        )
    with terminal.working("Stopping and deleting"):
        stopped = _stack(terminal).reset()
    return Answer({"stopped": list(stopped)}, f"{_stopped(stopped)} The data is deleted.")


def status(*, terminal: GivenTerminal) -> Answer:
    """Say what runs where on this machine; exit code 1 when something is missing.

    Example: `agentruns status`

    Args:
        terminal: Where to print.
    """
    return _state(_stack(terminal).status())


def logs(
    name: ServerName, /, *, follow: Flag = False, lines: Positive = 50, terminal: GivenTerminal
) -> Answer | None:
    """Print the end of a server's log.

    Example: `agentruns logs worker --lines 100`

    Args:
        name: Which server.
        follow: Go on printing until Ctrl-C.
        lines: How many lines to begin with.
        terminal: Where to print.
    """
    if follow and terminal.json:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            "--follow has no end and --json is one document; use one of them.",
        )
    found = _stack(terminal).tail(name, lines, follow=follow)
    if follow:
        _print(found, terminal)
        return None
    text = list(found)
    return Answer({"name": name, "lines": text}, "\n".join(map(readable, text)))


def env(
    *, as_: Annotated[str, Parameter(name="--as")] = "operator", terminal: GivenTerminal
) -> Answer:
    """Print the addresses and credentials of the servers on this machine, for a shell.

    Example: `agentruns env --as evaluator`

    Args:
        as_: Whose: operator, evaluator, frontend, or agent:ID for an agent that was let in here.
        terminal: Where to print.
    """
    kind, _, agent_id = as_.partition(":")
    if kind == "agent":
        values = _agents(agent_id)
    elif as_ in COMPONENTS:
        values = _stack(terminal).environment(as_)
    else:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            f"nobody is called '{readable(as_)}': choose {', '.join(COMPONENTS)} or agent:ID.",
        )
    return Answer(values, _exported(values))


def _agents(agent_id: str) -> dict[str, str]:
    """What the agent's env file on this machine says."""
    # Late: it brings pydantic.
    from dotenv import dotenv_values

    from storage.access.credentials import credentials_file

    file = credentials_file(agent_id)
    if not file.exists():
        raise CommandError(
            ExitCode.WRONG_USAGE,
            f"no key of {agent_id} is kept here: run 'agentruns agents add {agent_id}'.",
        )
    return {name: value or "" for name, value in dotenv_values(file).items()}


def _stack(terminal: Terminal) -> "Stack":
    # Late: the servers bring what starts and asks them.
    from apps.stack.stack import Stack

    return Stack(home(), say=terminal.say)


def _state(status: "StackStatus") -> Answer:
    code = ExitCode.GOOD if status["ready"] else ExitCode.NOT_GOOD
    return Answer(status, as_list(status), code)


def _stopped(names: Sequence[str]) -> str:
    return f"Stopped {', '.join(names)}." if names else "Nothing was running."


def _print(lines: Iterable[str], terminal: Terminal) -> None:
    for line in lines:
        terminal.out.print(readable(line), soft_wrap=True)


def _exported(values: Mapping[str, str]) -> str:
    """Lines that any shell reads, each value in single quotes."""
    quoted = {name: value.replace("'", "'\\''") for name, value in values.items()}
    return "\n".join(f"export {name}='{value}'" for name, value in quoted.items())
