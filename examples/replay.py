"""Replays a recorded run into a folder, file by file, as the agent's own saver wrote it.

    python examples/replay.py examples/runs/2026-11-23_uitars157b_010146_11c0 --to trajectories

It stands for an agent wherever none is at hand: it prints a line a step, takes its time, and can
die in the middle. A run that never came to its end when it was recorded doesn't end well here
either. Needs the standard library only.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

METADATA = "metadata.json"


def main() -> int:
    """Replay one run; 0 when it reached its end, 1 when the recorded one never did."""
    options = parse_arguments()
    if not (options.run / METADATA).is_file():
        print(
            f"{options.run} holds no {METADATA}; name a folder of examples/runs.", file=sys.stderr
        )
        return 2
    target = options.to / options.run.name
    target.mkdir(parents=True, exist_ok=True)
    write_beginning(options.run, target)
    for source in numbered_files(options.run):
        if number_of(source) == options.die_at:
            die_while_writing(source, target / source.parent.name)
        copy(source, target / source.parent.name)
        announce(source)
        time.sleep(options.delay)
    return write_end(options.run, target)


def parse_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="the recorded run, a folder with metadata.json")
    parser.add_argument("--to", type=Path, required=True, help="where the agent keeps its runs")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds to wait after each file")
    parser.add_argument(
        "--die-at", type=int, metavar="N", help="kill -9 while file number N is half written"
    )
    return parser.parse_args()


def numbered_files(run: Path) -> list[Path]:
    """The files of the run in the order in which they were written."""
    return sorted(run.glob("turn_*/*"), key=number_of)


def number_of(file: Path) -> int:
    """The number at the beginning of the file's name, which counts through the whole run."""
    return int(file.name.partition("_")[0])


def write_beginning(run: Path, target: Path) -> None:
    """Write metadata.json as the saver does when a run starts."""
    known = json.loads((run / METADATA).read_text(encoding="utf-8"))
    beginning = {key: known[key] for key in ("trajectory_id", "created_at")}
    beginning |= {"status": "running", "kwargs": known["kwargs"]}
    (target / METADATA).write_text(json.dumps(beginning, indent=2), encoding="utf-8")
    print(f"Task: {known['kwargs']['messages'][0]['content']}", flush=True)


def copy(source: Path, turn: Path) -> None:
    """Write one file with the bytes that were recorded."""
    turn.mkdir(exist_ok=True)
    (turn / source.name).write_bytes(source.read_bytes())


def announce(source: Path) -> None:
    """Print what an agent would: a line for each thought and for each action."""
    if source.name.endswith("_agent_response.json"):
        for item in json.loads(source.read_text(encoding="utf-8"))["response"]["output"]:
            for part in item.get("summary", []) + item.get("content", []):
                print(part["text"], flush=True)
    elif source.name.endswith("_call_result.json"):
        item = json.loads(source.read_text(encoding="utf-8"))["item"]
        action = item.get("action") or item.get("arguments")
        print(f"{source.parent.name}: {item['type']} {action}", flush=True)


def die_while_writing(source: Path, turn: Path) -> None:
    """Leave half a file and be gone, as after a power cut."""
    content = source.read_bytes()
    turn.mkdir(exist_ok=True)
    (turn / source.name).write_bytes(content[: len(content) // 2])
    print(f"Dying while {source.name} is half written.", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def write_end(run: Path, target: Path) -> int:
    """Write metadata.json as it was found in the end."""
    content = (run / METADATA).read_bytes()
    (target / METADATA).write_bytes(content)
    if json.loads(content)["status"] == "completed":
        return 0
    print("The recorded run stops here; it never came to its end.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
