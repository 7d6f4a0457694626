"""`agentruns record`: run a command and keep what it does."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.echoing import Echo
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.prefect_server import prefect_server
from apps.cli.tables import status_text
from apps.cli.values import AgentIdOption, Attempts, Folders, GivenTerminal, PlainText

if TYPE_CHECKING:
    from agentruns.recording.run_record import RunRecord


ENDINGS = {126: "the command is not executable", 127: "there is no such command"}
KINDS = {
    "progress": "steps",
    "logs": "log entries",
    "memories": "memories",
    "files": "files",
}


def record(
    *command: PlainText,
    agent: AgentIdOption,
    title: PlainText | None = None,
    watch: Folders = None,
    attempts: Attempts = 1,
    terminal: GivenTerminal,
) -> Answer:
    """Run a command and record it.

    Its output becomes log entries, new files and trajectories under the watched folders become
    steps, screenshots and files, its exit code becomes the status of the task.

    Exit code 0 when the command completed, 1 when it failed, 3 when records could not be stored.

    Example: `agentruns record --agent browser-1 --watch trajectories -- python agent.py`

    Args:
        command: The command to run, after `--`; no shell is involved.
        agent: Whose run it is; the first run makes the agent known.
        title: What the agent is asked to do; the command by default.
        watch: A folder in which the agent leaves files; may be repeated.
        attempts: Run the command again while it fails, at most so often.
        terminal: Where to print.
    """
    if not command:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            "there is no command to record; put it after '--', for example "
            "'agentruns record --agent browser-1 -- python agent.py'.",
        )
    # Late: it brings pydantic.
    from agentruns.cleaning import redact
    from agentruns.recording.echo import echoed_to
    from agentruns.recording.withheld import withheld_secrets

    with (
        prefect_server(terminal),
        echoed_to(Echo(terminal)),
        withheld_secrets(command) as shown,
    ):
        from flows.record_agent_run import record_agent_run

        run = record_agent_run(
            agent_id=agent,
            # Prefect keeps the parameters for everybody to see.
            command=shown,
            title=redact(title).value,
            watch=[str(folder) for folder in watch or ()],
            attempts=attempts,
        )
    return Answer(run.model_dump(mode="json"), as_text(run), code_of(run))


def code_of(run: "RunRecord") -> ExitCode:
    """Records that reached no store count more than how the command ended."""
    if run.pending:
        return ExitCode.AWAY
    return ExitCode.GOOD if run.status == "completed" else ExitCode.NOT_GOOD


def as_text(run: "RunRecord") -> Text:
    """What became of the run, what is stored of it, and where to look."""
    lines = [
        Text.assemble(status_text(run.status), f": {_ending(run.exit_code)}", _attempts(run)),
        Text(_stored(run)),
        *_losses(run),
        Text(f"See it with 'agentruns tasks show {run.task_id}'."),
    ]
    return Text("\n", no_wrap=True, overflow="ignore").join(lines)


def _ending(code: int) -> str:
    """An exit code in the words of the shell's convention."""
    if code > 128:
        return f"the command was killed by signal {code - 128}"
    return ENDINGS.get(code, f"the command ended with exit code {code}")


def _stored(run: "RunRecord") -> str:
    counts = run.delivered.model_dump()
    kinds = [f"{counts[kind]} {words}" for kind, words in KINDS.items() if counts[kind]]
    return f"Stored: the task, {', '.join(kinds)}." if kinds else "Stored: the task."


def _attempts(run: "RunRecord") -> str:
    return f" after {run.attempts} attempts" if run.attempts > 1 else ""


def _losses(run: "RunRecord") -> Iterator[Text]:
    if run.pending:
        yield Text(f"{run.pending} records reached no store: one was away for too long.", "red")
    if run.rejected:
        yield Text(f"{run.rejected} records were refused by a store.", "yellow")
