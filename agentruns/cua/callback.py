"""The callback that records the runs of a cua-agent."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self

from agentruns.cua.failure_log import FailureLog
from agentruns.cua.recorded_run import CallbackOptions, RecordedRun, ToRecords
from agentruns.recording import Recorder, Run
from agentruns.recording.arguments import as_mapping, as_name

Items = list[dict[str, Any]]

#: What an agent does between two results, in words for the end of a run that it never ended.
BEGINNING = "it began another turn"
WAITING = "it waited for the model"
ACTING = "it acted"


class RecordingCallback:
    """Records each run of one agent: `ComputerAgent(callbacks=[RecordingCallback(recorder)])`.

    It changes no message, raises nothing into the agent's loop and writes in another thread.
    A run that the loop leaves by an exception is ended as failed: at once when the callback is a
    `with` block around the loop or the exception ends the task of asyncio, else when the next
    run begins or the callback is closed.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        run: Run | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record into runs of the recorder.

        Args:
            recorder: Begins a run for each run of the agent.
            run: One that is open already and takes everything; whoever opened it ends it.
            title: What the runs are called, else the first line of what the user asks.
            metadata: More to keep with each run.

        Raises:
            ValueError: for a title that is empty or too long.
        """
        called = title if title is None else as_name("title", title)
        self._options = CallbackOptions(recorder, run, called, as_mapping(metadata))
        self._open: RecordedRun | None = None
        self._last: RecordedRun | None = None
        self._doing = ""
        self._task: asyncio.Task[Any] | None = None
        self._failures = FailureLog()
        # A cancelled loop goes on while its last words are still being written.
        self._turn = threading.RLock()

    async def on_run_start(self, kwargs: dict[str, Any], old_items: Items) -> None:
        """Open a run, called after what the user asks."""
        await self._in_thread(self._start, kwargs)
        self._doing = ""
        self._watch(asyncio.current_task())

    async def on_run_end(self, kwargs: dict[str, Any], old_items: Items, new_items: Items) -> None:
        """Complete the run, with what it used in its metadata."""
        self._watch(None)
        await self._in_thread(self._finish, new_items)

    async def on_run_continue(
        self, kwargs: dict[str, Any], old_items: Items, new_items: Items
    ) -> bool:
        """Never stop the agent."""
        self._doing = BEGINNING
        return True

    async def on_llm_start(self, messages: Items) -> Items:
        """Record the calls that failed since; the messages stay as they are."""
        self._watch(asyncio.current_task())  # a timeout around each step has a task for each
        self._doing = WAITING
        await self._record(lambda live: live.failures(messages))
        return messages

    async def on_llm_end(self, output: Items) -> Items:
        """Leave the answer as it is; `on_responses` records it as other callbacks made it."""
        return output

    async def on_computer_call_start(self, item: dict[str, Any]) -> None:
        """Record that an action begins."""
        self._doing = ACTING
        await self._record(lambda live: live.beginning_of(item))

    async def on_computer_call_end(self, item: dict[str, Any], result: Items) -> None:
        """Record a step."""
        await self._record(lambda live: live.call(item, result))
        self._doing = ""

    async def on_function_call_start(self, item: dict[str, Any]) -> None:
        """Record that a function begins."""
        await self.on_computer_call_start(item)

    async def on_function_call_end(self, item: dict[str, Any], result: Items) -> None:
        """Record a step, with the arguments and what came of them."""
        await self.on_computer_call_end(item, result)

    async def on_text(self, item: dict[str, Any]) -> None:
        """Record nothing: the text was part of the answer."""

    async def on_api_start(self, kwargs: dict[str, Any]) -> None:
        """Record that the model was asked."""
        await self._record(lambda live: live.request(kwargs))

    async def on_api_end(self, kwargs: dict[str, Any], result: Any) -> None:
        """Record that the model's provider answered, and the error if it was one."""
        await self._record(lambda live: live.reply(kwargs, result))

    async def on_usage(self, usage: dict[str, Any]) -> None:
        """Add up what the run uses."""
        self._safely(self._keep, lambda live: live.use(usage))

    async def on_screenshot(self, screenshot: str | bytes, name: str = "screenshot") -> None:
        """Record a picture, bytes or base64."""
        await self._record(lambda live: live.picture(screenshot, name))

    async def on_responses(self, kwargs: dict[str, Any], responses: dict[str, Any]) -> None:
        """Record what the model said and wants to do."""
        await self._record(lambda live: live.answer(responses))
        self._doing = ""

    def close(self, error: BaseException | None = None) -> None:
        """End a run that the agent's loop has left, by this exception perhaps."""
        self._watch(None)
        self._safely(self._leave, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(error)

    async def _record(self, to_records: ToRecords) -> None:
        await self._in_thread(self._keep, to_records)

    async def _in_thread(self, write: Callable[..., None], *given: Any) -> None:
        work = partial(copy_context().run, self._safely, write, *given)
        try:
            written = asyncio.get_running_loop().run_in_executor(None, work)
        except RuntimeError:  # the process is ending, and starts no thread any more
            work()
        else:
            # What was told happened, also when the loop is cancelled meanwhile.
            await asyncio.shield(written)

    def _safely(self, write: Callable[..., None], *given: Any) -> None:
        try:
            with self._turn:
                write(*given)
        except Exception as error:
            self._failures.failed(error)
        else:
            self._failures.worked(is_open=self._open is not None)

    def _start(self, kwargs: dict[str, Any]) -> None:
        self._safely(self._leave, None)
        self._open = self._last = RecordedRun.begin(self._options, kwargs, self._last)

    def _keep(self, to_records: ToRecords) -> None:
        if self._open:
            self._open.keep(to_records)

    def _finish(self, items: Items) -> None:
        ended, self._open = self._open, None
        if ended:
            ended.complete(items)

    def _leave(self, error: BaseException | None) -> None:
        left, self._open = self._open, None
        if left:
            left.leave(error, self._doing)

    def _watch(self, task: asyncio.Task[Any] | None) -> None:
        if self._task:
            self._task.remove_done_callback(self._on_end_of_task)
        self._task = task
        if task:
            task.add_done_callback(self._on_end_of_task)

    def _on_end_of_task(self, task: asyncio.Task[Any]) -> None:
        error = _error_of(task)
        # A task that returned may have run one step of several, whose action failed and was told.
        if error or self._doing in {BEGINNING, WAITING}:
            self._safely(self._leave, error)


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    if task.cancelled():
        return asyncio.CancelledError()
    # `task.exception()` would keep asyncio from saying that nobody looked at it.
    return getattr(task, "_exception", None)
