"""The tour of `make demo`, from its first step to its last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from apps.stack import Stack

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


@pytest.mark.slow
def test_the_demo_records_scores_checks_and_shows_where_to_look(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, DEMO],
        capture_output=True,
        text=True,
        env=os.environ | {"AGENTRUNS_HOME": str(stack.home)},
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if re.match(r"[0-9a-f-]{36} ", line)]
    assert [(status, 0 < float(score) <= 1) for _, status, score, *_ in rows[:2]] == [
        ("failed", True),
        ("completed", True),
    ]
    assert "Everything is well." in done.stdout
    assert re.search(r"A screenshot \([\d,]{4,} bytes", done.stdout)
    assert str(stack.status()["prefect_ui"]) in done.stdout
