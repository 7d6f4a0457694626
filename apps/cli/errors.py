"""Every error a command may meet, as an exit code and a sentence."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from apps.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pydantic import ValidationError


#: The exit code and the words for an error; None when it is of another kind.
Found = tuple[ExitCode, str] | None

PREFECT_AWAY = (
    "the Prefect server does not answer; start the local servers with 'agentruns up', "
    "or set PREFECT_API_URL to one that runs."
)
PREFECT_REFUSES = (
    "the Prefect server refuses our credentials; check PREFECT_API_AUTH_STRING, "
    "or see what the local servers use with 'agentruns env'."
)
PREFECT_FOREIGN = (
    "what answers at PREFECT_API_URL is no Prefect server; it must look like "
    "http://127.0.0.1:4200/api, with /api at its end."
)
PREFECT_MALFORMED = "PREFECT_API_URL is malformed: it must look like http://127.0.0.1:4200/api."


class CommandError(Exception):
    """A command cannot go on; the message says what happened and what to do now."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person and a script learn about an error."""

    code: ExitCode
    sentence: str


def explain(error: BaseException) -> Explanation:
    """The exit code and the sentence for any error; what is unknown is not quoted."""
    for kind in (_of_command, _of_store, _of_prefect, _of_input):
        if (code_and_words := kind(error)) is not None:
            code, words = code_and_words
            return Explanation(code, _as_sentence(words))
    # Its own words might carry a secret.
    return Explanation(
        ExitCode.NOT_GOOD,
        f"something unexpected happened ({type(error).__name__}); "
        "run the command again with --debug to see where.",
    )


def _as_sentence(words: str) -> str:
    """The first line as a sentence; what follows it, a program's output, is for `--debug`."""
    first, _, rest = words.strip().partition("\n")
    first = first.rstrip(": ")
    sentence = first if first.endswith((".", "!", "?")) else f"{first}."
    return f"{sentence} Add --debug to see the rest." if rest else sentence


def _of_command(error: BaseException) -> Found:
    return (error.code, str(error)) if isinstance(error, CommandError) else None


def _of_store(error: BaseException) -> Found:
    # Late: a command that ends well needs nobody's errors.
    from agentruns.spool import SpoolError
    from apps.stack.errors import StackError
    from storage import errors

    codes = {
        SpoolError: ExitCode.WRONG_USAGE,
        StackError: ExitCode.AWAY,
        errors.StoreUnavailable: ExitCode.AWAY,
        errors.SchemaMismatch: ExitCode.AWAY,
        errors.AccessDenied: ExitCode.REFUSED,
        errors.StorageError: ExitCode.WRONG_USAGE,
    }
    return next(
        ((code, str(error)) for kind, code in codes.items() if isinstance(error, kind)), None
    )


def _of_prefect(error: BaseException) -> Found:
    # Late: httpx is here only because Prefect brings it.
    import httpx

    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code in {401, 403}:
        return ExitCode.REFUSED, PREFECT_REFUSES
    if isinstance(error, httpx.HTTPError):
        return ExitCode.AWAY, PREFECT_AWAY
    return None


def _of_input(error: BaseException) -> Found:
    # Late: pydantic takes longer to import than `--version` to answer.
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        return ExitCode.WRONG_USAGE, in_words(error)
    if isinstance(error, ValueError):
        return ExitCode.WRONG_USAGE, str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return ExitCode.WRONG_USAGE, f"{place}{error.strerror}"
    return None


def in_words(error: "ValidationError") -> str:
    """What pydantic found, for people: which value, and why not; the value itself is not quoted."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{_place(problem['loc'])}{_reason(problem['msg'])}" for problem in problems[:3]
    )


def _place(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
