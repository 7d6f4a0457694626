"""What an agent waits for when it records: each call beside a direct insert into PostgreSQL.

The agent is a process of its own, with a delivery at work on its spool. A round is one such
process; rounds with the stores there and with all three away take turns, and each figure is the
median of its rounds. The direct insert is one row in a transaction of its own on an open
connection; the calls and the insert take turns, so that all of them meet the same machine. The
insert of a row into a bare SQLite file with the same promise shows what the disk alone takes.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping

from benchmarks.measure import tell
from benchmarks.sandbox import sandbox
from benchmarks.spooling import AWAY, delivery, environment, temporary_spool

MEDIAN_GOAL, P99_GOAL, PICTURE_GOAL = 0.2, 1.0, 5.0
INSERT_GOAL, AWAY_GOAL, THREADS_GOAL = 0.3, 1.2, 5_000
CALLS = ("log", "progress")
#: Milliseconds of each call, by its name and `median` or `p99`, and `events` a second.
Figures = dict[str, float]


def main() -> None:
    """Print the time of each call, alone, beside the insert, and while the stores are away."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--calls", type=int, default=3_000)
    wanted.add_argument("--rounds", type=int, default=3)
    arguments = wanted.parse_args()
    there, away = [], []
    with sandbox() as (stores, agent_id):
        variables = environment(stores.settings)
        insert_into = variables["POSTGRES_URL"]
        for _ in range(arguments.rounds):
            there.append(_round(agent_id, variables, insert_into, arguments.calls))
            away.append(_round(agent_id, variables | AWAY, insert_into, arguments.calls))
    _show_times(there)
    _show_times_away(there, away)


def _round(agent_id: str, variables: Mapping[str, str], insert_into: str, calls: int) -> Figures:
    with temporary_spool() as spool, delivery(spool, variables, "--forever"):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.recorder_calls_child", agent_id, str(calls)],
            env={**variables, "AGENTRUNS_SPOOL": str(spool.folder), "INSERT_INTO": insert_into},
            check=True,
            stdout=subprocess.PIPE,
        )
    figures: Figures = json.loads(done.stdout)
    return figures


def _show_times(rounds: list[Figures]) -> None:
    for call in CALLS:
        tell(f"run.{call}: median", _median(rounds, f"{call} median"), "ms", most=MEDIAN_GOAL)
        tell(f"run.{call}: p99", _median(rounds, f"{call} p99"), "ms", most=P99_GOAL)
        beside = _relation(rounds, f"{call} p99", rounds, "insert p99")
        tell(f"run.{call}: p99 to that of a direct insert", beside, "times", most=INSERT_GOAL)
    for share in ("median", "p99"):
        tell(f"bare SQLite insert: {share}", _median(rounds, f"sqlite {share}"), "ms")
    tell("direct insert: median", _median(rounds, "insert median"), "ms")
    tell("direct insert: p99", _median(rounds, "insert p99"), "ms")
    tell("run.screenshot of 200 kB: p99", _median(rounds, "picture p99"), "ms", most=PICTURE_GOAL)
    tell("run.log, 8 threads together", _median(rounds, "events"), "events/s", least=THREADS_GOAL)


def _show_times_away(there: list[Figures], away: list[Figures]) -> None:
    for call in (*CALLS, "picture"):
        for share in ("median", "p99"):
            name = f"{call} {share}"
            times = _relation(away, name, there, name)
            tell(f"all stores away, {name}: to that with them", times, "times", most=AWAY_GOAL)


def _median(rounds: list[Figures], name: str) -> float:
    return statistics.median(figures[name] for figures in rounds)


def _relation(mine: list[Figures], name: str, theirs: list[Figures], other: str) -> float:
    """How the one relates to the other, round by round, as neighbours meet the same machine."""
    pairs = zip(mine, theirs, strict=True)
    return statistics.median(one[name] / another[other] for one, another in pairs)


if __name__ == "__main__":
    main()
