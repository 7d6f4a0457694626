"""What an agent says is cleaned before it reaches the disk, whatever it is."""

import base64
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentruns import Recorder, Run, logging_handler
from agentruns.cleaning import REDACTED, Cleaner, SecretPatterns, clean_json, redact, take_pixels
from agentruns.models import LogEntry, Upload, check_json
from agentruns.spool import Spool
from tests.unit.cua_folders import data_url, png
from tests.unit.spools import events, records

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=4)
        | st.sets(st.text(), max_size=2)
    ),
    max_leaves=12,
)
TELLING = ("password", "value", "name", "api_key", "token", "pin", "n", "EMP-1")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["Authorization", "sk-abcdefgh1234567890abcd", "password=tr0ub4dor", "EMP-12"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(TELLING), inner, max_size=4)
    ),
    max_leaves=12,
)
#: Shapes of a secret, made up here; none was ever valid.
SECRET = "sk-proj-abcdefghij0123456789"


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run for the many examples of a property."""
    folder = tmp_path_factory.mktemp("spool")
    with Recorder("a", spool=folder, deliver=False, exit_seconds=0) as recorder:
        yield recorder.start_run()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0, secrets=["EMP-[0-9]+"]) as it:
        yield it.start_run()


def said(folder: Path) -> list[LogEntry]:
    return [record for record in records(Spool(folder)) if isinstance(record, LogEntry)]


@given(message=ANYTHING, data=st.dictionaries(st.text(), ANYTHING, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_an_agent_says_is_kept_as_clean_json(
    endless: Run, message: Any, data: dict[str, Any]
) -> None:
    kept: list[Any] = []
    endless.log(message, level="info", **{f"_{key}": value for key, value in data.items()})
    endless.progress(None, message, data=data)
    endless.remember(message, **{f"_{key}": value for key, value in data.items()})
    check_json(endless._cleaner.json(data, kept.append))


def test_all_that_was_said_can_be_read_back(endless: Run, tmp_path_factory: Any) -> None:
    spool = endless._writer._spool
    assert [event.damage for event in events(spool) if event.damage] == []


@given(value=JSON)
@settings(max_examples=500, deadline=None)
def test_the_quick_way_cleans_as_the_thorough_one(value: Any) -> None:
    patterns = SecretPatterns(["EMP-[0-9]+"])
    thorough = redact(take_pixels(clean_json(value), lambda _: None), patterns).value
    assert Cleaner(patterns).json(value) == thorough


def test_cleaned_metadata_is_a_copy(run: Run) -> None:
    told = {"list": [1], "object": {"a": 1}}
    kept = Cleaner().object(told)
    told["list"].append(2)
    told["object"]["b"] = "sk-late"
    assert kept == {"list": [1], "object": {"a": 1}}


def test_what_cannot_be_said_is_named(run: Run, tmp_path: Path) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = [endless, endless]
    run.log(Unspeakable(), thing=Unspeakable(), key={Unspeakable: 1}, endless=endless)
    (entry,) = said(tmp_path)
    assert entry.message == "[left out: Unspeakable that cannot be written as text]"
    assert entry.data["thing"] == entry.message
    assert entry.data["endless"] == {"again": ["[left out: it contains itself]"] * 2}


def test_secrets_reach_no_file_of_the_spool_by_any_way(run: Run, tmp_path: Path) -> None:
    log = logging.getLogger("some.library")
    log.addHandler(handler := logging_handler(run))
    picture = tmp_path.parent / f"{tmp_path.name} {SECRET}.png"
    picture.write_bytes(png(1))
    try:
        run.log(
            f"using {SECRET}",
            key=SECRET,
            **{SECRET: 1},
            headers={"Authorization": "hunter2hunter2"},
        )
        run.progress(1, SECRET, data={"nested": [{"password": "hunter2hunter2"}]})
        run.remember(SECRET, memory_type=SECRET, note=SECRET)
        run.screenshot(picture, note=SECRET)
        run.file(b"text", name=SECRET, note={"api_key": "hunter2hunter2"})
        log.error("failed with %s", SECRET, extra={"token": "hunter2hunter2"})
        try:
            Path(SECRET).read_bytes()
        except OSError:
            log.exception("oh")
        with run.capture_output():
            print(SECRET)  # noqa: T201 - what is captured
    finally:
        log.removeHandler(handler)
        picture.unlink()
    run.finish("failed", SECRET, fact=SECRET)
    contents = _everything(tmp_path)
    assert SECRET.encode() not in contents
    assert b"hunter2" not in contents


def test_secrets_in_the_words_of_a_task_are_taken_out(tmp_path: Path) -> None:
    with Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0) as recorder:
        recorder.start_run(SECRET, description=SECRET, metadata={"note": SECRET}).finish()
    assert SECRET.encode() not in _everything(tmp_path)


def test_own_patterns_hide_texts_and_keys_and_what_lies_under_them(
    run: Run, tmp_path: Path
) -> None:
    run.log("by EMP-4711", who="EMP-4711", **{"EMP-1": "Jane", "of EMP-2": "Joe"})
    (entry,) = said(tmp_path)
    assert entry.message == f"by {REDACTED}"
    assert entry.data == {"who": REDACTED, REDACTED: REDACTED, f"of {REDACTED}": "Joe"}


def test_own_patterns_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "secrets.txt"
    listed.write_text("# customers\nCUST-[0-9]+\n\n(?i)project \\w+\n")
    monkeypatch.setenv("AGENTRUNS_SECRETS", str(listed))
    hidden = Recorder("a", secrets=[re.compile("EMP-[0-9]+")]).cleaner.text
    assert hidden("CUST-1, Project X, EMP-7, other") == "[redacted], [redacted], [redacted], other"


def test_the_patterns_of_one_recorder_are_not_another_s() -> None:
    Recorder("a", secrets=["EMP-[0-9]+"])
    assert Recorder("a").cleaner.text("EMP-7") == "EMP-7"


def test_a_pattern_that_matches_nothing_hides_nothing() -> None:
    assert Recorder("a", secrets=["x*"]).cleaner.text("abxxc") == f"ab{REDACTED}c"


def test_a_picture_inside_data_becomes_a_screenshot_that_says_where(
    run: Run, tmp_path: Path
) -> None:
    entry_id = run.log(f"saw {data_url(png(1))}", shot=data_url(png(2)), raw=png(3))
    (entry,) = said(tmp_path)
    found = [one for one in records(run._writer._spool) if isinstance(one, Upload)]
    assert entry.id == entry_id
    assert {(one.file.metadata["found_in"], one.file.metadata["path"]) for one in found} == {
        (str(entry_id), "message"),
        (str(entry_id), "shot"),
        (str(entry_id), "raw"),
    }
    kept = {one.file.metadata["path"]: one for one in found}
    assert Path(kept["raw"].content).read_bytes() == png(3)
    assert entry.data["shot"]["sha256"] == kept["shot"].file.sha256
    assert f"[picture sha256:{kept['message'].file.sha256} image/png" in entry.message


def test_a_picture_that_is_cut_off_inside_data_is_kept_as_a_file(run: Run) -> None:
    run.progress(1, data={"shot": base64.b64encode(png(1)[:-20]).decode()})
    (found,) = [one for one in records(run._writer._spool) if isinstance(one, Upload)]
    assert (found.file.bucket, found.file.content_type) == ("binaries", "image/png")
    assert "cut off" in found.file.metadata["fault"]


def test_nothing_is_cut(run: Run, tmp_path: Path) -> None:
    run.log("x" * 1_000_000, many=list(range(20_000)))
    (entry,) = said(tmp_path)
    assert (len(entry.message), len(entry.data["many"])) == (1_000_000, 20_000)


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
