"""The words refuse at the door what no store should ever see."""

import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentruns.models import (
    ENDED,
    MAY_FOLLOW,
    AgentId,
    AgentTask,
    Bucket,
    Evaluation,
    Health,
    LogEntry,
    Memory,
    Page,
    ProgressUpdate,
    Status,
    StoredFile,
    Upload,
    check_json,
    imported_id,
    may_become,
    new_id,
    object_path,
    utcnow,
)

SHA = "0123456789abcdef" * 4
AGENT = TypeAdapter(AgentId)


def evaluation(**fields):
    about = {"task_id": new_id(), "agent_id": "a", "scorer": "s", "scorer_version": "1"}
    return Evaluation(**about | {"score": 0.5} | fields)


def stored_file(**fields):
    given = {
        "agent_id": "a",
        "bucket": "screenshots",
        "object_path": f"a/no-task/{SHA}.png",
        "content_type": "image/png",
        "size_bytes": 0,
        "sha256": SHA,
    }
    return StoredFile(**given | fields)


@pytest.mark.parametrize("agent_id", ["a", "0", "browser-1", "a_b-c", "x" * 57, "config", "admin"])
def test_plain_agent_ids_are_accepted(agent_id):
    """`admin` and the like are harmless: databases are called `agent_admin`."""
    assert AgentTask(agent_id=agent_id, title="x").agent_id == agent_id


@pytest.mark.parametrize(
    "agent_id",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 58, id="cut to 63 bytes it would collide"),
        pytest.param("Agent1", id="upper case would collide"),
        pytest.param("..", id="parent folder"),
        pytest.param("a/b", id="slash"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("a.b", id="dot"),
        pytest.param("a b", id="space"),
        pytest.param("a\n", id="newline at the end"),
        pytest.param("a\x00", id="NUL"),
        pytest.param("-a", id="leading dash, an option"),
        pytest.param("_a", id="leading underscore"),
        pytest.param("a$b", id="dollar"),
        pytest.param('a"b', id="quote"),
        pytest.param("a*", id="wildcard"),
        pytest.param("é", id="not ASCII"),
        pytest.param("\u0430", id="Cyrillic look-alike"),
        pytest.param("\uff11", id="digit of another script"),
        pytest.param("a\u202eb", id="right-to-left mark"),
        pytest.param(None, id="None"),
        pytest.param(1, id="number"),
        pytest.param({"$ne": ""}, id="operator"),
    ],
)
def test_hostile_agent_ids_are_refused(agent_id):
    with pytest.raises(ValidationError, match="agent_id"):
        AgentTask(agent_id=agent_id, title="x")


@given(st.text(max_size=70))
def test_an_accepted_agent_id_is_safe_as_a_name_everywhere(text):
    try:
        AGENT.validate_python(text)
    except ValidationError:
        return
    assert text.isascii()
    assert text == text.lower()
    assert not set(text) - set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    assert len(f"agent_{text}".encode()) <= 63


@pytest.mark.parametrize("percent", [101, -0.1, math.nan, math.inf, "half"])
def test_a_percentage_lies_between_0_and_100(percent):
    with pytest.raises(ValidationError, match="progress_percent"):
        ProgressUpdate(task_id=new_id(), agent_id="a", progress_percent=percent)


@pytest.mark.parametrize("percent", [0, 100, 33.3, None])
def test_a_percentage_may_be_unknown(percent):
    update = ProgressUpdate(task_id=new_id(), agent_id="a", progress_percent=percent)
    assert update.progress_percent == percent


def test_a_score_of_a_hundred_is_refused_with_the_right_one():
    with pytest.raises(ValidationError, match=r"from 0 to 1; for 85.5 of 100 write 0.855"):
        evaluation(score=85.5)


@pytest.mark.parametrize("score", [-0.1, 101, math.nan, math.inf])
def test_a_score_lies_between_0_and_1(score):
    with pytest.raises(ValidationError, match="score"):
        evaluation(score=score)


def test_a_score_may_be_not_applicable_but_not_forgotten():
    assert evaluation(score=None).score is None
    with pytest.raises(ValidationError, match="score"):
        Evaluation(task_id=new_id(), agent_id="a", scorer="s", scorer_version="1")


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"], ids=["NUL", "lone surrogate"])
def test_text_that_no_store_takes_is_refused(text):
    for make in (
        lambda: AgentTask(agent_id="a", title=text),
        lambda: AgentTask(agent_id="a", title="x", description=text),
        lambda: LogEntry(agent_id="a", message=text),
        lambda: LogEntry(agent_id="a", message="x", data={"deep": [{"er": text}]}),
        lambda: LogEntry(agent_id="a", message="x", data={text: 1}),
        lambda: Memory(agent_id="a", content=text),
        lambda: evaluation(report=text),
    ):
        with pytest.raises(ValidationError, match=r"text may not contain|unicode string"):
            make()


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.nan, id="NaN"),
        pytest.param([math.inf], id="Infinity"),
        pytest.param({"a": -math.inf}, id="-Infinity"),
        pytest.param(2**63, id="65 bits"),
        pytest.param(-(2**63) - 1, id="65 bits, negative"),
        pytest.param({1: 2}, id="key that is no text"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param({1, 2}, id="set"),
        pytest.param(utcnow(), id="time"),
        pytest.param(nested(81), id="deep"),
        pytest.param(nested(100_000), id="so deep that recursion would end"),
    ],
)
def test_json_that_one_of_the_stores_refuses_is_refused(value):
    with pytest.raises(ValueError, match=r"."):
        check_json(value)


@pytest.mark.parametrize("value", [None, True, 2**63 - 1, -(2**63), 1e308, "é🎈", nested(80), {}])
def test_json_that_both_stores_keep_is_accepted(value):
    check_json(value)


@pytest.mark.parametrize(
    "path",
    [
        "/a/f",
        "a//f",
        "a/../b/f",
        "a/./f",
        "a\\f",
        "a/f\x00",
        "a/f\n",
        "a/\u202egnp.exe",
        "a/" + "x" * 1023,
        "a/f/",
        "b/f",
        "ab/f",
        "a",
        "",
    ],
)
def test_an_object_lies_at_a_plain_path_under_its_agent(path):
    with pytest.raises(ValidationError, match="object_path"):
        stored_file(object_path=path)


def test_an_objects_name_tells_whose_it_is_and_what_it_holds():
    task_id = new_id()
    assert object_path("a", task_id, SHA, ".png") == f"a/{task_id}/{SHA}.png"
    assert object_path("a", None, SHA, "") == f"a/no-task/{SHA}"


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256": SHA.upper()},
        {"sha256": SHA[:-1]},
        {"sha256": f"{SHA}\n"},
        {"size_bytes": -1},
        {"bucket": "other"},
        {"content_type": ""},
    ],
)
def test_a_stored_file_is_refused_for(fields):
    with pytest.raises(ValidationError, match=next(iter(fields))):
        stored_file(**fields)


def test_an_upload_never_shows_its_content():
    upload = Upload(file=stored_file(), content=b"s3cret")
    assert "s3cret" not in repr(upload)
    assert Upload(file=stored_file(), content=Path("x")).content == Path("x")


def test_a_time_needs_a_zone():
    with pytest.raises(ValidationError, match="created_at"):
        LogEntry(agent_id="a", message="x", created_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the very point


def test_times_are_kept_in_utc_with_milliseconds():
    at = datetime(2026, 1, 1, 1, microsecond=123_999, tzinfo=timezone(timedelta(hours=1)))
    kept = LogEntry(agent_id="a", message="x", created_at=at).created_at
    assert kept == datetime(2026, 1, 1, microsecond=123_000, tzinfo=UTC)
    assert kept.tzinfo is UTC
    assert utcnow().tzinfo is UTC
    assert utcnow().microsecond % 1000 == 0


def test_a_model_is_frozen_and_refuses_what_it_does_not_know():
    task = AgentTask(agent_id="a", title="x")
    with pytest.raises(ValidationError, match="frozen"):
        task.title = "y"
    with pytest.raises(ValidationError, match="Extra inputs"):
        AgentTask(agent_id="a", title="x", colour="red")


@pytest.mark.parametrize("title", ["", "x" * 501])
def test_a_title_is_there_and_short(title):
    with pytest.raises(ValidationError, match="title"):
        AgentTask(agent_id="a", title=title)


def test_an_unknown_status_is_refused():
    with pytest.raises(ValidationError, match="status"):
        AgentTask(agent_id="a", title="x", status="running")


def test_a_step_is_a_count():
    for step in (-1, 2**31, 1.5):
        with pytest.raises(ValidationError, match="step"):
            ProgressUpdate(task_id=new_id(), agent_id="a", step=step)


@pytest.mark.parametrize("sequence", [0, -1, 2**63, 1.5])
def test_a_place_in_a_sequence_counts_from_1(sequence):
    with pytest.raises(ValidationError, match="sequence"):
        LogEntry(agent_id="a", message="x", sequence=sequence)


@pytest.mark.parametrize("sequence", [None, 1, 2**63 - 1])
def test_a_record_tells_its_place_where_somebody_counted(sequence):
    about = {"agent_id": "a", "sequence": sequence}
    records = [
        LogEntry(message="x", **about),
        Memory(content="x", **about),
        ProgressUpdate(task_id=new_id(), **about),
        stored_file(**about),
    ]
    assert [record.model_dump()["sequence"] for record in records] == [sequence] * 4


def test_every_status_has_its_place_in_the_state_machine():
    assert set(MAY_FOLLOW) == set(Status)
    assert may_become(Status.PENDING) == frozenset()
    assert may_become(Status.IN_PROGRESS) == {Status.PENDING, Status.INTERRUPTED}
    assert may_become(Status.COMPLETED) == {
        Status.PENDING,
        Status.IN_PROGRESS,
        Status.INTERRUPTED,
    }


def test_what_has_ended_goes_on_only_after_an_interruption():
    assert {status for status in ENDED if MAY_FOLLOW[status]} == {Status.INTERRUPTED}


def test_new_ids_are_ordered_by_birth_and_never_repeat():
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert {id_.version for id_ in ids} == {7}


def test_imported_ids_repeat_for_the_same_source_only():
    assert imported_id("cua", "run1") == imported_id("cua", "run1")
    assert imported_id("a", "bc") != imported_id("ab", "c")
    assert imported_id("a", "b") != imported_id("a:b")
    assert imported_id("x").version == 5


def test_a_page_is_a_sequence_with_a_cursor():
    page = Page((1, 2, 3), "more")
    assert (len(page), page[0], page[-1], list(page), page[1:]) == (3, 1, 3, [1, 2, 3], (2, 3))
    assert 2 in page
    assert not Page(())
    assert page.next == "more"
    assert Page((1,)).next is None


def test_a_health_says_what_was_seen():
    assert Health(name="x", healthy=False, latency_ms=1, detail="away").detail == "away"


def test_buckets_are_named_as_in_the_store():
    assert [bucket.value for bucket in Bucket] == ["screenshots", "binaries"]
