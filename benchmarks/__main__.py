"""`make bench`: start servers of the benchmarks' own, run every one, stop the servers."""

import os
import tempfile
from pathlib import Path

from apps.stack import Stack


def main() -> None:
    """Print every figure."""
    with tempfile.TemporaryDirectory(prefix="agentruns-bench-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        stack = Stack(Path(folder, "home"))
        try:
            stack.up()
            os.environ["AGENTRUNS_HOME"] = str(stack.home)
            _run()
        finally:
            stack.reset()


def _run() -> None:
    # Late: Prefect reads the environment when it is imported.
    from benchmarks import evaluation_pass, metadata_query, record_writer  # noqa: PLC0415

    for benchmark in (record_writer, metadata_query, evaluation_pass):
        benchmark.main()


if __name__ == "__main__":
    main()
