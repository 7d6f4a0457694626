"""Several processes copy one migration: each item once, whoever of them is killed."""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.migration import MigrationStore
from storage.stores import Stores
from tests.faults.test_migration_kills import finished, kept

ROOT = Path(__file__).parents[2]
RUNS = 8


class Worker:
    """One of the processes, and what it has said so far."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.sharing", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said = []
        self.id = self.until("worker").partition(" ")[2]

    def until(self, word):
        """The next line that begins with a word."""
        for line in self.process.stdout:
            self.said.append(line.strip())
            if line.startswith(word):
                return line.strip()
        pytest.fail(f"it ended without '{word}': {self.said}")

    def go(self):
        """Let it begin."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def kill(self):
        """As a machine that is gone."""
        self.process.kill()
        self.process.communicate()

    def items(self, word):
        """The items that it told of with this word."""
        return [line.split()[1] for line in self.said if line.startswith(word)]


@contextmanager
def workers(source, agent_id):
    """The run that holds the migration, and one that helps it."""
    leader = Worker(source, agent_id)
    helper = Worker(source, agent_id, leader.id)
    try:
        yield leader, helper
    finally:
        for one in (leader, helper):
            one.kill()


@pytest.fixture
def source(tmp_path):
    runs = [*(ROOT / "examples" / "runs").iterdir()]
    for number in range(RUNS):
        run = shutil.copytree(runs[number % len(runs)], tmp_path / "runs" / f"run {number}")
        (next(run.glob("turn_*")) / "note.txt").write_text(f"run {number}\n")
    return tmp_path / "runs"


def check_end(settings, source, agent_id):
    """Nothing is left, and all is as if one undisturbed process had copied it."""
    assert finished(source, agent_id) == ["listed", "done"]
    finished(source, f"{agent_id}x")
    assert kept(settings, agent_id) == kept(settings, f"{agent_id}x")
    with Stores(settings) as stores:
        store = MigrationStore(stores.postgres)
        summary = store.summary(store.open(source, agent_id).id)
    assert (summary.items["imported"], summary.items["pending"]) == (RUNS, 0)


def test_two_processes_copy_each_item_once_and_end_as_one(settings, source, agent_id):
    with workers(source, agent_id) as (leader, helper):
        for one in (leader, helper):
            one.go()
        for one in (leader, helper):
            one.until("over")
        shares = [set(one.items("done")) for one in (leader, helper)]
        assert all(shares)
        told = leader.items("claimed") + helper.items("claimed")
    assert len(told) == len(set(told)) == RUNS
    check_end(settings, source, agent_id)


def test_what_a_killed_helper_held_is_done_by_the_others(settings, source, agent_id):
    with workers(source, agent_id) as (leader, helper):
        helper.go()
        helper.until("done")
        helper.until("claimed")
        helper.kill()
        leader.go()
        leader.until("over")
        assert len(set(leader.items("done")) | set(helper.items("done"))) == RUNS
        assert helper.items("claimed")[-1] in leader.items("done")
    check_end(settings, source, agent_id)


def test_a_frozen_helper_whose_items_others_took_changes_nothing(settings, source, agent_id):
    with workers(source, agent_id) as (leader, helper):
        helper.go()
        helper.until("claimed")
        helper.process.send_signal(signal.SIGSTOP)
        leader.go()
        leader.until("over")
        helper.process.send_signal(signal.SIGCONT)
        helper.until("over")
        assert len(set(leader.items("done"))) >= RUNS - 1
    check_end(settings, source, agent_id)


def test_who_helps_a_killed_run_ends_and_the_next_run_goes_on(settings, source, agent_id):
    with workers(source, agent_id) as (leader, helper):
        leader.go()
        leader.until("claimed")
        leader.kill()
        time.sleep(2.5)  # until its silence says that it is gone
        helper.go()
        helper.until("over")
        assert helper.items("claimed") == []
    said = finished(source, agent_id)
    assert said[-1] == "done"
    assert len(said) > RUNS - 1
    check_end(settings, source, agent_id)


def test_the_next_run_takes_over_at_once_what_a_killed_one_held(settings, source, agent_id):
    with workers(source, agent_id) as (leader, helper):
        leader.go()
        leader.until("claimed")
        leader.kill()
        following = Worker(source, agent_id)
        following.go()
        following.until("over")
        assert set(leader.items("claimed")) <= set(following.items("claimed"))
        helper.go()
        helper.until("over")
        assert helper.items("claimed") == []
        following.kill()
    check_end(settings, source, agent_id)
