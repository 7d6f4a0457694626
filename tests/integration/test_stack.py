"""The local servers when nothing goes wrong."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from apps.stack import Stack, StackError
from apps.stack.asking import answer_to
from apps.stack.processes import find_processes
from storage.errors import AccessDenied

UP = "import sys; from apps.stack import Stack; Stack(sys.argv[1]).up()"
STORES = {"mongodb", "postgres", "minio"}


def processes_of(stack: Stack) -> list[psutil.Process]:
    return find_processes(stack.home, stack.home / "stack/data/postgres/data")


def states(stack: Stack) -> dict[str, str]:
    return {server["name"]: server["state"] for server in stack.status()["servers"]}


@pytest.fixture(scope="module")
def whole(short_folders: Path) -> Iterator[Stack]:
    """A home of its own, with Prefect and a worker."""
    stack = Stack(short_folders / "whole home")
    stack.up()
    yield stack
    stack.reset()


class TestWithPrefect:
    def test_status_names_every_server_with_address_version_and_process(self, whole):
        status = whole.status()

        assert status["ready"]
        assert status["home"] == str(whole.home)
        assert status["prefect_ui"].startswith("http://127.0.0.1:")
        assert {server["name"] for server in status["servers"]} == STORES | {"prefect", "worker"}
        for server in status["servers"]:
            assert server["state"] == "running"
            assert server["address"]
            assert server["version"]
            assert psutil.pid_exists(server["pid"])

    def test_up_again_keeps_every_process(self, whole):
        before = whole.status()
        assert whole.up() == before

    def test_asking_for_the_stores_only_leaves_prefect_running(self, whole):
        assert whole.up(prefect=False) == whole.status()
        assert whole.status()["prefect_ui"]

    def test_prefect_answers_nobody_without_its_password(self, whole):
        environment = whole.environment()
        url = f"{environment['PREFECT_API_URL']}/admin/version"

        with pytest.raises(AccessDenied):
            answer_to(url, seconds=5)
        assert answer_to(url, seconds=5, login=environment["PREFECT_API_AUTH_STRING"])

    def test_prefect_pages_open_and_ask_for_the_password(self, whole):
        ui = whole.status()["prefect_ui"]

        assert b"<html" in answer_to(f"{ui}/", seconds=5)
        assert b'"auth":"BASIC"' in answer_to(f"{ui}/ui-settings", seconds=5)

    @pytest.mark.promise(14, by="us")
    def test_no_secret_is_in_any_command_line(self, whole):
        credentials = (whole.home / "stack/credentials.json").read_text()
        secrets = [part for part in credentials.split('"') if len(part) == 40]
        processes = processes_of(whole)

        assert len(secrets) == 11
        assert len(processes) >= 6
        for process in processes:
            assert not any(secret in " ".join(process.cmdline()) for secret in secrets)

    def test_no_server_listens_beyond_this_machine(self, whole):
        ours = {process.pid for process in processes_of(whole)}
        listening = [
            connection.laddr.ip
            for connection in psutil.net_connections("inet")
            if connection.pid in ours and connection.status == psutil.CONN_LISTEN
        ]

        assert len(listening) >= 4
        assert set(listening) <= {"127.0.0.1", "::1"}

    def test_prefect_reports_to_nobody(self, whole):
        workers = [each for each in processes_of(whole) if "prefect" in " ".join(each.cmdline())]

        assert len(workers) >= 2
        for process in workers:
            assert process.environ()["DO_NOT_TRACK"] == "1"
            assert process.environ()["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"

    def test_starting_again_by_another_name_of_python_restarts_nothing(self, whole):
        before = [server["pid"] for server in whole.status()["servers"]]
        for name in ("python", "python3"):
            again = [Path(sys.executable).with_name(name), "-c", UP, whole.home]
            subprocess.run(again, check=True, stderr=subprocess.DEVNULL)
        assert [server["pid"] for server in whole.status()["servers"]] == before

    def test_flows_use_no_folder_that_another_user_may_have_taken(self, whole):
        (worker,) = [each for each in processes_of(whole) if "worker" in each.cmdline()]
        assert Path(worker.environ()["TMPDIR"]).is_relative_to(whole.home)

    @pytest.mark.promise(14, by="us")
    def test_nobody_else_can_read_a_secret(self, whole):
        files = ("stack.env", "evaluator.env", "frontend.env")
        for path in (*files, "stack/credentials.json", "stack/supervisord.conf"):
            assert stat.S_IMODE((whole.home / path).stat().st_mode) == 0o600
        for folder in (
            "logs",
            "run",
            "data/mongodb",
            "data/minio",
            "data/prefect",
            "data/postgres",
        ):
            assert stat.S_IMODE((whole.home / "stack" / folder).stat().st_mode) == 0o700

    def test_a_log_can_be_read_and_followed(self, whole):
        assert len(list(whole.tail("mongodb", 3))) == 3
        followed = whole.tail("minio", 1, follow=True)
        assert next(followed)
        with pytest.raises(StackError, match="choose one of mongodb, postgres"):
            whole.tail("oracle")

    def test_down_leaves_no_process_and_up_keeps_ports_and_passwords(self, whole):
        before = whole.environment()
        flow = subprocess.Popen(
            ["sleep", "60"], env={**os.environ, "AGENTRUNS_STACK": str(whole.home)}
        )

        stopped = whole.down()

        assert set(stopped) == STORES | {"prefect", "worker"}
        assert processes_of(whole) == []
        assert flow.wait(1)
        assert set(states(whole).values()) == {"stopped"}
        assert not whole.status()["ready"]
        assert whole.down() == []
        assert whole.up(prefect=False)["ready"]
        assert whole.environment() == before


def test_the_environment_has_what_the_stores_and_prefect_need(stack):
    environment = stack.environment()

    assert environment == dict(
        line.split("=", 1) for line in (stack.home / "stack.env").read_text().splitlines()
    )
    assert set(environment) == {
        "MONGODB_URL", "POSTGRES_URL", "POSTGRES_OWNER_URL", "MINIO_ENDPOINT", "MINIO_ACCESS_KEY",
        "MINIO_SECRET_KEY", "MINIO_SECURE", "MINIO_SIGNING_ACCESS_KEY", "MINIO_SIGNING_SECRET_KEY",
        "PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "AGENTRUNS_ENVIRONMENT",
    }  # fmt: skip


def test_each_component_has_credentials_of_its_own_and_none_that_it_may_not_have(stack):
    operator, evaluator, frontend = (
        stack.environment(component) for component in ("operator", "evaluator", "frontend")
    )

    assert set(evaluator) == {"MONGODB_URL", "POSTGRES_URL", "AGENTRUNS_ENVIRONMENT"}
    assert set(frontend) == {
        "POSTGRES_URL", "MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SECURE",
        "AGENTRUNS_ENVIRONMENT",
    }  # fmt: skip
    assert len({each["POSTGRES_URL"] for each in (operator, evaluator, frontend)}) == 3
    assert operator["MINIO_ACCESS_KEY"] != frontend["MINIO_ACCESS_KEY"]
    assert operator["MINIO_SIGNING_ACCESS_KEY"] == frontend["MINIO_ACCESS_KEY"]


def test_two_homes_run_side_by_side(stack, short_folder):
    other = Stack(short_folder / "other")
    other.up(prefect=False)
    try:
        everything = dict.fromkeys(STORES, "running").items()
        assert states(stack).items() >= everything <= states(other).items()
        alike = set(stack.environment().values()) & set(other.environment().values())
        assert alike == {"false", "dev"}
        other.down()
        assert stack.status()["ready"]
    finally:
        other.reset()


def test_reset_deletes_what_is_ours_and_nothing_else(short_folder):
    home = short_folder / "home"
    neighbour = home / "data" / "thesis.txt"
    neighbour.parent.mkdir(parents=True)
    neighbour.write_text("years of work")
    stack = Stack(home)
    stack.up(prefect=False)

    stack.reset()

    assert neighbour.read_text() == "years of work"
    assert list(home.glob("*.env")) == []
    assert sorted(path.name for path in (home / "stack").iterdir()) == ["lock"]
    assert processes_of(stack) == []
    assert stack.reset() == []


def test_a_home_that_was_never_started_has_nothing(short_folder):
    stack = Stack(short_folder / "home")

    assert stack.status() == {
        "ready": False, "home": str(stack.home), "prefect_ui": None, "servers": [],
    }  # fmt: skip
    assert stack.down() == []
    assert stack.reset() == []
    with pytest.raises(StackError, match="run 'agentruns up'"):
        stack.environment()
    with pytest.raises(StackError, match="no log yet"):
        stack.tail("mongodb")
    assert not stack.home.exists()
