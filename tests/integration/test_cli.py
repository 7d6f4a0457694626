"""The `agentruns` command as people and scripts use it: real processes, real servers."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from agentruns.models import AgentTask, Evaluation, ProgressUpdate, Status
from agentruns.spool import Spool
from apps.stack import Stack
from storage.settings import Settings
from storage.stores import Stores
from tests.own_spool import deliveries, own_spool, wait_until

__all__ = ["own_spool"]  # a fixture of another file

SCRIPT = str(Path(sys.executable).with_name("agentruns"))
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


class Done(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


def agentruns(*arguments: str, **environment: str | None) -> Done:
    changed = {name: value for name, value in environment.items() if value is not None}
    kept = {name: value for name, value in os.environ.items() if name not in environment}
    done = subprocess.run(
        [SCRIPT, *arguments],
        capture_output=True,
        timeout=120,
        check=False,
        env=kept | changed,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def run(settings: Settings, own_spool: Spool) -> Run:
    """The command, with settings that lead to the test's own database and spool."""
    return agentruns


@pytest.fixture(scope="module")
def prefect(stack: Stack) -> Stack:
    """The servers, Prefect among them."""
    stack.up()
    return stack


@pytest.fixture
def task(stores: Stores, agent_id: str) -> AgentTask:
    """A task that is judged: 0.5 overall."""
    task = AgentTask(agent_id=agent_id, title="Book a \x1b[31mflight\x1b[0m", status="completed")
    verdict = Evaluation(
        task_id=task.id, agent_id=agent_id, scorer="overall", scorer_version="1", score=0.5
    )
    stores.writer.write([task, verdict])
    return task


# Scripts: one JSON document


def test_a_run_is_recorded_judged_listed_and_shown(
    run: Run, prefect: Stack, agent_id: str, tmp_path: Path
) -> None:
    (tmp_path / "seen.png").write_bytes(PNG)
    command = ["sh", "-c", f"echo hello; cp {tmp_path}/seen.png {tmp_path}/watched/"]
    (tmp_path / "watched").mkdir()
    watched = ["--watch", str(tmp_path / "watched"), "--title", "Say hello"]
    recorded = run("record", "--agent", agent_id, *watched, "--json", "--", *command)
    assert recorded.code == 0
    told = recorded.json()
    assert told["delivered"]["files"] == 1
    assert (told["status"], told["exit_code"], told["attempts"]) == ("completed", 0, 1)
    assert (told["agent_id"], told["pending"], told["rejected"]) == (agent_id, 0, 0)
    # The one document has stdout for itself.
    assert "hello" in recorded.err

    judged = run("evaluate", "--agent", agent_id, "--json").json()
    assert (judged["eligible"], judged["evaluated"], judged["failed"]) == (1, 1, 0)
    assert judged["scores"]["overall"].keys() >= {"n", "mean", "ci_low", "ci_high"}

    listed = run("tasks", "list", "--agent", agent_id, "--json").json()
    assert [task["id"] for task in listed["tasks"]] == [told["task_id"]]
    assert listed["tasks"][0]["score"] == pytest.approx(judged["scores"]["overall"]["mean"])
    assert listed["next"] is None

    shown = run("tasks", "show", told["task_id"], "--urls", "--json").json()
    assert shown.keys() >= {"task", "progress", "files", "logs", "evaluations"}
    assert shown["missing_files"] == []
    assert shown["task"]["title"] == "Say hello"
    assert "hello" in [entry["message"] for entry in shown["logs"]]
    assert "overall" in [verdict["scorer"] for verdict in shown["evaluations"]]
    with urllib.request.urlopen(shown["files"][0]["url"], timeout=10) as answer:  # noqa: S310 - our own server
        assert answer.read() == PNG


@pytest.mark.parametrize(
    ("command", "code", "ending"),
    [
        (["sh", "-c", "exit 7"], 7, "failed: the command ended with exit code 7"),
        (["sh", "-c", "kill -9 $$"], 137, "failed: the command was killed by signal 9"),
        (["no-such-command"], 127, "failed: there is no such command"),
        (["/etc/hostname"], 126, "failed: the command is not executable"),
    ],
)
def test_the_exit_code_is_that_of_the_command(
    run: Run, agent_id: str, command: list[str], code: int, ending: str
) -> None:
    done = run("record", "--agent", agent_id, "--", *command)
    assert (done.code, done.out.splitlines()[0]) == (code, ending)


def test_a_run_is_recorded_where_there_is_no_server_at_all(tmp_path: Path, agent_id: str) -> None:
    """Neither a store nor Prefect, nor a setting that names one."""
    home = str(tmp_path / "home")
    command = ("record", "--agent", agent_id, "--wait", "1", "--", "sh", "-c", "echo hi; exit 3")
    done = agentruns(*command, AGENTRUNS_HOME=home)
    assert (done.code, done.out.splitlines()[0]) == (3, "hi")
    assert f"5 records are safe in the spool {home}/spool" in done.out
    again = agentruns(*command[:5], "--json", *command[5:], AGENTRUNS_HOME=home)
    told = again.json()
    assert (again.code, told["exit_code"], told["status"]) == (3, 3, "failed")
    assert (told["pending"], told["lost"], told["delivered"]["tasks"]) == (5, 0, 0)
    for pid in deliveries(Path(home, "spool")):
        os.kill(pid, signal.SIGTERM)
    assert wait_until(lambda: not deliveries(Path(home, "spool")), 20)


def test_a_run_is_recorded_into_a_known_task_and_a_spool_of_its_own(
    run: Run, stores: Stores, agent_id: str, tmp_path: Path
) -> None:
    made = stores.postgres.create_task(agent_id, "Book a flight")
    spool = str(tmp_path / "elsewhere")
    options = ["--agent", agent_id, "--task", str(made.id), "--spool", spool, "--max-spool", "64M"]
    told = run("record", *options, "--json", "--", "printenv", "AGENTRUNS_SPOOL")
    assert told.err == f"{spool}\n"
    assert (told.json()["task_id"], told.json()["pending"]) == (str(made.id), 0)
    assert stores.postgres.get_task(made.id).status is Status.COMPLETED
    assert wait_until(lambda: not Spool(spool).delivering(), 20)


def test_a_spool_that_cannot_be_written_is_told_before_anything_runs(
    run: Run, agent_id: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ran = tmp_path / "ran"
    spool = str(tmp_path / "file" / "spool")
    done = run("record", "--agent", agent_id, "--spool", spool, "--", "touch", str(ran))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert spool in done.err
    assert not ran.exists()


def test_options_of_the_recorded_command_are_its_own(run: Run, agent_id: str) -> None:
    show = [sys.executable, "-c", "import sys; print(sys.argv[1:])"]
    done = run("record", "--agent", agent_id, "--", *show, "--json", "--help", "--", "-x")
    assert done.code == 0
    assert done.out.startswith("['--json', '--help', '--', '-x']\n")
    assert "completed" in done.out


def test_the_agent_may_come_from_the_environment(run: Run, agent_id: str) -> None:
    done = run("record", "--json", "--", "true", AGENT_ID=agent_id)
    assert done.json()["agent_id"] == agent_id


def test_health_is_told_check_by_check(run: Run, prefect: Stack) -> None:
    done = run("check", "health", "--json")
    assert done.code == 0
    assert done.json()["healthy"]
    names = {check["name"] for check in done.json()["checks"]}
    assert names >= {"mongodb", "postgres", "minio", "prefect"}
    assert done.json()["checks"][0].keys() >= {"name", "healthy", "latency_ms", "detail"}


def test_a_store_that_is_away_makes_the_health_check_give_three(run: Run, prefect: Stack) -> None:
    done = run("check", "health", "--json", MINIO_ENDPOINT="127.0.0.1:1")
    assert (done.code, done.json()["healthy"]) == (3, False)


def test_deploying_names_the_deployments(run: Run, prefect: Stack) -> None:
    done = run("deploy", "--json")
    assert done.code == 0
    assert any("evaluate-tasks/" in name for name in done.json()["deployments"])


def test_the_servers_are_told_with_address_and_process(run: Run, prefect: Stack) -> None:
    done = run("status", "--json")
    told = done.json()
    assert (done.code, told["ready"], told["home"]) == (0, True, str(prefect.home))
    assert told["prefect_ui"].startswith("http://127.0.0.1:")
    assert told["servers"][0].keys() == {"name", "state", "address", "version", "pid"}


def test_starting_what_runs_already_tells_the_same_as_status(run: Run, prefect: Stack) -> None:
    before, up = run("status", "--json"), run("up", "--json")
    assert (up.code, up.json()) == (0, before.json())


def test_the_environment_is_what_a_shell_evaluates(run: Run, stack: Stack) -> None:
    values = run("env", "--json", "--as", "operator").json()
    assert values == stack.environment()
    script = f'eval "$({SCRIPT} env)"; printf %s "$MINIO_SECRET_KEY"'
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shell.stdout == values["MINIO_SECRET_KEY"]


def test_the_end_of_a_log_is_told_line_by_line(run: Run, prefect: Stack) -> None:
    told = run("logs", "mongodb", "--lines", "2", "--json").json()
    assert (told["name"], len(told["lines"])) == ("mongodb", 2)


def test_where_nothing_ever_ran_nothing_is_stopped_or_ready(tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    assert agentruns("down", "--json", AGENTRUNS_HOME=home).json() == {"stopped": []}
    assert agentruns("reset", "--yes", "--json", AGENTRUNS_HOME=home).json() == {"stopped": []}
    status = agentruns("status", "--json", AGENTRUNS_HOME=home)
    assert (status.code, status.json()["ready"], status.json()["servers"]) == (1, False, [])
    assert agentruns("env", AGENTRUNS_HOME=home).code == 3


def test_options_of_every_command_stand_before_or_after_it(run: Run, task: AgentTask) -> None:
    before, after = run("--json", "tasks", "list"), run("tasks", "list", "--json")
    assert before.json() == after.json()


# Lists


def test_pages_follow_each_other_without_gap_or_repetition(
    run: Run, stores: Stores, agent_id: str
) -> None:
    tasks = [AgentTask(agent_id=agent_id, title=f"task {number}") for number in range(5)]
    stores.writer.write(tasks)
    seen: list[str] = []
    after: list[str] = []
    while True:
        page = run("tasks", "list", "--limit", "2", *after, "--json").json()
        seen += [task["id"] for task in page["tasks"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert sorted(seen) == sorted(str(task.id) for task in tasks)


def test_a_list_is_filtered_by_agent_and_status(
    run: Run, stores: Stores, task: AgentTask, agent_id: str
) -> None:
    stores.writer.write([AgentTask(agent_id=f"{agent_id}-2", title="other", status=Status.FAILED)])
    failed = run("tasks", "list", "--status", "failed", "--json").json()["tasks"]
    assert [row["title"] for row in failed] == ["other"]
    own = run("tasks", "list", "--agent", agent_id, "--json").json()["tasks"]
    assert [row["id"] for row in own] == [str(task.id)]


def test_a_table_in_a_pipe_has_whole_ids_scores_and_no_escape_sequence(
    run: Run, task: AgentTask
) -> None:
    for shown in (run("tasks", "list"), run("tasks", "show", str(task.id))):
        assert str(task.id) in shown.out
        assert "0.50" in shown.out
        assert "\x1b" not in shown.out


def test_a_page_says_what_did_not_fit_on_it(run: Run, stores: Stores, task: AgentTask) -> None:
    told = {"task_id": task.id, "agent_id": task.agent_id}
    stores.writer.write([ProgressUpdate(**told, step=step, sequence=step + 1) for step in range(3)])
    shown = run("tasks", "show", str(task.id), "--json").json()
    assert {1, 2, 3} <= {update["sequence"] for update in shown["progress"]}
    shown = run("tasks", "show", str(task.id), "--limit", "2").out
    assert "There are later steps: raise --limit to see them." in shown
    assert "raise --limit" not in run("tasks", "show", str(task.id)).out


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_ids_stay_whole_on_a_terminal_of_any_width(run: Run, task: AgentTask, columns: int) -> None:
    for arguments in (["tasks", "list"], ["tasks", "show", str(task.id)]):
        shown = on_a_terminal(arguments, COLUMNS=str(columns), NO_COLOR="")
        assert str(task.id) in shown
        assert "\x1b[3" in shown
        assert "\x1b[31mflight" not in shown
        assert max(len(line) for line in plain(shown).splitlines()) <= columns


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["tasks", "list"], {"NO_COLOR": "1"}), (["tasks", "list", "--no-color"], {})],
)
def test_a_terminal_without_colour_gets_no_escape_sequence(
    run: Run, task: AgentTask, arguments: list[str], environment: dict[str, str]
) -> None:
    assert "\x1b" not in on_a_terminal(arguments, **environment)


# Errors


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "hint"),
    [
        (["tasks", "list"], {"POSTGRES_URL": "{away}"}, 3, "POSTGRES_URL"),
        (["tasks", "list"], {"POSTGRES_URL": "{wrong}"}, 4, "password"),
        (["tasks", "list"], {"POSTGRES_URL": "hunter2"}, 2, "POSTGRES_URL"),
        (["tasks", "list"], {"MINIO_SECURE": "hunter2"}, 2, "MINIO_SECURE"),
        (["tasks", "list", "--after", "hunter"], {}, 2, "next"),
        (["tasks", "show", str(uuid4())], {}, 2, "no task"),
        (["evaluate"], {"PREFECT_API_URL": "http://127.0.0.1:1/api"}, 3, "agentruns up"),
        (["evaluate"], {"PREFECT_API_URL": None}, 3, "PREFECT_API_URL"),
        (["evaluate"], {"PREFECT_API_AUTH_STRING": "a:hunter2"}, 4, "PREFECT_API_AUTH_STRING"),
        (
            ["evaluate"],
            {"POSTGRES_URL": "{wrong}", "AGENTRUNS_EVALUATOR_ENV_FILE": None},
            4,
            "password",
        ),
        (
            ["record", "--agent", "a", "--watch", "/etc/passwd", "--", "true"],
            {},
            2,
            "is not a folder",
        ),
    ],
)
def test_an_error_is_a_code_and_a_sentence_without_secrets(
    run: Run,
    prefect: Stack,
    settings: Settings,
    arguments: list[str],
    environment: dict[str, str | None],
    code: int,
    hint: str,
) -> None:
    url = settings.required("postgres_url")
    password = url.partition("@")[0].rpartition(":")[2]
    urls = {
        "{away}": "postgresql://agentruns:hunter2@127.0.0.1:1/agentruns",
        "{wrong}": url.replace(password, "hunter2"),
    }
    changed = {name: urls.get(str(value), value) for name, value in environment.items()}
    done = run(*arguments, **changed)
    assert done.code == code
    assert done.out == ""
    assert hint in done.err
    assert done.err.startswith("Error: ")
    assert done.err.count("\n") == 1
    assert "hunter2" not in done.err
    assert password not in done.err


def test_only_debug_shows_a_traceback(run: Run) -> None:
    unknown = ["tasks", "show", str(uuid4())]
    assert "Traceback" not in run(*unknown).err
    debugged = run(*unknown, "--debug")
    assert "Traceback" in debugged.err
    assert debugged.err.splitlines()[-1].startswith("Error: There is no task")


def test_ctrl_c_reaches_the_command_and_the_run_is_cancelled(run: Run, agent_id: str) -> None:
    tidy = "trap 'echo tidied; exit 5' INT; echo begun; sleep 60 & wait"
    command = [SCRIPT, "record", "--agent", agent_id, "--", "sh", "-c", tidy]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert out.decode().splitlines()[:2] == [
        "tidied",
        "cancelled: the command ended with exit code 5",
    ]
    assert err == b""
    (task,) = run("tasks", "list", "--agent", agent_id, "--json").json()["tasks"]
    assert task["status"] == "cancelled"


def test_ctrl_c_while_the_delivery_is_awaited_ends_only_the_waiting(
    agent_id: str, tmp_path: Path
) -> None:
    command = [SCRIPT, "record", "--agent", agent_id, "--wait", "60", "--", "sh", "-c", "exit 6"]
    home = tmp_path / "home"
    environment = os.environ | {"AGENTRUNS_HOME": str(home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert wait_until(lambda: deliveries(home / "spool"), 20)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 6
    assert b"records are safe in the spool" in out
    for pid in deliveries(home / "spool"):
        os.kill(pid, signal.SIGTERM)
    assert wait_until(lambda: not deliveries(home / "spool"), 20)


def test_following_a_log_ends_with_ctrl_c(prefect: Stack) -> None:
    environment = os.environ | {"AGENTRUNS_HOME": str(prefect.home)}
    command = [SCRIPT, "logs", "prefect", "--follow"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err


def on_a_terminal(arguments: list[str], **environment: str) -> str:
    """What a command shows on a terminal, stdout and stderr together."""
    leader, follower = pty.openpty()
    told = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment
    with subprocess.Popen(
        [SCRIPT, *arguments], stdin=follower, stdout=follower, stderr=follower, env=told
    ) as process:
        os.close(follower)
        shown = b"".join(iter(lambda: read(leader), b""))
    os.close(leader)
    assert process.returncode == 0
    return shown.decode()


def read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:
        # How Linux says that nobody writes any more.
        return b""


def plain(text: str) -> str:
    """The text as it is seen."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_what_is_no_prefect_server_is_told_with_the_form_of_its_address(
    run: Run, prefect: Stack
) -> None:
    address = prefect.environment()["PREFECT_API_URL"]
    done = run("evaluate", PREFECT_API_URL=address.removesuffix("/api"))
    assert (done.code, done.out) == (3, "")
    assert "no Prefect server; it must look like http://127.0.0.1:4200/api" in done.err
    done = run("evaluate", PREFECT_API_URL="127.0.0.1:4200")
    assert (done.code, done.out) == (2, "")
    assert "PREFECT_API_URL is malformed" in done.err
