"""`agentruns record`: run a command and keep what it does."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from rich.text import Text

from apps.cli.answer import Answer
from apps.cli.delivery_log import why_it_waits
from apps.cli.echoing import Echo
from apps.cli.errors import CommandError
from apps.cli.exit_codes import ExitCode
from apps.cli.tables import status_text
from apps.cli.terminal import Terminal
from apps.cli.values import (
    AgentIdOption,
    Attempts,
    Folders,
    GivenTerminal,
    PlainText,
    Seconds,
    Size,
    TaskIdOption,
    bytes_of,
)

if TYPE_CHECKING:
    from agentruns.commands.plan import RunPlan
    from agentruns.commands.run_record import RunRecord
    from agentruns.recording import Recorder


ENDINGS = {126: "the command is not executable", 127: "there is no such command"}
KINDS = {
    "progress": "steps",
    "logs": "log entries",
    "memories": "memories",
    "files": "files",
}


def record(  # noqa: PLR0913 - the options of the command
    *command: PlainText,
    agent: AgentIdOption,
    title: PlainText | None = None,
    watch: Folders = None,
    attempts: Attempts = 1,
    task: TaskIdOption = None,
    spool: Path | None = None,
    max_spool: Size = None,
    wait: Seconds = 30.0,
    terminal: GivenTerminal,
) -> Answer:
    """Run a command and record it.

    Its output becomes log entries, new files and trajectories under the watched folders become
    steps, screenshots and files, its exit code becomes the status of the task. All of it goes into
    a spool on this machine, from where a delivery takes it to the stores; no store has to be there.

    The exit code is that of the command: 126 when it is not executable, 127 when there is no such
    command, 128 + N when signal N ended it. Wrong usage is 2.

    Signals are passed on. A first Ctrl-C lets the command end by itself, a second one ends it.

    Example: `agentruns record --agent browser-1 --watch trajectories -- python agent.py`

    Args:
        command: The command to run, after `--`; no shell is involved.
        agent: Whose run it is; the first run makes the agent known.
        title: What the agent is asked to do; the command by default.
        watch: A folder in which the agent leaves files; may be repeated.
        attempts: Run the command again while it fails, at most so often.
        task: Record into this task, which somebody has made; a new one by default.
        spool: The folder of the spool; AGENTRUNS_SPOOL or the home of agentruns by default.
        max_spool: What the spool may grow to, such as 2G; when it is full, the command waits.
        wait: Seconds to wait for the delivery at the end; what it has not taken then stays safe.
        terminal: Where to print.
    """
    if not command:
        raise CommandError(
            ExitCode.WRONG_USAGE,
            "there is no command to record; put it after '--', for example "
            "'agentruns record --agent browser-1 -- python agent.py'.",
        )
    # Late: they bring pydantic.
    from agentruns.commands.plan import RunPlan
    from agentruns.models import new_id
    from agentruns.recording import Recorder

    plan = RunPlan(
        task_id=UUID(task) if task else new_id(),
        agent_id=agent,
        command=command,
        title=title or "",
        watch=tuple(folder.absolute() for folder in watch or ()),
        attempts=attempts,
    )
    recorder = Recorder(agent, spool=spool, max_bytes=bytes_of(max_spool), exit_seconds=0)
    run = _recorded(plan, recorder, wait, terminal)
    text = as_text(run, recorder.spool.folder)
    return Answer(run.model_dump(mode="json"), text, run.exit_code)


def _recorded(
    plan: "RunPlan", recorder: "Recorder", wait: float, terminal: Terminal
) -> "RunRecord":
    # Late: see above.
    from agentruns.commands.record_command import Observer, record_command
    from agentruns.commands.run_record import flush_and_close, run_record
    from agentruns.commands.signals import Signals

    signals = Signals()
    with signals.passed_on():
        observer = Observer(Echo(terminal), terminal.say)
        outcome = record_command(plan, recorder, signals, observer)
    with terminal.working("Waiting for the delivery"):
        return run_record(plan, outcome, flush_and_close(recorder, wait))


def as_text(run: "RunRecord", spool: Path) -> Text:
    """What became of the run, what is stored of it, and where to look."""
    lines = [
        Text.assemble(status_text(run.status), f": {_ending(run.exit_code)}", _attempts(run)),
        Text(_stored(run)),
        *_rest(run, spool),
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
    if not counts["tasks"]:
        return f"Stored so far: {', '.join(kinds) or 'nothing'}."
    return f"Stored: the task, {', '.join(kinds)}." if kinds else "Stored: the task."


def _attempts(run: "RunRecord") -> str:
    return f" after {run.attempts} attempts" if run.attempts > 1 else ""


def _rest(run: "RunRecord", spool: Path) -> Iterator[Text]:
    """What is not in the stores, and who will see to it."""
    if run.pending:
        kept = f"{run.pending} records are safe in the spool {spool}; "
        who = (
            "the delivery that runs in the background brings them to the stores."
            if run.delivering
            else f"nobody delivers them yet: run 'agentruns deliver --spool {spool}'."
        )
        yield Text(kept + who, "yellow")
        if run.delivering and (why := why_it_waits(spool)):
            yield Text(f"It waits: {why}", "yellow")
    if run.rejected:
        yield Text(
            f"{run.rejected} records were refused by a store: "
            f"see them with 'agentruns spool rejected --spool {spool}'.",
            "yellow",
        )
    if run.lost:
        yield Text(f"{run.lost} records are lost: the spool had no room until the end.", "red")
