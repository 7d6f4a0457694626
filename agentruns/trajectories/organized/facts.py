"""The little that has to be known of every file before runs can be told apart."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentruns.cleaning import Picture, clean_json, printable, take_pixels
from agentruns.trajectories.cua.time import from_ticks
from agentruns.trajectories.files import (
    LARGEST,
    Unreadable,
    fingerprint,
    parse_object,
    read_content,
    read_without_long_texts,
)
from agentruns.trajectories.organized.names import GROUPED, own_files
from agentruns.trajectories.reader import Problem
from agentruns.trajectories.values import as_list, as_object, text_of


@dataclass(frozen=True, slots=True)
class Fact:
    """What one JSON file is and when it was written, taken from its content."""

    path: str
    kind: str
    """The name that the saver gave such a file."""
    ticks: int
    """0 where it does not say."""
    sha256: bytes
    call_id: str = ""
    """Of the call whose result it is."""
    opening: bytes = b""
    """The digest of what its conversation began with."""
    run: str = ""
    """The name of its run, which only metadata tells."""
    ended: int = 0


@dataclass(slots=True)
class Index:
    """All that was learnt of an organised folder without keeping any of its content."""

    facts: list[Fact] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    """Path -> SHA-256."""
    calls_shown: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    """SHA-256 of a picture -> the calls, by fact and call id, whose result it is."""
    parents: list[int] = field(default_factory=list)
    """A forest over the facts: those in one tree share calls."""
    speakers: dict[str, int] = field(default_factory=dict)
    """Call id -> a fact that mentions it."""
    talking: set[int] = field(default_factory=set)
    """The facts that mention any call."""

    def root(self, number: int) -> int:
        """The fact that stands for all that are connected with this one."""
        while self.parents[number] != number:
            self.parents[number] = self.parents[self.parents[number]]
            number = self.parents[number]
        return number

    def add(self, fact: Fact, call_ids: Iterator[str]) -> int:
        """Keep a fact, connected with all that mention one of its calls."""
        number = len(self.facts)
        self.facts.append(fact)
        self.parents.append(number)
        for call_id in call_ids:
            self.talking.add(number)
            other = self.speakers.setdefault(call_id, number)
            self.parents[self.root(number)] = self.root(other)
        return number

    def is_connected(self, number: int) -> bool:
        """Whether the fact mentions any call."""
        return number in self.talking


def index_folder(folder: Path, index: Index) -> Iterator[Problem]:
    """Fill the index; what can't be read is told, and so is a copy of what was read."""
    seen: dict[bytes, str] = {}
    for whole in own_files(folder):
        path = whole.relative_to(folder).as_posix()
        try:
            if path.lower().endswith(".json"):
                _learn(folder, path, index, seen)
            else:
                index.pictures[path] = fingerprint(folder, path).sha256
        except Unreadable as fault:
            yield Problem(printable(path), fault.offset, fault.reason)


def _learn(folder: Path, path: str, index: Index, seen: dict[bytes, str]) -> None:
    printed = fingerprint(folder, path)
    sha256 = bytes.fromhex(printed.sha256)
    if sha256 in seen:
        raise Unreadable(f"A copy of {seen[sha256]}, which was read.")
    is_short = printed.size_bytes <= LARGEST
    data = read_content(folder, path).data if is_short else read_without_long_texts(folder, path)
    document = parse_object(data)
    seen[sha256] = printable(path)
    fact = _fact(path, document, sha256)
    number = index.add(fact, _call_ids(document))
    if fact.kind == "metadata":
        for shown, call_id in _shown(document):
            index.calls_shown.setdefault(shown, set()).add((number, call_id))


def _fact(path: str, document: dict[str, Any], sha256: bytes) -> Fact:
    kind, name = kind_of(document, path), document.get("trajectory_id")
    return Fact(
        path=path,
        kind=kind,
        ticks=_ticks(document.get("created_at", document.get("timestamp"))),
        sha256=sha256,
        call_id=_call_id(document.get("item")) if kind.endswith("call_result") else "",
        opening=_opening(document),
        run=name if kind == "metadata" and isinstance(name, str) else "",
        ended=_ticks(document.get("completed_at")) if kind == "metadata" else 0,
    )


def kind_of(document: dict[str, Any], path: str) -> str:
    """What the saver calls a file with this content; the class in its name is not to be trusted."""
    if isinstance(document.get("trajectory_id"), str):
        return "metadata"
    if isinstance(item := document.get("item"), dict):
        is_function = item.get("type") == "function_call"
        return "function_call_result" if is_function else "computer_call_result"
    if isinstance(document.get("response"), dict):
        return "agent_response"
    if isinstance(document.get("kwargs"), dict):
        return "api_result" if "result" in document else "api_start"
    named = GROUPED.search(path)
    # What the saver would not have written is kept as it is.
    return f"unknown_{named['name']}" if named else "unknown"


def _ticks(value: Any) -> int:
    return int(value) if from_ticks(value) else 0


def _call_id(item: Any) -> str:
    call_id = as_object(item).get("call_id")
    return call_id if isinstance(call_id, str) else ""


def _call_ids(document: dict[str, Any]) -> Iterator[str]:
    """Every call that a file mentions, its own and those of its history."""
    kwargs = as_object(document.get("kwargs"))
    lists = (
        [document.get("item")],
        document.get("result"),
        as_object(document.get("result")).get("output"),
        as_object(document.get("response")).get("output"),
        document.get("new_items"),
        kwargs.get("messages", kwargs.get("input")),
    )
    return filter(None, (_call_id(item) for items in lists for item in as_list(items)))


def _opening(document: dict[str, Any]) -> bytes:
    kwargs = as_object(document.get("kwargs"))
    messages = kwargs.get("messages", kwargs.get("input"))
    first = as_list(messages)[:1] or ([messages] if isinstance(messages, str) else [])
    if not first:
        return b""
    return hashlib.sha256(json.dumps(clean_json(_words(first[0]))).encode()).digest()[:8]


def _words(message: Any) -> Any:
    """Texts only: one message is written with its picture in one file and without it in another."""
    if isinstance(message, str):
        return message
    content = as_object(message).get("content")
    return content if isinstance(content, str) else text_of(content)


def _shown(metadata: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The pictures in what a run added to the conversation, each with its call."""
    items = as_list(metadata.get("new_items"))
    for item in items:
        pictures: list[Picture] = []
        if call_id := _call_id(item):
            take_pixels(clean_json(item), pictures.append)
        for picture in pictures:
            yield picture.sha256, call_id
