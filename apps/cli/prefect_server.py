"""The Prefect server that flows run against: found, asked whether it is there, and kept quiet."""

import logging
import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from apps.cli.errors import (
    PREFECT_AWAY,
    PREFECT_FOREIGN,
    PREFECT_MALFORMED,
    PREFECT_REFUSES,
    CommandError,
)
from apps.cli.exit_codes import ExitCode
from apps.cli.terminal import Terminal
from apps.proxies import past_proxies

#: What makes Prefect a quiet guest in a command; each may be overruled in the environment.
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # A server of its own would run for a second and take the record of the run with it.
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    # The level of the handler, not of the logger: the server still gets every line.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
}

SECONDS = 3.0


@contextmanager
def prefect_server(terminal: Terminal) -> Iterator[None]:
    """Run flows against the Prefect server that is there, without Prefect talking in between.

    Flows are imported inside, as Prefect reads its settings when it is first imported.

    Raises:
        CommandError: when no server is known, it does not answer, or it refuses us.
    """
    os.environ.update(_known_server())
    quieten(terminal)
    _ask(_address())
    # Late: this takes two seconds, and sets the handlers up.
    import prefect.main  # noqa: F401

    with _quiet_engine(terminal):
        yield


def quieten(terminal: Terminal) -> None:
    """Let Prefect say no more than is needed; to be called before it is imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ.update(past_proxies(os.environ))
    if terminal.debug:
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "NOTSET"
    if terminal.plain:
        os.environ["PREFECT_LOGGING_COLORS"] = "false"


@contextmanager
def _quiet_engine(terminal: Terminal) -> Iterator[None]:
    """Keep the engine's words about a failed run off the terminal; the server gets them all.

    What it says there with a traceback, the command says in one sentence.
    """
    handlers = () if terminal.debug else tuple(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(_is_not_engine)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_not_engine)


def _is_not_engine(record: logging.LogRecord) -> bool:
    # `flows` tells of refused parameters, and repeats all of them.
    return record.module not in {"flow_engine", "task_engine", "engine", "flows"}


def _known_server() -> dict[str, str]:
    # Late: the settings bring pydantic.
    from dotenv import dotenv_values

    from storage.settings import env_files

    files = {name: value for file in env_files() for name, value in dotenv_values(file).items()}
    return {
        name: value
        for name, value in files.items()
        if value and name.startswith("PREFECT_") and name not in os.environ
    }


def _address() -> str:
    if address := os.environ.get("PREFECT_API_URL"):
        return address
    raise CommandError(
        ExitCode.AWAY,
        "no Prefect server is known; start the local servers with 'agentruns up', "
        "or set PREFECT_API_URL.",
    )


def _ask(address: str) -> None:
    if not address.startswith(("http://", "https://")):
        raise CommandError(ExitCode.WRONG_USAGE, PREFECT_MALFORMED)
    request = Request(f"{address.rstrip('/')}/admin/version", headers=_credentials())  # noqa: S310 - checked above
    try:
        with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - the same address
            foreign = answer.headers.get_content_type() != "application/json"
    except HTTPError as error:
        if error.code in {401, 403}:
            raise CommandError(ExitCode.REFUSED, PREFECT_REFUSES) from None
        # A hosted server, which wants a key, may not offer this page; any other answer is one.
        foreign = error.code == 404 and "PREFECT_API_KEY" not in os.environ
    except (URLError, OSError, ValueError) as error:
        raise CommandError(ExitCode.AWAY, PREFECT_AWAY) from error
    if foreign:
        raise CommandError(ExitCode.AWAY, PREFECT_FOREIGN)


def _credentials() -> dict[str, str]:
    if login := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}
