"""How the servers are: what supervisor says, and what they themselves answer."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

from apps.stack.ports import is_free
from apps.stack.servers.server import Server
from apps.stack.supervising import Kept
from storage.health import timed_health

PROBE_SECONDS = 1.8
#: Supervisor's words in ours.
WORDS = {
    "STARTING": "starting",
    "BACKOFF": "failed",
    "FATAL": "failed",
    "EXITED": "failed",
    "UNKNOWN": "failed",
}


class ServerStatus(TypedDict):
    """One server."""

    name: str
    state: str
    """running, starting, silent (runs, does not answer), failed, stopped, or unsupervised
    (answers, and supervisor is gone: 'agentruns up' takes it over)."""
    address: str
    version: str | None
    pid: int | None


class StackStatus(TypedDict):
    """All servers of a home."""

    ready: bool
    home: str
    prefect_ui: str | None
    servers: list[ServerStatus]


def states_of(
    servers: Sequence[Server], kept: Mapping[str, Kept], seconds: float
) -> list[ServerStatus]:
    """How these servers are; asks them all at once."""
    with ThreadPoolExecutor(len(servers)) as pool:
        states = [pool.submit(_state, each, kept.get(each.name), seconds) for each in servers]
        return [state.result() for state in states]


def _state(server: Server, kept: Kept | None, seconds: float) -> ServerStatus:
    # Asking a server that is off would only cost time.
    version = None if _is_off(server, kept) else _version(server, seconds)
    return ServerStatus(
        name=server.name,
        state=_word(kept, answers=version is not None),
        address=server.address,
        version=version,
        pid=kept.pid if kept else None,
    )


def _is_off(server: Server, kept: Kept | None) -> bool:
    if kept is not None:
        return kept.pid is None
    return not server.listens or is_free(server.site.ports[server.name])


def _version(server: Server, seconds: float) -> str | None:
    health = timed_health(server.name, lambda: server.version(seconds), seconds)
    return health.detail if health.healthy else None


def _word(kept: Kept | None, *, answers: bool) -> str:
    if kept is None:
        return "unsupervised" if answers else "stopped"
    if kept.state in {"RUNNING", "STARTING"} and answers:
        return "running"
    return "silent" if kept.state == "RUNNING" else WORDS.get(kept.state, "stopped")
