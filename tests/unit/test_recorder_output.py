"""What code prints and logs becomes log entries of its run, and still reaches its reader."""

# ruff: noqa: T201 - printing is what is tested

import io
import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentruns import Recorder, Run, logging_handler
from agentruns.models import LogEntry
from agentruns.recording.output import LONGEST_LINE
from tests.unit.spools import records


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0) as recorder:
        yield recorder.start_run()


@pytest.fixture
def log(run: Run) -> Iterator[logging.Logger]:
    log = logging.getLogger("some.library")
    log.setLevel(logging.DEBUG)
    log.addHandler(handler := logging_handler(run))
    yield log
    log.removeHandler(handler)


def entries(run: Run) -> list[LogEntry]:
    return [one for one in records(run._writer._spool) if isinstance(one, LogEntry)]


def lines(run: Run) -> list[tuple[str, str]]:
    return [(entry.level.value, entry.message) for entry in entries(run)]


def test_what_is_printed_is_kept_and_still_shown(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with run.capture_output():
        print("opened the page")
        print("careful", file=sys.stderr)
    assert lines(run) == [("info", "opened the page"), ("warning", "careful")]
    assert [entry.data for entry in entries(run)] == [{"stream": "stdout"}, {"stream": "stderr"}]
    assert capsys.readouterr() == ("opened the page\n", "careful\n")


def test_what_is_printed_outside_the_block_is_not_kept(run: Run) -> None:
    before = sys.stdout, sys.stderr
    with run.capture_output():
        inside = sys.stdout
    print("after")
    inside.write("late\n")
    assert (sys.stdout, sys.stderr) == before
    assert lines(run) == []


def test_a_line_that_was_begun_is_told_at_the_end(run: Run) -> None:
    with run.capture_output():
        print("one, ", end="")
        print("two")
        print("three", end="")
    assert lines(run) == [("info", "one, two"), ("info", "three")]


def test_a_progress_bar_is_kept_as_it_was_last_seen(run: Run) -> None:
    with run.capture_output():
        for percent in range(0, 101, 10):
            sys.stdout.write(f"\r{percent} %")
        sys.stdout.write("\r\nnext\r\n")
    assert lines(run) == [("info", "100 %"), ("info", "next")]


def test_a_line_without_end_is_told_in_pieces(run: Run) -> None:
    with run.capture_output():
        for _ in range(300):
            sys.stdout.write("." * 1000)
    assert sum(len(message) for _, message in lines(run)) == 300_000
    assert max(len(message) for _, message in lines(run)) <= LONGEST_LINE + 1000


def test_a_flood_of_lines_shares_an_entry(run: Run) -> None:
    with run.capture_output():
        sys.stdout.write("".join(f"line {number}\n" for number in range(1000)))
    (entry,) = entries(run)
    assert entry.message == "1000 lines of output"
    assert entry.data["lines"][999] == "line 999"


def test_a_key_of_many_lines_is_taken_out_as_a_whole(run: Run) -> None:
    with run.capture_output():
        print("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nBgkqhki\n-----END PRIVATE KEY-----\ndone")
    assert lines(run) == [("info", "[redacted]"), ("info", "done")]


def test_a_key_that_is_printed_line_by_line_is_taken_out_as_a_whole(run: Run) -> None:
    with run.capture_output():
        print("-----BEGIN RSA PRIVATE KEY-----")
        print("Proc-Type: 4,ENCRYPTED")
        print()
        print("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj")
        print("-----END RSA PRIVATE KEY-----")
        print("done")
    told = [text for _, text in lines(run)]
    assert set(told[:-1]) == {"[redacted]"}
    assert told[-1] == "done"


def test_the_beginning_of_a_key_alone_hides_no_words(run: Run) -> None:
    with run.capture_output():
        print("it begins with -----BEGIN PRIVATE KEY-----")
        print("and that is all that there is")
    assert lines(run)[1:] == [("info", "and that is all that there is")]


def test_a_process_without_standard_streams_may_print(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with run.capture_output():
        print("nobody reads this", flush=True)
    assert sys.stdout is None
    assert lines(run) == [("info", "nobody reads this")]


def test_a_block_inside_another_is_restored_in_any_order(run: Run) -> None:
    before = sys.stdout
    outer, inner = run.capture_output(), run.capture_output()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    print("inner")
    inner.__exit__(None, None, None)
    print("none")
    assert lines(run) == [("info", "inner")]
    sys.stdout = before


def test_a_stream_that_somebody_else_put_on_top_stays(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = io.StringIO()
    with run.capture_output():
        monkeypatch.setattr(sys, "stdout", theirs)
        print("theirs")
    assert sys.stdout is theirs
    assert lines(run) == []


def test_threads_may_print_at_once(run: Run) -> None:
    def work(name: int) -> None:
        for number in range(50):
            sys.stdout.write(f"{name}-{number}\n")

    with run.capture_output():
        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(message for _, message in lines(run)) == sorted(
        f"{name}-{number}" for name in range(4) for number in range(50)
    )


def test_a_full_spool_never_fails_a_print_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0, max_bytes=2**20) as recorder:
        run = recorder.start_run()
        with run.capture_output():
            for _ in range(20):
                print("x" * 100_000)
    assert capsys.readouterr().out.count("\n") == 20
    assert "What is written to stdout could not be kept: The spool" in caplog.text
    assert "lines of stdout could not be kept." in caplog.text


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (25, "info"),
        (logging.WARNING, "warning"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "critical"),
        (90, "critical"),
        (1, "debug"),
    ],
)
def test_each_level_of_logging_has_its_own(
    run: Run, log: logging.Logger, level: int, kept: str
) -> None:
    log.setLevel(1)
    log.log(level, "opened %s", "the page")
    assert lines(run) == [(kept, "opened the page")]
    assert entries(run)[0].data == {"logger": "some.library"}


def test_exceptions_and_extras_are_kept(run: Run, log: logging.Logger) -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("could not divide", extra={"seat": "12A"}, stack_info=True)
    (entry,) = entries(run)
    assert entry.data["exception"]["type"] == "ZeroDivisionError"
    assert "_ = 1 / 0" in entry.data["exception"]["traceback"]
    assert entry.data["extra"] == {"seat": "12A"}
    assert "could not divide" in entry.data["stack"]


def test_a_handler_keeps_only_what_reaches_its_level(run: Run) -> None:
    log = logging.getLogger("some.other")
    log.addHandler(handler := logging_handler(run, level=logging.ERROR))
    log.warning("no")
    log.error("yes")
    log.removeHandler(handler)
    assert lines(run) == [("error", "yes")]


def test_a_handler_never_raises_into_the_agent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Recorder("a", spool=tmp_path, deliver=False, exit_seconds=0, max_bytes=2**20) as recorder:
        run = recorder.start_run()
        log = logging.getLogger("some.third")
        log.propagate = False
        log.addHandler(handler := logging_handler(run))
        log.error("large", extra={"much": "x" * 2_000_000})
        log.error("only %d", "a word")
        log.removeHandler(handler)
    assert "SpoolFull" in capsys.readouterr().err
    assert lines(run) == []


def test_what_logs_while_it_is_recorded_does_not_go_round(run: Run, log: logging.Logger) -> None:
    class Chatty:
        def __str__(self) -> str:
            log.warning("asked for my name")
            return "chatty"

    log.info("hello", extra={"who": Chatty()})
    assert [message for _, message in lines(run)] == ["hello"]
