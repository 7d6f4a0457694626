"""Processes that say each step before they take it, and are killed at one of these words."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Kills of each kind, one at every step and the rest at random.
TRIALS = int(os.environ.get("AGENTRUNS_TRIALS", "4"))
_DELAYS = (0, 0.003, 0.01, 0.03, 0.1)


def killed_at(
    trial: int,
    words: Sequence[str],
    module: str,
    *arguments: str,
    delays: Sequence[float] = _DELAYS,
) -> None:
    """Kill a process at a step: each in turn, then at random, and at any moment of it."""
    chance = random.Random(trial)
    step = words[trial] if trial < len(words) <= TRIALS else chance.choice(words)
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    while process.stdout.readline().strip() not in {step, ""}:
        pass
    time.sleep(chance.choice(delays) * chance.random())
    process.kill()
    process.communicate()
