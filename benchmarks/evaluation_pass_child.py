"""One evaluation pass in this process; prints what it took as a line of JSON."""

import json
import resource
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flows.evaluate_tasks import evaluate_tasks
from storage.evaluation import EvaluationStore

P = ParamSpec("P")
R = TypeVar("R")

_spent = 0.0


def main() -> None:
    """Run the flow over everything that is due."""
    for step in ("open_pass", "evaluate_batch", "close_pass", "verdicts_of"):
        setattr(EvaluationStore, step, _timed(getattr(EvaluationStore, step)))
    start = time.perf_counter()
    result = evaluate_tasks()
    took = {
        "seconds": time.perf_counter() - start,
        "in_stores": _spent,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "evaluated": result.evaluated,
    }
    print(json.dumps(took))


def _timed(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        global _spent  # noqa: PLW0603 - one number for the whole process is what is asked for
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            _spent += time.perf_counter() - start

    return timed


if __name__ == "__main__":
    main()
