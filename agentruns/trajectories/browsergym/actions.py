"""What BrowserGym's optional JSON files tell of actions, which else only pickles know."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentruns.cleaning import clean_text
from agentruns.models import Level
from agentruns.trajectories.files import Unreadable, parse, read_content, read_pieces
from agentruns.trajectories.item_run import ItemRun, guarded, ordinal
from agentruns.trajectories.json_parts import Part, parts_of
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.values import as_list, as_object, text_of

STEPS_INFO = "steps_info.json"
TAPE = "tape.json"
#: What a step is made of beside its observation, which may be megabytes.
KEPT = ("action", "reward", "raw_reward", "terminated", "truncated", "agent_info", "stats")


def steps_info(folder: Path) -> dict[int, dict[str, Any]]:
    """What is known of steps by number; raises `Unreadable` when the file is broken."""
    found = parse(read_content(folder, STEPS_INFO).data)
    steps = found if isinstance(found, list) else as_list(as_object(found).get("steps")) or [found]
    known: dict[int, dict[str, Any]] = {}
    for place, step in enumerate(map(as_object, steps)):
        number = ordinal(step.get("step"))
        kept = {name: step[name] for name in KEPT if step.get(name) is not None}
        known[place if number is None else number] = kept | {"goal": _goal(step)}
    return known


def _goal(step: dict[str, Any]) -> str:
    observed = as_object(step.get("obs"))
    return text_of(observed.get("goal")) or text_of(observed.get("goal_object"))


def tape_records(run: ItemRun) -> Records:
    """The steps of a tape: thoughts, actions and observations, one log entry each."""
    yield from guarded(TAPE, _tape(run))


def _tape(run: ItemRun) -> Records:
    for part in parts_of(read_pieces(run.folder, TAPE)):
        if part.key == "steps" and part.place is not None:
            yield from guarded(TAPE, _tape_step(run, part), part.offset)
        elif part.key == "steps":
            yield Problem(TAPE, part.offset, "The steps are not a list.")


def _tape_step(run: ItemRun, part: Part) -> Records:
    step = part.value()
    kind = clean_text(str(as_object(step).get("kind") or "step")[:100])
    content = as_object(step).get("content")
    said = f"{kind}: {content}" if isinstance(content, str) else kind
    is_looking = "observation" in kind
    data = {"kind": "tape", "content": step, "place": part.place}
    level = Level.DEBUG if is_looking else Level.INFO
    yield from run.entry(level, said, data, TAPE, str(part.place))


def tape_actions(folder: Path) -> dict[int, dict[str, Any]]:
    """The actions of a tape in their order, which is that of the steps."""
    with suppress(Unreadable):
        return dict(enumerate(_actions(folder)))
    return {}


def _actions(folder: Path) -> Iterator[dict[str, Any]]:
    for part in parts_of(read_pieces(folder, TAPE)):
        with suppress(Unreadable):
            step = as_object(part.value()) if part.key == "steps" else {}
            kind = str(step.get("kind") or "")
            if kind == "assistant" or kind.endswith("action"):
                yield {"action": step.get("content") or step}
