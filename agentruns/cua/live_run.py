"""A cua run while it happens: the records that its saver's folder would give, from its hooks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from agentruns.cleaning import Picture, picture_fault
from agentruns.cua.parts import add_up, pixels_of, without_shown
from agentruns.models import AnyRecord, Level, LogEntry, ProgressUpdate, new_id
from agentruns.trajectories.cua.actions import action_of, describe
from agentruns.trajectories.cua.answers import answer_records, exchange_records
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.calls import call_of, call_records
from agentruns.trajectories.cua.ending import end_step
from agentruns.trajectories.cua.errors import call_errors
from agentruns.trajectories.cua.metadata import HISTORY, MESSAGE
from agentruns.trajectories.cua.pictures import named_picture
from agentruns.trajectories.cua.run import Run
from agentruns.trajectories.times import Moment

Records = Iterator[AnyRecord]


@dataclass(slots=True, kw_only=True)
class LiveRun(Run):
    """Turns what the hooks of one run are given into records; counts turns as the saver does."""

    now: Callable[[], datetime]
    model: str = ""
    turns: int = 0
    usage: dict[str, Any] = field(default_factory=dict)
    pictured: int = 0
    """The step whose screenshot was told before its result."""
    shown: str = ""
    """The base64 of the latest picture, which the result repeats."""
    failed: set[str] = field(default_factory=set)
    """The calls whose failure was told; each history repeats it."""

    def id(self, *source: str) -> UUID:
        """A new id: what is told is told once."""
        return new_id()

    def step_of(self, artifact: Artifact) -> int:
        """The step of the call that goes on or comes next."""
        return self.calls + 1

    def is_pictured(self, artifact: Artifact) -> bool:
        """Tell whether the agent has shown the result of the present step."""
        return self.pictured == self.calls

    def message_pictures(self, pictures: tuple[Picture, ...]) -> Records:
        """The pictures that the user handed to the agent."""
        yield from self.inline_uploads(self._part("messages").path, pictures, MESSAGE)

    def request(self, kwargs: dict[str, Any]) -> Records:
        """A request to the model."""
        part = self._part("api_start")
        yield from self._once(exchange_records(self, part, {"kwargs": kwargs}, {}))

    def reply(self, kwargs: dict[str, Any], result: Any) -> Records:
        """The raw answer of the model's provider."""
        document = {"kwargs": kwargs, "result": result}
        yield from exchange_records(self, self._part("api_result"), document, {})

    def failures(self, messages: list[Any]) -> Records:
        """The calls that failed since the last answer: they are told nowhere else."""
        yield from self._once(call_errors(self, messages, self._part("history").path))

    def answer(self, responses: dict[str, Any]) -> Records:
        """What the model said."""
        part, unseen = self._part("agent_response"), list[Picture]()
        response = without_shown(responses, unseen.append)
        yield from answer_records(self, part, {"model": self.model, "response": response})
        yield from self.inline_uploads(part.path, self._unseen(unseen), HISTORY)
        self.turns += 1

    def beginning_of(self, item: dict[str, Any]) -> Records:
        """An action that begins; what the process does last is known even when it dies of it."""
        part = self._part(f"{item.get('type')}_start")
        data = {"kind": "begin", "call_id": item.get("call_id"), **self.origin(part.path)}
        said = f"begins: {describe(action_of(item))}"
        yield self.log(Level.DEBUG, said, self.storable(data), part.path)

    def call(self, item: dict[str, Any], result: list[Any]) -> Records:
        """An executed action."""
        self.calls += 1
        part, unseen = self._part(f"{item.get('type')}_result"), list[Picture]()
        shown, self.shown = self.shown, ""
        call = call_of({"item": item, "result": without_shown(result, unseen.append, shown)})
        call.pictures.extend(self._unseen(unseen))
        yield from self._once(call_records(self, part, call))
        self.turns += 1

    def picture(self, given: str | bytes, name: str) -> Records:
        """A picture that the agent shows."""
        part, content = self._part(name), pixels_of(given)
        if fault := picture_fault(content):
            data = {"kind": "fault", "size_bytes": len(content), **self.origin(part.path)}
            yield self.log(Level.WARNING, f"{name}: {fault}", self.storable(data), part.path)
            return
        self.shown = given if isinstance(given, str) else ""
        new = named_picture(self, part, content)
        self.pictured = self.calls + 1 if new.file.metadata["primary"] else self.pictured
        yield new

    def use(self, usage: dict[str, Any]) -> Records:
        """Count what a model answer used; the steps and the end say it."""
        add_up(self.usage, usage)
        return iter(())

    def end(self, items: list[Any]) -> Records:
        """The end of a run that its agent finished."""
        yield from self.failures(items)
        self._part("end")
        end: ProgressUpdate = end_step(self, self.totals(), items)
        self.count_usage(end.data["usage"])
        yield end

    def totals(self) -> dict[str, Any]:
        """What the run took so far."""
        return {"total_usage": self.usage, "total_turns": self.turns}

    def lost(self, reason: str) -> LogEntry:
        """What is said of a run that its agent did not finish."""
        part = self._part("end")
        data = {"kind": "error", "error": reason, **self.totals(), **self.origin(part.path)}
        return self.log(Level.ERROR, reason, self.storable(data), part.path)

    def _part(self, name: str) -> Artifact:
        self.moment = Moment(self.now(), "callback")
        return Artifact(self.turns, f"turn_{self.turns:03d}/{name}", name, "live")

    def _unseen(self, pictures: list[Picture]) -> list[Picture]:
        return [p for p in pictures if bytes.fromhex(p.sha256) not in self.pictures]

    def _once(self, records: Iterator[AnyRecord] | Iterator[LogEntry]) -> Records:
        for record in records:
            failed = _failed_call(record)
            if failed not in self.failed:
                yield record
            if failed:
                self.failed.add(failed)


def _failed_call(record: AnyRecord) -> str | None:
    is_error = isinstance(record, LogEntry) and record.data.get("kind") == "error"
    return record.data.get("call_id") if is_error else None  # type: ignore[union-attr]  # see above
