"""Waiting until a server can be used."""

import time

from apps.stack.errors import StackError
from apps.stack.servers.server import Server
from apps.stack.supervising import Supervisor
from apps.stack.tailing import last_lines
from storage.errors import AccessDenied, StorageError, StoreUnavailable

START_SECONDS = 90


def wait_until_settled(
    server: Server, supervisor: Supervisor, seconds: float = START_SECONDS
) -> None:
    """Return when a server has been made usable.

    Raises:
        StackError: when it dies, refuses us or takes too long; has the last lines of its log.
    """
    deadline = time.monotonic() + seconds
    while (problem := _problem(server)) is not None:
        kept = supervisor.states().get(server.name)
        if kept is None or kept.state in {"FATAL", "STOPPED"}:
            raise _failed(server, f"could not be started ({kept.said if kept else 'stopped'})")
        if time.monotonic() > deadline:
            raise _failed(server, f"did not get ready within {seconds:.0f} seconds ({problem})")
        time.sleep(0.1)


def _problem(server: Server) -> str | None:
    try:
        server.settle()
    except StoreUnavailable as error:
        return str(error)
    except AccessDenied as error:
        raise _failed(server, f"does not accept us ({error})") from error
    except StorageError as error:
        raise _failed(server, f"cannot be used ({error})") from error
    return None


def _failed(server: Server, what: str) -> StackError:
    log = server.site.folders.log(server.name)
    return StackError(
        f"{server.title} {what}: repair what it complains about in {log}, "
        f"then run 'agentruns up' again\n{last_lines(log, 10)}"
    )
