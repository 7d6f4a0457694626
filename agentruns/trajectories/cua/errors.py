"""Failed tool calls of a cua run, which leave no file of their own."""

from collections.abc import Iterator
from typing import Any

from agentruns.cleaning import printable
from agentruns.models import Level, LogEntry
from agentruns.trajectories.cua.actions import error_in
from agentruns.trajectories.cua.run import Run
from agentruns.trajectories.values import as_object, text_of

#: Whose messages are outputs where a loop speaks to its model by chat completions.
TOOL_ROLES = ("function", "tool")


def call_errors(run: Run, messages: list[Any], path: str) -> Iterator[LogEntry]:
    """The errors among the outputs that a history ends with; earlier ones were told before."""
    for message in _latest_outputs(messages):
        if error := error_in(_output_of(message)) or error_in(message):
            call_id = message.get("call_id") or message.get("tool_call_id")
            yield error_entry(run, error, str(call_id or path), path)


def error_entry(run: Run, error: str, call_id: str, path: str) -> LogEntry:
    """The log entry of a failed call, the same one wherever the failure is mentioned."""
    kept = run.storable(
        {"kind": "error", "error": error, "call_id": call_id, "source": printable(path)}
    )
    return run.log(Level.ERROR, f"call failed: {error}", kept, "error", call_id)


def _latest_outputs(messages: list[Any]) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    for message in map(as_object, reversed(messages)):
        if _is_output(message):
            outputs.append(message)
        elif message.get("role") != "user" or text_of(message.get("content")):
            break  # a screenshot beside its output comes as a user's message without text
    return outputs[::-1]


def _is_output(message: dict[str, Any]) -> bool:
    is_answer = message.get("role") in TOOL_ROLES
    return is_answer or str(message.get("type", "")).endswith("_output") or "error" in message


def _output_of(message: dict[str, Any]) -> Any:
    is_answer = message.get("role") in TOOL_ROLES
    return text_of(message.get("content")) if is_answer else message.get("output")
