"""A TCP proxy that fails on command: it forwards, cuts a reply, swallows everything, or refuses."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Self


def _nothing() -> None: ...


class Proxy:
    """Stands between a client and a server on this machine; stopped by leaving its block."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._marker: bytes | None = None
        self._before = False
        self._meanwhile: Callable[[], object] = _nothing
        self.cuts = 0
        self._swallowing = Event()
        self._serve()

    def cut_reply_to(self, marker: bytes, meanwhile: Callable[[], object] = _nothing) -> None:
        """Forward the next request that contains `marker`, and lose its reply.

        `meanwhile` is called when the server has answered and nobody knows.
        """
        self._before, self._meanwhile, self._marker = False, meanwhile, marker

    def cut_request(self, marker: bytes, meanwhile: Callable[[], object] = _nothing) -> None:
        """Lose the next request that contains `marker`; `meanwhile` is called instead."""
        self._before, self._meanwhile, self._marker = True, meanwhile, marker

    def black_hole(self) -> None:
        """Take everything and answer nothing, as a frozen server does."""
        self._swallowing.set()

    def refuse(self) -> None:
        """Hang up, and let nobody in."""
        # A blocked accept() is only woken by a shutdown.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()

    def forward(self) -> None:
        """Work again, on the same port; what hung before is hung up."""
        self._hang_up()
        self._swallowing.clear()
        if self._listener.fileno() == -1:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._serve()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        for thread in self._threads:
            thread.join(1)

    def _serve(self) -> None:
        self._start(self._accept, self._listener)

    def _start(self, work: object, *args: object) -> None:
        thread = Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]  # any callable
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if not (server := self._reached()):
                    client.close()
                    continue
                with self._lock:
                    self._sockets |= {client, server}
                if listener.fileno() == -1:
                    self._close(client, server)
                doomed = Event()
                self._start(self._pump, client, server, doomed, True)
                self._start(self._pump, server, client, doomed, False)

    def _reached(self) -> socket.socket | None:
        with suppress(OSError):  # the server is away; the next client may find it again
            return socket.create_connection(self._target)
        return None

    def _pump(
        self, source: socket.socket, sink: socket.socket, doomed: Event, asking: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._swallowing.is_set():
                    continue
                if asking and self._is_marked(data):
                    doomed.set()
                if doomed.is_set() and asking == self._before:
                    self._meanwhile()
                    self.cuts += 1
                    break
                sink.sendall(data)
        self._close(source, sink)

    def _is_marked(self, data: bytes) -> bool:
        with self._lock:
            found = self._marker is not None and self._marker in data
            self._marker = None if found else self._marker
            return found

    def _hang_up(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        self._close(*sockets)

    def _close(self, *sockets: socket.socket) -> None:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        with self._lock:
            self._sockets -= set(sockets)
