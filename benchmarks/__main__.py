"""`make bench`: start servers of the benchmarks' own, run every one, stop the servers.

`python -m benchmarks delivery recorder` runs those whose names begin so.
"""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from apps.stack import Stack

NAMES = (
    "recorder_calls",
    "recorder_cost",
    "delivery",
    "record_writer",
    "row_security",
    "metadata_query",
    "evaluation_pass",
    "migration",
    "quality",
    "deep_check",
    "deletion",
)


def main() -> None:
    """Print every figure, or those that were asked for."""
    chosen = tuple(sys.argv[1:]) or ("",)
    # Each benchmark reads options of its own when it is run alone.
    del sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="agentruns-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        stack = Stack(Path(folder, "home"))
        try:
            stack.up()
            os.environ["AGENTRUNS_HOME"] = str(stack.home)
            _run([name for name in NAMES if name.startswith(chosen)])
        finally:
            stack.reset()


def _run(names: list[str]) -> None:
    for name in names:
        # Late: Prefect reads the environment when it is imported.
        import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
