"""The evaluation pass against one SQL aggregate over the same rows plus one COPY of its results.

Each pass is a flow run in a process of its own, on the running local servers, timed from the call
of the flow to its result. The raw way counts nothing twice, judges nothing and remembers nothing:
it aggregates the progress of all tasks at once and copies the ready-made verdicts of our pass into
the emptied table.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

import psycopg
from dotenv import dotenv_values
from psycopg import sql

from benchmarks.measure import Comparison, show
from benchmarks.sandbox import sandbox
from storage.settings import Settings, stack_file

STEPS = 20
AGENTS = 20
RATIO_GOAL, PREFECT_GOAL, MEMORY_GOAL = 0.5, 0.10, 1.2

TASKS = """
INSERT INTO tasks (
    id, agent_id, title, status, status_at, metadata, created_at, started_at, finished_at
)
SELECT gen_random_uuid(), %(name)s || '-' || n %% %(agents)s, 'task ' || n,
    (ARRAY['completed', 'completed', 'completed', 'failed', 'interrupted'])[1 + n %% 5],
    now(), '{"attempts": 1}', now() - interval '1 day', now() - interval '1 day',
    now() - interval '23 hours'
FROM generate_series(%(first)s::int, %(last)s::int) AS n
RETURNING id, agent_id, started_at
"""
PROGRESS = sql.SQL("""
WITH fresh AS ({tasks})
INSERT INTO task_progress (
    id, task_id, agent_id, step, progress_percent, message, data, "timestamp"
)
SELECT gen_random_uuid(), fresh.id, agent_id, n, n * 5, 'clicked the button ' || n,
    jsonb_build_object('action', 'click', 'x', n * 10, 'usage',
        jsonb_build_object('total_tokens', 1000 + n, 'response_cost', 0.01)),
    started_at + n * interval '7 seconds'
FROM fresh, generate_series(1, %(steps)s) AS n
""")
AGGREGATE = """
SELECT task_id, count(*), count(step), max(progress_percent), min("timestamp"), max("timestamp"),
    count(*) FILTER (WHERE data ? 'error'), sum((data #>> '{usage,total_tokens}')::bigint)
FROM task_progress
GROUP BY task_id
"""


class Pass(NamedTuple):
    """What one pass took."""

    seconds: float
    in_stores: float
    """Seconds of these in our own steps; the rest is Prefect's."""
    peak_bytes: int
    evaluated: int


def main() -> None:
    """Print ours, the raw figure and their ratio, Prefect's share, and the growth of memory."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--tasks", type=int, default=100_000)
    wanted.add_argument("--rounds", type=int, default=1)
    tasks, rounds = (arguments := wanted.parse_args()).tasks, arguments.rounds
    with sandbox() as (stores, name):
        url = stores.settings.required("postgres_owner_url")
        _fill(url, name, 1, tasks // 10)
        small = _pass_of_its_own(stores.settings, tasks // 10)
        _fill(url, name, tasks // 10 + 1, tasks)
        for _ in range(rounds):
            _empty(url)
            large = _pass_of_its_own(stores.settings, tasks)
            raw = _raw_seconds(url)
            found = Comparison(tasks / large.seconds, tasks / raw, raw / large.seconds)
            show(f"evaluation pass, {tasks:,} tasks", found, "tasks/s", RATIO_GOAL)
    _show_share("Prefect's share of the pass", 1 - large.in_stores / large.seconds, PREFECT_GOAL)
    growth = large.peak_bytes / small.peak_bytes
    print(f"peak memory {small.peak_bytes / 2**20:.0f} MiB at {tasks // 10:,} tasks, ", end="")
    _show_share(f"{large.peak_bytes / 2**20:.0f} MiB at {tasks:,}: times", growth, MEMORY_GOAL)


def _show_share(name: str, value: float, goal: float) -> None:
    print(f"{name} {value:.3f}  goal at most {goal:g} {'met' if value <= goal else 'MISSED'}")


def _fill(url: str, name: str, first: int, last: int) -> None:
    parameters = {"name": name, "agents": AGENTS, "steps": STEPS, "first": first, "last": last}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PROGRESS.format(tasks=sql.SQL(TASKS)), parameters)
        connection.execute("VACUUM ANALYZE")


def _empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE evaluations")
        connection.execute("VACUUM ANALYZE")


def _pass_of_its_own(settings: Settings, tasks: int) -> Pass:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.evaluation_pass_child"],
        env=_environment(settings),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result = Pass(**json.loads(done.stdout.splitlines()[-1]))
    if result.evaluated != tasks:
        raise RuntimeError(f"the pass judged {result.evaluated} of {tasks} tasks")
    return result


def _environment(settings: Settings) -> dict[str, str]:
    known = {name: value for name, value in dotenv_values(stack_file()).items() if value}
    return {
        **known,
        **os.environ,
        "POSTGRES_URL": settings.required("postgres_url"),
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "DO_NOT_TRACK": "1",
    }


def _raw_seconds(url: str) -> float:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        with cursor.copy("COPY evaluations TO STDOUT (FORMAT BINARY)") as copy:
            ready = [bytes(block) for block in copy]
        cursor.execute("TRUNCATE evaluations")
        connection.commit()
        start = time.perf_counter()
        cursor.execute(AGGREGATE).fetchall()
        with cursor.copy("COPY evaluations FROM STDIN (FORMAT BINARY)") as copy:
            for block in ready:
                copy.write(block)
        connection.commit()
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
