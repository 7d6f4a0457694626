"""Model answers of a cua run, and the requests that led to them."""

from collections.abc import Iterator
from typing import Any

from agentruns.cleaning import printable
from agentruns.models import AnyRecord, Level, LogEntry
from agentruns.trajectories.cua.actions import action_of, describe
from agentruns.trajectories.cua.artifact import Artifact
from agentruns.trajectories.cua.errors import call_errors
from agentruns.trajectories.cua.run import Answer, Run
from agentruns.trajectories.values import as_list, as_object, text_of


def answer_records(
    run: Run, artifact: Artifact, document: dict[str, Any], sha256: str = ""
) -> Iterator[AnyRecord]:
    """What the model said, remembered for the calls that it asks for."""
    response = as_object(document.get("response"))
    items = [as_object(item) for item in as_list(response.get("output"))]
    calls = {
        str(item["call_id"]): describe(action_of(item)) for item in items if item.get("call_id")
    }
    answer = Answer(
        text="\n".join(filter(None, (text_of(item.get("content")) for item in items))),
        reasoning="\n".join(filter(None, (text_of(item.get("summary")) for item in items))),
        usage=as_object(response.get("usage")),
        source=printable(artifact.path),
    )
    run.remember(answer, calls)
    data = {"kind": "answer", "model": document.get("model"), "text": answer.text}
    data |= {"reasoning": answer.reasoning, "usage": answer.usage, "calls": calls}
    kept = run.storable({**data, "output": items, **run.origin(artifact.path, sha256)})
    said = answer.text or answer.reasoning or "; ".join(calls.values()) or "an empty answer"
    yield run.log(Level.INFO, said, kept, artifact.path, sha256)
    about = {"step": run.step_of(artifact), "kind": "answer", "primary": False}
    yield from run.inline_uploads(artifact.path, kept.pictures, about)


def exchange_records(
    run: Run,
    artifact: Artifact,
    document: dict[str, Any],
    facts: dict[str, Any],
    sha256: str = "",
) -> Iterator[LogEntry]:
    """A request or raw answer repeats the whole history, so only what is new in it is kept."""
    messages = _messages(as_object(document.get("kwargs")))
    data = {"kind": artifact.name, **facts, "messages": len(messages)}
    words = "request to" if artifact.name == "api_start" else "raw answer of"
    said = f"{words} the model, {len(messages)} messages of history"
    kept = run.storable(data | run.origin(artifact.path, sha256))
    yield run.log(Level.DEBUG, said, kept, artifact.path, sha256)
    yield from _errors_of_exchange(run, artifact, document, messages)


def _messages(kwargs: dict[str, Any]) -> list[Any]:
    # OpenAI's interface of responses calls its messages `input`.
    return as_list(kwargs.get("messages", kwargs.get("input")))


def _errors_of_exchange(
    run: Run, artifact: Artifact, document: dict[str, Any], messages: list[Any]
) -> Iterator[LogEntry]:
    if artifact.name == "api_start":
        yield from call_errors(run, messages, artifact.path)
    elif error := as_object(document.get("result")).get("error"):
        kept = run.storable({"kind": "error", "error": error, "source": printable(artifact.path)})
        yield run.log(Level.ERROR, f"the model's provider: {error}", kept, artifact.path, "error")
