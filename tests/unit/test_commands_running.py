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

from agentruns.cleaning import SecretPatterns
from agentruns.commands.command import Exit, run_command
from agentruns.commands.entries import MOST_ENTRIES, OutputLog
from agentruns.commands.environment import child_environment
from agentruns.commands.lines import LONGEST_LINE, LineBuffer, Lines, readable
from agentruns.commands.signals import Signals
from agentruns.models import Level

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_that_calls_off_reaches_the_command_and_leaves_nothing_of_its_group(
    number: signal.Signals,
) -> None:
    heard = Heard(number)
    script = f"trap 'echo tidied; exit 4' {number.name[3:]}; sleep 60 & echo $$ $!; wait"
    ended = heard.run(script)
    first, second = heard.printed[0].split()
    assert (ended.code, heard.signals.called_off) == (4, number)
    assert "tidied" in heard.printed
    assert _is_gone(int(first))
    assert _is_gone(int(second))


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_other_signals_are_passed_on_and_call_nothing_off(number: signal.Signals) -> None:
    heard = Heard(number)
    script = f"trap 'echo heard; exit 0' {number.name[3:]}; echo begun; while :; do sleep 0.1; done"
    assert heard.run(script).code == 0
    assert (heard.printed[-1], heard.signals.called_off) == ("heard", None)


def test_the_first_ctrl_c_lets_the_command_end_by_itself() -> None:
    heard = Heard(signal.SIGINT)
    ended = heard.run("trap 'sleep 1; echo at leisure; exit 0' INT; echo begun; sleep 60 & wait")
    assert ended.code == 0
    assert heard.printed == ["begun", "at leisure"]


def test_the_second_ctrl_c_ends_a_command_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentruns.commands.signals.GRACE_SECONDS", 0.3)
    heard = Heard(signal.SIGINT, signal.SIGINT)
    ended = heard.run("trap '' INT TERM; echo $$; sleep 60; sleep 60")
    assert ended == Exit(137, "killed by SIGKILL")
    assert _is_gone(int(heard.printed[0]))


def test_a_command_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentruns.commands.signals.GRACE_SECONDS", 0.3)
    heard = Heard(signal.SIGTERM)
    assert heard.run("trap '' TERM; echo $$; sleep 60; sleep 60").code == 137
    assert _is_gone(int(heard.printed[0]))


def test_signals_that_are_ignored_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        heard = Heard(signal.SIGHUP)
        assert heard.run("echo begun; sleep 0.5; echo ended").code == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (heard.printed, heard.signals.called_off) == (["begun", "ended"], None)


def test_what_ends_the_recording_ends_the_whole_group() -> None:
    printed: list[str] = []

    def interrupt(_level: Level, lines: Lines) -> None:
        printed.extend(lines.texts)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_command(["sh", "-c", "sleep 60 & echo $$ $!; wait"], interrupt, os.environ)
    assert all(_is_gone(int(pid)) for pid in printed[0].split())


class Heard:
    """A command that gets some signals, half a second apart, once it has printed something."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.signals = Signals()
        self.printed: list[str] = []
        self._numbers = numbers

    def run(self, script: str) -> Exit:
        with self.signals.passed_on():
            return run_command(["sh", "-c", script], self._take, os.environ, self.signals)

    def _take(self, _level: Level, lines: Lines) -> None:
        if not self.printed:
            for place, number in enumerate(self._numbers):
                threading.Timer(0.2 + 0.5 * place, os.kill, (os.getpid(), number)).start()
        self.printed.extend(lines.texts)


def test_a_question_is_shown_while_it_waits_for_an_answer() -> None:
    shown: list[tuple[str, bool, float]] = []

    def keep(_level: Level, lines: Lines) -> None:
        shown.append((lines.texts[0], lines.unfinished, time.monotonic()))

    script = "printf 'name? '; sleep 3; echo; echo 'no answer'"
    run_command(["sh", "-c", script], keep, os.environ)
    assert [(text, unfinished) for text, unfinished, _ in shown] == [
        ("name? ", True),
        ("no answer", False),
    ]
    assert shown[1][2] - shown[0][2] > 0.5


def test_a_key_that_comes_line_by_line_is_taken_out_as_a_whole() -> None:
    """A log that is followed, say, gives its lines one after the other."""
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj"
    _, printed = python(
        "import time\n"
        "begin, end = (f'-----{word} PRIVATE KEY-----' for word in ('BEGIN', 'END'))\n"
        f"for line in ['see:', begin, *['{body}'] * 5, end, 'that was it', '{body}']:\n"
        "    print(line, flush=True)\n"
        "    time.sleep(0.12)"
    )
    shown = texts(printed)
    assert set(shown[1:-2]) == {"[redacted]"}
    assert [shown[0], *shown[-2:]] == ["see:", "that was it", body]


def test_what_the_user_calls_a_secret_is_one() -> None:
    printed: list[str] = []
    run_command(
        ["echo", "the code is 4711-0815"],
        lambda _level, lines: printed.extend(lines.texts),
        os.environ,
        patterns=SecretPatterns([r"\d{4}-\d{4}"]),
    )
    assert printed == ["the code is [redacted]"]


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
    assert child_environment({"PATH": "/bin"} | ours, "browser-1", TASK, Path("/spool")) == {
        "PATH": "/bin",
        "AGENT_ID": "browser-1",
        "AGENTRUNS_TASK_ID": str(TASK),
        "AGENTRUNS_SPOOL": "/spool",
        "AGENTRUNS_DELIVER": "0",
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


def test_a_large_flood_is_cut_so_that_a_small_spool_takes_it() -> None:
    texts = ["x" * 999] * 1000
    entries = list(OutputLog("browser-1", TASK, attempt=1).entries(Level.INFO, Lines(texts)))
    assert [line for entry in entries for line in entry.data["lines"]] == texts
    assert [entry.data["line"] for entry in entries] == [1, 264, 527, 790]
    assert sum(int(entry.message.split()[0]) for entry in entries) == 1000
