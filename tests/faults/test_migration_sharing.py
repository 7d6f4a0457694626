"""Several processes copy one migration: each item once, whoever of them is killed."""

import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.migration_sessions import Session, files_below
from tests.integration.bad_runs import run

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


@pytest.fixture
def session(settings, owner_url, agent_id, tmp_path):
    """One source of eight runs."""
    source = tmp_path / "runs"
    for number in range(RUNS):
        run(tmp_path / "as it was", f"run {number}")

    def make():
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(tmp_path / "as it was", source)

    told = (settings, owner_url, agent_id, str(source), tmp_path / "rebuilt")
    return Session(*told, make, lambda: files_below(source))


@contextmanager
def working(session, *leaders):
    """A worker of the session's migration, which holds it or helps who does."""
    worker = Worker(session.source, session.agent_id, *(leader.id for leader in leaders))
    try:
        yield worker
    finally:
        worker.kill()


@contextmanager
def two_workers(session):
    """The run that holds the migration, and one that helps it."""
    session.begin_anew()
    with working(session) as leader, working(session, leader) as helper:
        yield leader, helper


def copied_by_one_more(session):
    """The items that the next run still has to copy."""
    with working(session) as worker:
        worker.go()
        worker.until("over")
        return worker.items("done")


def check_end(session):
    """Nothing is left, and every row, document and object is as one process alone leaves it."""
    assert copied_by_one_more(session) == []
    left = session.left()
    session.begin_anew()
    assert len(copied_by_one_more(session)) == RUNS
    assert session.left() == left


def test_two_processes_copy_each_item_once_and_end_as_one(session):
    with two_workers(session) as (leader, helper):
        for one in (leader, helper):
            one.go()
        for one in (leader, helper):
            one.until("over")
        assert leader.items("done")
        assert helper.items("done")
        told = leader.items("claimed") + helper.items("claimed")
    assert len(told) == len(set(told)) == RUNS
    check_end(session)


def test_what_a_killed_helper_held_is_done_by_the_others(session):
    with two_workers(session) as (leader, helper):
        helper.go()
        helper.until("done")
        helper.until("claimed")
        helper.kill()
        leader.go()
        leader.until("over")
        assert len(set(leader.items("done")) | set(helper.items("done"))) == RUNS
        assert helper.items("claimed")[-1] in leader.items("done")
    check_end(session)


def test_a_frozen_helper_whose_items_others_took_changes_nothing(session):
    with two_workers(session) as (leader, helper):
        helper.go()
        helper.until("claimed")
        helper.process.send_signal(signal.SIGSTOP)
        leader.go()
        leader.until("over")
        helper.process.send_signal(signal.SIGCONT)
        helper.until("over")
        assert len(set(leader.items("done"))) >= RUNS - 1
    check_end(session)


def test_who_helps_a_killed_run_ends_and_the_next_run_goes_on(session):
    with two_workers(session) as (leader, helper):
        leader.go()
        leader.until("claimed")
        leader.kill()
        time.sleep(2.5)  # until its silence says that it is gone
        helper.go()
        helper.until("over")
        assert helper.items("claimed") == []
    assert len(copied_by_one_more(session)) >= RUNS - 1
    check_end(session)


def test_the_next_run_takes_over_at_once_what_a_killed_one_held(session):
    with two_workers(session) as (leader, helper):
        leader.go()
        leader.until("claimed")
        leader.kill()
        # Some of it may have been copied without a word before the kill.
        assert len(copied_by_one_more(session)) >= RUNS - 1
        helper.go()
        helper.until("over")
        assert helper.items("claimed") == []
    check_end(session)
