"""Commands run for real: what they print, how they end, and that nothing stays behind."""

import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from uuid import UUID

import pytest

from agentruns.models import Level
from agentruns.recording.command import Exit, run_command
from agentruns.recording.entries import MOST_ENTRIES, OutputLog
from agentruns.recording.environment import child_environment
from agentruns.recording.lines import LONGEST_LINE, LineBuffer, Lines, readable

TASK = UUID("00000000-0000-7000-8000-000000000001")


def run(*command: str) -> tuple[Exit, list[tuple[Level, str, bool]]]:
    printed: list[tuple[Level, str, bool]] = []

    def keep(level: Level, lines: Lines) -> None:
        printed.extend((level, text, n in lines.damaged) for n, text in enumerate(lines.texts))

    return run_command(command, keep, os.environ), printed


def python(code: str) -> tuple[Exit, list[tuple[Level, str, bool]]]:
    return run(sys.executable, "-c", code)


def texts(printed: list[tuple[Level, str, bool]]) -> list[str]:
    return [text for _, text, _ in printed]


def test_a_command_that_ends_well_gives_its_lines_and_zero() -> None:
    ended, printed = python("import sys; print('out'); print('err', file=sys.stderr)")
    assert ended == Exit(0, "exit code 0")
    assert sorted(printed) == [(Level.INFO, "out", False), (Level.WARNING, "err", False)]


def test_the_exit_code_is_the_commands() -> None:
    assert python("raise SystemExit(7)")[0] == Exit(7, "exit code 7")


def test_a_killed_command_tells_the_signal() -> None:
    ended, printed = python("import os; print('last', flush=True); os.kill(os.getpid(), 9)")
    assert ended == Exit(137, "killed by SIGKILL")
    assert texts(printed) == ["last"]


def test_a_command_that_does_not_exist_is_127() -> None:
    ended, _ = run("no-such-command-here")
    assert (ended.code, ended.started) == (127, False)
    assert "does not exist" in ended.reason


def test_a_file_that_is_not_executable_is_126(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo hello")
    script.chmod(stat.S_IRUSR)
    assert run(str(script))[0].code == 126


@pytest.mark.parametrize("argument", ["with\0nul", ""])
def test_a_command_that_the_system_refuses_is_an_answer_not_a_crash(argument: str) -> None:
    assert run(argument)[0].started is False


def test_no_shell_reads_the_arguments() -> None:
    assert texts(run("echo", "$HOME; ls *")[1]) == ["$HOME; ls *"]


def test_a_command_that_reads_gets_the_end_of_input() -> None:
    assert texts(python("import sys; print(repr(sys.stdin.read()))")[1]) == ["''"]


def test_bytes_that_are_not_utf8_are_spelled_out_and_marked() -> None:
    _, printed = python(r"import os; os.write(1, b'good\nbad \xff\xfe\n')")
    assert [(text, mark) for _, text, mark in printed] == [
        ("good", False),
        (r"bad \xff\xfe", True),
    ]


def test_nul_is_replaced() -> None:
    assert texts(python(r"import os; os.write(1, b'a\0b\n')")[1]) == ["a\ufffdb"]


def test_a_partial_last_line_is_kept() -> None:
    assert texts(python("print('one'); print('two', end='')")[1]) == ["one", "two"]


def test_a_progress_bar_counts_as_what_stood_there_last() -> None:
    _, printed = python(r"print('10%\r50%\r100%\r\ndone', end='\r\n')")
    assert texts(printed) == ["100%", "done"]


def test_a_background_process_that_keeps_the_output_open_is_not_waited_for() -> None:
    start = time.monotonic()
    ended, printed = run("sh", "-c", "echo begun; sleep 30 & echo ended")
    assert ended.code == 0
    assert texts(printed) == ["begun", "ended"]
    assert time.monotonic() - start < 5


def test_a_command_that_closes_its_output_is_waited_for() -> None:
    ended, _ = python("import os, time; os.close(1); os.close(2); time.sleep(0.5); os._exit(3)")
    assert ended.code == 3


def test_a_hundred_megabytes_are_handed_on_in_few_pieces_and_all_there() -> None:
    counts, sizes = [], []

    def count(_level: Level, lines: Lines) -> None:
        counts.append(len(lines.texts))
        sizes.append(len("\n".join(lines.texts)) + 1)

    code = "import sys\nfor _ in range(1_000_000): sys.stdout.write('x' * 99 + '\\n')"
    assert run_command([sys.executable, "-c", code], count, os.environ).code == 0
    assert sum(counts) == 1_000_000
    assert sum(sizes) == 100_000_000
    assert max(sizes) < 3 * 1024 * 1024


def test_an_error_while_handing_on_ends_the_command() -> None:
    def refuse(_level: Level, lines: Lines) -> None:
        raise RuntimeError(lines.texts[0])

    with pytest.raises(RuntimeError) as caught:
        run_command(["sh", "-c", "echo $$; sleep 60"], refuse, os.environ)
    assert _is_gone(int(str(caught.value)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_us_ends_the_whole_group(number: signal.Signals) -> None:
    printed: list[str] = []

    def interrupt(_level: Level, lines: Lines) -> None:
        if not printed:
            threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        printed.extend(lines.texts)

    script = "trap 'echo tidied; exit 1' TERM; sleep 60 & echo $$ $!; wait"
    with pytest.raises(KeyboardInterrupt):
        run_command(["sh", "-c", script], interrupt, os.environ)
    first, second = printed[0].split()
    assert "tidied" in printed
    assert _is_gone(int(first))
    assert _is_gone(int(second))


def test_a_command_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentruns.recording.command.GRACE_SECONDS", 0.3)
    pids: list[int] = []

    def interrupt(_level: Level, lines: Lines) -> None:
        pids.append(int(lines.texts[0]))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_command(
            ["sh", "-c", "trap '' TERM; echo $$; sleep 60; sleep 60"], interrupt, os.environ
        )
    assert _is_gone(pids[0])


def _is_gone(pid: int) -> bool:
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_the_command_learns_its_task_and_none_of_our_credentials() -> None:
    ours = {
        "MONGODB_URL": "secret",
        "mongodb_url": "secret",
        "POSTGRES_URL_FILE": "secret",
        "MINIO_SECRET_KEY": "secret",
        "PREFECT_API_AUTH_STRING": "secret",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "secret",
        "AGENTRUNS_ENV_FILE": "secret",
    }
    assert child_environment({"PATH": "/bin"} | ours, "browser-1", TASK) == {
        "PATH": "/bin",
        "AGENT_ID": "browser-1",
        "AGENTRUNS_TASK_ID": str(TASK),
    }


def test_lines_come_out_whole_however_the_bytes_are_cut() -> None:
    text = "one\r\ntwo é ü 漢\n\nfour".encode()
    for size in range(1, len(text) + 1):
        buffer = LineBuffer()
        lines = [
            line for at in range(0, len(text), size) for line in buffer.feed(text[at : at + size])
        ]
        assert b"\n".join(lines + buffer.flush()).decode() == "one\ntwo é ü 漢\n\nfour"


def test_a_line_without_end_is_cut_between_characters_and_never_held_whole() -> None:
    buffer = LineBuffer()
    lines = [line for _ in range(40) for line in buffer.feed("漢".encode() * 10_000)]
    assert all(len(line) <= LONGEST_LINE for line in lines)
    assert not readable(lines).damaged
    assert b"".join(lines + buffer.flush()).decode() == "漢" * 400_000


def test_an_endless_progress_bar_is_held_in_little_memory() -> None:
    buffer = LineBuffer()
    for step in range(10_000):
        assert buffer.feed(b"%d%%\r" % step) == []
    assert buffer.flush() == [b"9999%"]


def test_few_lines_become_an_entry_each_and_a_flood_becomes_one() -> None:
    log = OutputLog("browser-1", TASK, attempt=2)
    few = list(log.entries(Level.INFO, Lines(["a", "b"], frozenset({1}))))
    assert [entry.message for entry in few] == ["a", "b"]
    assert few[1].data == {"stream": "stdout", "attempt": 2, "line": 2, "damaged": True}
    (flood,) = log.entries(Level.INFO, Lines([str(n) for n in range(MOST_ENTRIES + 1)]))
    assert flood.data["line"] == 3
    assert flood.data["lines"] == [str(n) for n in range(MOST_ENTRIES + 1)]
