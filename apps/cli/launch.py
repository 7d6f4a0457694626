"""From the words a user typed to an exit code: parse, run, print, explain."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Annotated

from cyclopts import CycloptsError, Parameter

from apps.cli.answer import Answer
from apps.cli.app import EVERYWHERE, app
from apps.cli.errors import explain
from apps.cli.exit_codes import ExitCode
from apps.cli.terminal import Terminal, wants_plain

#: What to do after Ctrl-C, by command; nothing that was stored is ever undone.
HOW_TO_GO_ON = {
    "record": "What was recorded so far is kept; 'agentruns tasks list' shows it.",
    "evaluate": "The verdicts so far are kept; run it again for the rest.",
    "up": "Run 'agentruns up' to go on, or 'agentruns down' to stop what runs already.",
}
ANY_COMMAND = "Nothing is half-done; run the same command again to go on."

EveryCommand = Annotated[bool, Parameter(group=EVERYWHERE, show_default=False)]


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    terminal = Terminal(plain=wants_plain(arguments))
    try:
        code: int = app.meta(
            arguments,
            console=terminal.out,
            error_console=terminal.err,
            exit_on_error=False,
            print_error=False,
        )
    except CycloptsError as error:
        terminal.error(
            f"{error} See 'agentruns {' '.join([*(error.command_chain or ()), '--help'])}'."
        )
        return ExitCode.WRONG_USAGE
    except BrokenPipeError:
        # The reader of a pipe left; Python would complain a second time while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.NOT_GOOD
    return code or ExitCode.GOOD


@app.meta.default
def launch(
    *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    json: EveryCommand = False,
    no_color: EveryCommand = False,
    debug: EveryCommand = False,
) -> int:
    """Run a command with the options that every command has.

    Args:
        words: The command, and what belongs to it.
        json: Print exactly one JSON document on stdout, everything else on stderr.
        no_color: Print no colours; setting NO_COLOR does the same.
        debug: Show the traceback of an error, and the logs of Prefect.
    """
    terminal = Terminal(json=json, debug=debug, plain=no_color or wants_plain(()))
    try:
        with nullcontext() if debug else _quiet():
            return _called(words, terminal)
    except KeyboardInterrupt:
        return _stopped(words, terminal)
    except (CycloptsError, BrokenPipeError):
        raise
    except Exception as error:
        # Ctrl-C while pydantic writes JSON comes out as an error of pydantic's.
        if isinstance(error.__cause__, KeyboardInterrupt):
            return _stopped(words, terminal)
        # The last place where an error becomes a sentence.
        return _explained(error, terminal)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the answer or the error says anyway off the terminal."""
    # That a store was asked again matters only when it fails; what a recorder or a delivery says,
    # the answer says.
    names = ("storage.retries", "storage.delivery", "agentruns")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _called(words: Sequence[str], terminal: Terminal) -> int:
    command, bound, ignored = app.parse_args(words, exit_on_error=False, print_error=False)
    extra = {"terminal": terminal} if "terminal" in ignored else {}
    answer = command(*bound.args, **bound.kwargs, **extra)
    # `--help` and `--version` print for themselves.
    if not isinstance(answer, Answer):
        return ExitCode.GOOD
    terminal.answer(answer)
    return answer.code


def _stopped(words: Sequence[str], terminal: Terminal) -> int:
    terminal.say(f"Stopped. {HOW_TO_GO_ON.get(words[0], ANY_COMMAND)}")
    return ExitCode.STOPPED


def _explained(error: Exception, terminal: Terminal) -> int:
    if terminal.debug:
        sys.excepthook(type(error), error, error.__traceback__)
    explanation = explain(error)
    terminal.error(explanation.sentence)
    return explanation.code
