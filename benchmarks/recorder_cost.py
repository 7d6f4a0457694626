"""What recording takes from an agent: memory, processor time, and the time to import it.

Each figure is the difference between two processes that do the same, one with a recorder and one
without. What a bare SQLite insert and a bare file take at the same pace shows the disk's share.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from math import inf

from benchmarks.measure import tell
from benchmarks.sandbox import sandbox
from benchmarks.spooling import delivery, environment, temporary_spool

MEMORY_GOAL, GROWTH_GOAL, PROCESSOR_GOAL, IMPORT_GOAL = 30.0, 1.2, 2.0, 150.0
IMPORTS = 9
#: The first is lazy: the second brings pydantic, which an agent often has anyway.
IMPORT, RECORDER = "import agentruns", "from agentruns import Recorder"
MIB = 2**20


def main() -> None:
    """Print all three."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--events", type=int, default=1_000_000)
    wanted.add_argument("--seconds", type=int, default=20)
    arguments = wanted.parse_args()
    _show_imports()
    _show_processor(arguments.seconds)
    _show_memory(arguments.events)


def _show_imports() -> None:
    codes = (IMPORT, RECORDER, "import pydantic; pydantic.BaseModel", "pass")
    rounds = [[_start_seconds(code) for code in codes] for _ in range(IMPORTS)]
    *taken, nothing = (statistics.median(times) * 1000 for times in zip(*rounds, strict=True))
    for code, milliseconds in zip(codes, taken, strict=False):
        goal = IMPORT_GOAL if code == IMPORT else inf
        tell(code, milliseconds - nothing, "ms", most=goal)


def _start_seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def _show_processor(seconds: int) -> None:
    with sandbox() as (stores, agent_id), temporary_spool() as spool:
        variables = environment(stores.settings)
        with delivery(spool, variables, "--forever"):
            # At once, as what is counted is the processor's time and not the clock's.
            agents = [
                _agent(how, "work", str(seconds), agent_id, str(spool.folder))
                for how in ("recorded", "bare", "alone")
            ]
            recorded, bare, alone = (_told(agent)["share"] for agent in agents)
    name = "processor time at 50 events/s and 2 screenshots/s"
    tell(name, (recorded - alone) * 100, "%", most=PROCESSOR_GOAL)
    tell("the same of bare SQLite inserts and files", (bare - alone) * 100, "%")


def _show_memory(events: int) -> None:
    with temporary_spool() as spool:
        recorded, alone = (
            _told(_agent(how, "remember", str(events), "measured", str(spool.folder)))
            for how in ("recorded", "alone")
        )
    extra = {when: (recorded[when] - alone[when]) / MIB for when in recorded}
    for count, when in ((events // 10, "early"), (events, "late")):
        tell(f"memory of the agent after {count:,} events", extra[when], "MiB", most=MEMORY_GOAL)
    growth = extra["late"] / extra["early"]
    tell("memory of the agent: growth in between", growth, "times", most=GROWTH_GOAL)


def _agent(*words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "benchmarks.recorder_cost_child", *words]
    # What is left in the spool is nobody's loss, so nothing is started that would deliver it.
    variables = {**os.environ, "AGENTRUNS_DELIVER": "0"}
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE)


def _told(agent: "subprocess.Popen[bytes]") -> dict[str, float]:
    output, _ = agent.communicate()
    if agent.returncode:
        raise RuntimeError("an agent failed; see above")
    told: dict[str, float] = json.loads(output)
    return told


if __name__ == "__main__":
    main()
