"""The tour that `make demo` gives: every step is a command that you can type yourself.

Two recorded runs are replayed step by step, as an agent's own saver would write them. One ends
well, the other dies in the middle.
"""

import json
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
AGENTRUNS = str(Path(sys.executable).with_name("agentruns"))
GOOD_RUN = HERE / "runs" / "2026-11-23_uitars157b_010146_11c0"
DYING_RUN = HERE / "runs" / "2026-11-23_computerusepre_010157_2a40"
#: 128 + 9: what a shell says of a command that was killed with SIGKILL.
KILLED = 137


def main() -> int:
    """Run the tour; 0 when every step did what it is here to show."""
    started = time.monotonic()
    step("Start the servers (the first time this builds MinIO: 2 to 6 minutes)", "up")
    with tempfile.TemporaryDirectory(prefix="agentruns-demo-") as folder:
        record("Read the event feed", GOOD_RUN, Path(folder, "good"))
        dying = Path(folder, "dying")
        record("Read the list of runs", DYING_RUN, dying, "--die-at", "12", expect=KILLED)
    step("See whom that let in, with a key of its own", "agents", "list")
    step("Score what is new", "evaluate")
    step("Ask every part how it is", "check", "health")
    step("Look at the tasks and their scores", "tasks", "list", "--limit", "4")
    show_where_to_look()
    print(f"\nDone in {time.monotonic() - started:.0f} s.")
    return 0


def record(title: str, run: Path, folder: Path, *options: str, expect: int = 0) -> None:
    """Record the replay of one run, as you would record your own agent."""
    folder.mkdir()
    replay = [sys.executable, str(HERE / "replay.py"), str(run), "--to", str(folder), *options]
    ending = "which dies in the middle" if expect else "which ends well"
    step(
        f"Record an agent, {ending}",
        *("record", "--agent", "demo", "--title", title, "--watch", str(folder), "--", *replay),
        expect=expect,
    )


def step(what: str, *arguments: str, expect: int = 0) -> None:
    """Say what comes, show the command, run it, and stop the tour when it goes wrong."""
    print(f"\n\033[1m{what}\033[0m\n$ agentruns {shlex.join(arguments)}", flush=True)
    code = subprocess.run([AGENTRUNS, *arguments], check=False).returncode  # noqa: S603 - our own command
    if code != expect:
        sys.exit(f"agentruns {arguments[0]} ended with {code} where {expect} was due.")


def show_where_to_look() -> None:
    """Print the addresses, after opening the screenshot's to be sure that it opens."""
    status = ask("status")
    newest = ask("tasks", "list", "--status", "completed", "--limit", "1")["tasks"][0]
    files = ask("tasks", "show", newest["id"], "--urls")["files"]
    url = next(file["url"] for file in files if file["bucket"] == "screenshots")
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - an address we made
        size = len(answer.read())
    print(f"""
\033[1mWhere to look\033[0m
  Prefect      {status["prefect_ui"]}
               its password: agentruns env | grep PREFECT_API_AUTH_STRING
  A screenshot ({size:,} bytes, the address opens for one hour)
               {url}
  One task     agentruns tasks show {newest["id"]}

\033[1mHow to go on\033[0m
  Your agent   agentruns record --agent my-agent --watch trajectories -- python my_agent.py
  The schedule is on: Prefect evaluates every 15 minutes and checks the health every 5.
  Stop         agentruns down          (the data stays; agentruns reset --yes deletes it)
  `agentruns` lies in {Path(AGENTRUNS).parent}; add that folder to your PATH.""")


def ask(*arguments: str) -> dict:
    """The JSON document that a command answers with."""
    answer = subprocess.run(  # noqa: S603 - our own command
        [AGENTRUNS, *arguments, "--json"], check=True, capture_output=True, text=True
    )
    return json.loads(answer.stdout)


if __name__ == "__main__":
    sys.exit(main())
