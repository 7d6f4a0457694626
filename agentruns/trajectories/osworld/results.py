"""What OSWorld says of a run: result.txt, or the lists of results above it."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentruns.models import Level
from agentruns.trajectories.files import Unreadable, parse, read_content
from agentruns.trajectories.item_run import ItemRun, score_of
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.values import as_list, as_object, in_words, unpacked
from agentruns.trajectories.walking import mode_of

RESULT = "result.txt"
LISTS = ("summary/results.json", "all_result.json")
#: Result lists name some hundred tasks.
LARGEST_LIST = 8 * 2**20
LARGEST_RESULT = 65_536
#: A list lies above domain and task, and perhaps above model, observation and action space.
LEVELS = 5


def result_records(run: ItemRun) -> Records:
    """The verdict in result.txt; raises `Unreadable` when it cannot be read."""
    content = read_content(run.folder, RESULT, LARGEST_RESULT)
    text = content.data.decode("utf-8", "replace").strip()
    value = number_in(text)
    raw: dict[str, Any] = {"raw": text[:1000]}
    if value is None:
        raw["as_osworld_reads_it"] = 0.0
        yield Problem(RESULT, 0, "The result is no number; OSWorld's own reader takes it as 0.")
    elif score_of(value) is None:
        yield Problem(RESULT, 0, "The result is not between 0 and 1: kept without a score.")
    report = f"result.txt says {text[:100]}"
    sha256 = hashlib.sha256(content.data).hexdigest()
    yield run.verdict("osworld-result", score_of(value), report, raw | {"sha256": sha256}, RESULT)


def number_in(text: str) -> float | None:
    """The number that a result is; True and False count as 1 and 0."""
    if text in {"True", "False"}:
        return float(text == "True")
    try:
        return float(text)
    except ValueError:
        return None


def listed_records(run: ItemRun) -> Records:
    """The verdict in a list above the run, for one that has no result.txt itself."""
    domain, task = run.folder.absolute().parts[-2:] if len(run.folder.parts) > 1 else ("", "")
    for above in list(run.folder.absolute().parents)[:LEVELS]:
        for name in LISTS:
            if mode_of(above / name):
                yield from _from_list(run, above, name, domain, task)


def _from_list(run: ItemRun, above: Path, name: str, domain: str, task: str) -> Records:
    try:
        content = read_content(above, name, LARGEST_LIST)
        result = _result_in(content.data, domain, task)
    except Unreadable as fault:
        yield Problem(f"../{name}", fault.offset, fault.reason)
        return
    if result is None:
        return
    score = score_of(result.get("score"))
    report = f"{Path(name).name} says {in_words(result.get('status', result.get('score')))}"
    yield run.verdict("osworld-summary", score, report, {"raw": result}, f"../{name}")
    if error := result.get("err_message"):
        data = {"kind": "error", "error": error}
        yield from run.entry(
            Level.ERROR, f"the runner: {in_words(error)}", data, f"../{name}", task
        )


def _result_in(data: bytes, domain: str, task: str) -> dict[str, Any] | None:
    listed: Any = None
    with suppress(Unreadable):
        listed = parse(data)
    if listed is None:  # some forks write the Python literal
        listed = unpacked(data.decode("utf-8", "replace"))
    if isinstance(listed, str):
        raise Unreadable("The list of results is neither JSON nor a Python literal.", 0)
    for result in map(as_object, as_list(listed)):
        if result.get("task_id") == task and result.get("application", domain) == domain:
            return result
    score = as_object(as_object(listed).get(domain)).get(task)
    return None if score is None else {"score": score}
