"""An agent as somebody might write one; tests start it, watch it, and kill it.

A line goes out for every call that has returned: what it kept, under which id, the words by
which it is known, how long it took, how long of that it had no processor, and when.
Everything waits for a first line of input; the end of the input ends an agent that would go on.
"""

import os
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from agentruns import DiskFull, Recorder, Run
from tests.unit.cua_folders import png

Call: TypeAlias = Callable[[Run, str, int], UUID]
RUN_DELAY = Path("/proc/thread-self/schedstat")


def _screenshot(run: Run, words: str, number: int) -> UUID:
    # Two in a row are one picture: nothing moved on the screen.
    return run.screenshot(png(number // 40), step=number, words=words)


def _large_screenshot(run: Run, words: str, number: int) -> UUID:
    return run.screenshot(png(number, noise=20_000), step=number, words=words)


def _file(run: Run, words: str, number: int) -> UUID:
    return run.file(f"report {words}".encode(), name=f"{number}.txt", words=words)


CALLS: dict[str, Call] = {
    "log": lambda run, words, number: run.log(words, number=number),
    "progress": lambda run, words, number: run.progress(number % 101, words, step=number),
    "memory": lambda run, words, _: run.remember(words),
    "screenshot": _screenshot,
    "file": _file,
    "large": _large_screenshot,
}
CYCLE = (*(["log"] * 3 + ["progress"]) * 4, "screenshot", "memory", "file", "log")
LARGE = ("large", "log")


def main() -> None:
    arguments = _arguments()
    _say("ready")
    sys.stdin.readline()
    recorder = Recorder(
        arguments.agent, spool=arguments.spool, deliver=arguments.deliver, exit_seconds=0
    )
    with recorder.run("a run that may be killed") as run:
        _say("task", run.task_id)
        _work_in_threads(run, arguments)
    _say("completed")


def _arguments() -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("spool")
    parser.add_argument("agent")
    parser.add_argument("--events", type=int, help="how many each thread tells; without, no end")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two calls")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--deliver", action="store_true", help="let the recorder start a delivery")
    parser.add_argument("--large", action="store_true", help="screenshots of 100 kB, and logs")
    return parser.parse_args()


def _work_in_threads(run: Run, arguments: Namespace) -> None:
    over = threading.Event()
    threading.Thread(target=_wait_for_end, args=(over,), daemon=True).start()
    workers = [
        threading.Thread(target=_work, args=(run, number, arguments, over))
        for number in range(arguments.threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _wait_for_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _work(run: Run, thread: int, arguments: Namespace, over: threading.Event) -> None:
    cycle = LARGE if arguments.large else CYCLE
    for number in range(arguments.events) if arguments.events else count():
        if over.is_set():
            break
        try:
            _tell(run, cycle[number % len(cycle)], f"{thread}-{number}", number)
        except DiskFull:
            _say("full")
        over.wait(arguments.pause)


def _tell(run: Run, kind: str, words: str, number: int) -> None:
    delay, start = _run_delay(), time.monotonic()
    kept = CALLS[kind](run, words, number)
    took = time.monotonic() - start
    _say(kind, kept, words, f"{took * 1e3:.3f}", f"{(_run_delay() - delay) / 1e6:.3f}", start)


def _run_delay() -> int:
    """For how many nanoseconds this thread could have run and had no processor."""
    return int(RUN_DELAY.read_text().split()[1]) if RUN_DELAY.exists() else 0


def _say(*words: object) -> None:
    # One write is whole or not there at all, whenever the process is killed.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


if __name__ == "__main__":
    main()
