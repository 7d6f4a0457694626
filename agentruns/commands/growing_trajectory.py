"""A trajectory that is read while its agent still writes it."""

import re
import time
from pathlib import Path
from uuid import UUID

from agentruns.cleaning import SecretPatterns
from agentruns.commands.scanning import Signature
from agentruns.models import AgentTask, AnyRecord, Status, Upload
from agentruns.trajectories import Problem, Records, TrajectoryReader

#: Savers write the files of a step in one burst and then wait for the model.
QUIET_SECONDS = 0.25
#: One that never rests is read all the same; what is half-written then is read again at the end.
LONGEST_WAIT_SECONDS = 5.0
NUMBER = re.compile(r"\d+")


class GrowingTrajectory:
    """Reads what is new of one trajectory, and all of it once more at the end."""

    def __init__(self, item: Path, reader: TrajectoryReader, patterns: SecretPatterns) -> None:
        self.item = item
        self._reader = reader
        self._patterns = patterns
        self._newest = 0.0
        self._last_number = -1
        self._read_up_to = -1
        self._changed = False
        self._read_at = time.monotonic()
        # Grows with the trajectory, as does the list of its files that tells what is new.
        self._sent: set[UUID] = set()

    def note(self, path: Path, signature: Signature) -> None:
        """Hear of a file that is new or has changed."""
        self._changed = True
        self._newest = max(self._newest, signature.modified_ns / 1e9)
        if number := NUMBER.match(path.name):
            self._last_number = max(self._last_number, int(number[0]))

    def read(self, agent_id: str, task_id: UUID, *, final: bool) -> Records:
        """What was not given before; problems only at the end, as half a file is none before."""
        if not final and not self._is_due():
            return
        self._read_at = time.monotonic()
        after = -1 if final else self._read_up_to
        self._changed, self._read_up_to = False, self._last_number
        for found in self._reader.read(
            self.item,
            agent_id,
            task_id,
            after=after,
            unfinished=Status.IN_PROGRESS,
            patterns=self._patterns,
        ):
            if isinstance(found, Problem):
                if final:
                    yield found
            elif not isinstance(found, AgentTask) and self._is_new(found):
                yield found

    def _is_new(self, record: AnyRecord) -> bool:
        identity = record.file.id if isinstance(record, Upload) else record.id
        known = identity in self._sent
        self._sent.add(identity)
        return not known

    def _is_due(self) -> bool:
        quiet = abs(time.time() - self._newest) > QUIET_SECONDS
        overdue = time.monotonic() - self._read_at > LONGEST_WAIT_SECONDS
        return self._changed and (quiet or overdue)
