"""Every command explains itself, with an example that works as typed."""

import logging
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cyclopts import App

from apps.cli.app import app
from apps.cli.launch import run
from apps.cli.servers import ServerName
from apps.stack.stack import SERVERS

EXAMPLE = re.compile(r"Example: `agentruns ([^`]+)`")
HEAVY = ("prefect", "pymongo", "psycopg", "minio", "pydantic", "cyclopts", "rich")


@pytest.fixture(autouse=True)
def loud_retries() -> Iterator[None]:
    """A command keeps its process quiet; the tests that follow in this one want to hear again."""
    yield
    logging.getLogger("storage.retries").setLevel(logging.NOTSET)


def commands(parent: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, child in parent.resolved_commands().items():
        if name.startswith("-"):
            continue
        if child.default_command:
            yield (*path, name)
        yield from commands(child, (*path, name))


@pytest.mark.parametrize("path", list(commands(app)), ids=" ".join)
def test_each_command_has_an_example_that_is_a_call_of_it(path: tuple[str, ...]) -> None:
    child = app
    for name in path:
        child = child[name]
    found = EXAMPLE.search(child.help)
    assert found
    command, *_ = app.parse_args(shlex.split(found[1]), exit_on_error=False, print_error=False)
    assert command is child.default_command


def test_help_shows_each_command_and_its_example(capsys: pytest.CaptureFixture[str]) -> None:
    for path in commands(app):
        assert run([*path, "--help"]) == 0
        shown = capsys.readouterr().out
        assert f"Example: agentruns {' '.join(path)}" in shown
        assert "\x1b" not in shown
        assert "--json" in shown


def test_help_groups_the_commands_by_who_uses_them() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "apps.cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for group in ("Agents:", "Evaluation:", "Operation:", "Servers on this machine"):
        assert group in shown


def test_the_version_is_told_without_importing_anything_heavy() -> None:
    code = (
        "import sys; sys.argv = ['agentruns', '--version']\n"
        "from apps.cli.__main__ import main; main()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    version, modules = done.stdout.splitlines()
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", version)
    assert not set(HEAVY) & set(modules.split())


def test_no_command_is_imported_with_a_driver_or_prefect() -> None:
    code = "import sys, apps.cli.launch; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert not {"prefect", "pymongo", "psycopg", "minio"} & set(done.stdout.split())


def test_logs_knows_exactly_the_servers_that_there_are() -> None:
    assert set(ServerName.__args__) == {kind.name for kind in SERVERS}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["tsaks"], 'Did you mean "tasks"'),
        (["tasks", "list", "--statsu", "failed"], "--status"),
        (["tasks", "list", "--status", "done"], "pending, in_progress, completed, failed"),
        (["tasks", "list", "--agent", "../x"], "small letters"),
        (["tasks", "list", "--limit", "0"], "1 to 1000"),
        (["tasks", "list", "--limit", "many"], "many"),
        (["tasks", "show", "42"], "UUID"),
        (["tasks", "show"], "requires an argument"),
        (["record", "--agent", "browser-1"], "after '--'"),
        (["record", "--agent", "Browser", "--", "true"], "small letters"),
        (["record", "--", "true"], "--agent"),
        (["record", "--agent", "a", "--attempts", "0", "--", "true"], "1 to 100"),
        (["evaluate", "--since", "yesterday"], "2h, 7d"),
        (["evaluate", "--scorer", "nope"], "outcome"),
        (["logs", "mariadb"], "postgres"),
        (["logs", "minio", "--follow", "--json"], "--follow"),
        (["reset"], "--yes"),
        (["env", "--as", "king"], "choose operator, evaluator"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "hint",
)
def test_wrong_usage_is_told_in_words_that_help(
    arguments: list[str],
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
