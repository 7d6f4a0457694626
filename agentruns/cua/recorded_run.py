"""A run of the agent, and the run of the recorder that it goes into."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from agentruns.cua.live_run import LiveRun
from agentruns.models import AnyRecord, Status
from agentruns.recording import Recorder, Run
from agentruns.recording.ending import ending_of
from agentruns.trajectories.cua.metadata import assignment, title_of
from agentruns.trajectories.fitting import plain, storable
from agentruns.trajectories.times import Moment

#: What a hook adds to the records of its run.
ToRecords = Callable[[LiveRun], Iterable[AnyRecord]]


class CallbackOptions(NamedTuple):
    """How the user wants runs to be recorded."""

    recorder: Recorder
    run: Run | None
    title: str | None
    metadata: Mapping[str, Any]


@dataclass(slots=True)
class RecordedRun:
    """Records a live run and its end; a run that was open before is left to whoever opened it."""

    run: Run
    live: LiveRun
    is_own: bool

    @classmethod
    def begin(cls, options: CallbackOptions, kwargs: dict[str, Any], before: Self | None) -> Self:
        """Open a run for what the user asks, or go on in the one that takes everything."""
        patterns = options.recorder.cleaner.patterns
        asked = plain(assignment({"kwargs": kwargs}), patterns).strip()
        about = storable({"model": kwargs.get("model"), "kwargs": kwargs}, patterns)
        run = options.run or options.recorder.start_run(
            options.title or title_of(asked) or "Run of a cua-agent",
            description=asked or None,
            metadata={"source": {"format": "cua", "by": "callback"}, **about.data}
            | dict(options.metadata),
        )
        live = before.live if before and before.run.task_id == run.task_id else None
        live = live or LiveRun(
            agent_id=run.agent_id,
            task_id=run.task_id,
            moment=Moment(run.now(), "callback"),
            patterns=patterns,
            now=run.now,
        )
        live.now, live.model = run.now, str(kwargs.get("model"))
        begun = cls(run, live, is_own=options.run is None)
        begun.keep(lambda live: live.message_pictures(about.pictures))
        return begun

    def keep(self, to_records: ToRecords) -> None:
        """Have the records on the disk, in one commit."""
        if records := list(to_records(self.live)):
            self.run.record(records)

    def complete(self, items: list[Any]) -> None:
        """End the run as its agent ended it."""
        try:
            self.keep(lambda live: live.end(items))
        finally:
            self._finish(Status.COMPLETED, None)

    def leave(self, error: BaseException | None, doing: str) -> None:
        """End a run that the agent did not end.

        Args:
            error: the exception that left the loop, where it is known.
            doing: what the agent did then; nothing when it had handed out a result.
        """
        status, reason = _ending(error, doing)
        if status is Status.FAILED:
            self.keep(lambda live: [live.lost(reason)])
        self._finish(status, reason)

    def _finish(self, status: Status, reason: str | None) -> None:
        if self.is_own:
            totals = {"usage": self.live.usage, "total_turns": self.live.turns}
            self.run.finish(status, reason, steps=self.live.calls, **totals)


def _ending(error: BaseException | None, doing: str) -> tuple[Status, str]:
    ending = ending_of(error)
    if ending.reason:
        return ending.status, ending.reason
    if doing:
        why = f"The agent's loop ended while {doing}; its caller caught the exception."
        return Status.FAILED, why
    return Status.CANCELLED, "The agent's loop was left before its end."
