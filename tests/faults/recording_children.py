"""The processes of a recording that tests start, watch and kill: agents and deliveries."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import NamedTuple, Self
from uuid import UUID

ROOT = Path(__file__).parents[2]


class Acknowledged(NamedTuple):
    """A call that returned."""

    kind: str
    id: UUID
    words: str
    took_ms: float
    starved_ms: float
    """How long of that it was ready and the machine gave it no processor."""
    at: float
    """When it began, by the monotonic clock that all processes share."""


class Child:
    """A process whose lines are read as they come, so that it never waits for us."""

    def __init__(
        self,
        *words: object,
        environment: Mapping[str, str] = MappingProxyType({}),
        errors: bool = False,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else None,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, words: str, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while not any(words in line for line in self.lines):
            assert self.lives or self._reader.is_alive(), (
                f"it ended without {words!r}: {self.lines}"
            )
            assert time.monotonic() < until, f"{words!r} did not come: {self.lines[-20:]}"
            time.sleep(0.005)

    def kill(self) -> None:
        """End it as nothing can prevent, and have its last words."""
        self._process.kill()
        self.wait()

    def terminate(self) -> int:
        self._process.terminate()
        return self.wait()

    def wait(self, seconds: float = 60) -> int:
        """Its exit code, once it has ended."""
        code = self._process.wait(seconds)
        self._reader.join(10)
        for pipe in filter(None, (self._process.stdin, self._process.stdout)):
            pipe.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # The last line of a killed process may be half a one.
            if line.endswith("\n"):
                self.lines.append(line.rstrip("\n"))


class Agent(Child):
    """An agent at work; what it said before it died is what it was promised."""

    def __init__(self, spool: Path, agent_id: str, *options: object) -> None:
        super().__init__("-m", "tests.faults.recording_agent", spool, agent_id, *options)
        self.wait_for("ready")

    def begin(self) -> Self:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self

    def finish(self) -> int:
        """Let it end its run and leave."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self.wait()

    @property
    def task_id(self) -> UUID | None:
        """The task of its run, once it is kept."""
        said = (line.split() for line in self.lines)
        return next((UUID(words[1]) for words in said if words[0] == "task"), None)

    @property
    def completed(self) -> bool:
        return "completed" in self.lines

    @property
    def acknowledged(self) -> list[Acknowledged]:
        said = (line.split() for line in list(self.lines))
        return [
            Acknowledged(words[0], UUID(words[1]), words[2], *map(float, words[3:]))
            for words in said
            if len(words) == 6
        ]


class DeliveryProcess(Child):
    """A delivery as a recorder starts it."""

    def __init__(
        self, spool: Path, *options: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        module = ("-P", "-m", "storage.delivery")
        super().__init__(*module, spool, *options, environment=environment, errors=True)
