"""Ports on the loopback interface: free when chosen, then kept."""

import random
import socket
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from apps.stack.errors import StackError
from apps.stack.files import read_mapping, write_mapping

LOOPBACK = "127.0.0.1"
#: Below the range from which systems take the ports of outgoing connections.
CHOICE = range(20_000, 32_000)
#: So long a process that was killed may need until all its threads are gone.
_FADING_SECONDS = 5.0


def read_ports(path: Path) -> dict[str, int] | None:
    """The ports of a home that was started before."""
    found = read_mapping(path)
    return None if found is None else {name: int(str(port)) for name, port in found.items()}


def kept_ports(path: Path, names: Iterable[str]) -> dict[str, int]:
    """The ports of a home, chosen where it has none."""
    ports = read_ports(path) or {}
    missing = [name for name in names if name not in ports]
    for name in missing:
        ports[name] = _free_port(taken=ports.values())
    if missing:
        write_mapping(path, ports)
    return ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with closing(socket.socket()) as probe:
        # Connections that are merely fading away after a crash do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def becomes_free(port: int) -> bool:
    """Whether it is free, or soon is: a killed server's last threads may still hold it."""
    deadline = time.monotonic() + _FADING_SECONDS
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return free


def owner_of(port: int) -> str:
    """Who listens on a port, as far as we may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return f"process {connection.pid}, {psutil.Process(connection.pid).name()}"
    except (psutil.Error, OSError):
        pass
    return "another program"


def _free_port(taken: Iterable[int]) -> int:
    choices = random.sample(CHOICE, k=200)
    free = (port for port in choices if port not in set(taken) and is_free(port))
    if (port := next(free, None)) is None:
        raise StackError("no free port was found on 127.0.0.1: stop programs that listen there")
    return port
