"""Record the runs of a cua-agent. The three lines that matter are marked.

With ANTHROPIC_API_KEY set, Claude works on the drawn screen; without it, a script does.
Try it on the local servers: `agentruns up`, then `python examples/record_cua.py`.
"""

import asyncio
import logging
import os

# Unless told otherwise, cua-agent reports to its makers, and litellm fetches its list of prices.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("LITELLM_LOG", "ERROR")

from cua_agent import ComputerAgent
from scripted_cua import Screen, act, say, script, think

from agentruns import Recorder
from agentruns.cua import RecordingCallback

TASK = "Click the blue button, then type hello"


async def work(recorder: Recorder, model: str) -> None:
    """Run the agent on the drawn screen."""
    with RecordingCallback(recorder) as recording:  # 2: a run of the agent is a task from now on
        agent = ComputerAgent(
            model,
            tools=[Screen().computer()],
            callbacks=[recording],  # 3: beside whatever else listens, such as trajectory_dir=...
            screenshot_delay=0,
        )
        async for result in agent.run(TASK):
            print(*(item["type"] for item in result["output"]))


def choose_model() -> str:
    """Claude where there is a key, else the script."""
    if os.environ.get("ANTHROPIC_API_KEY"):
        return os.environ.get("CUA_MODEL", "anthropic/claude-sonnet-4-5-20250929")
    return script(
        "scripted/demo",
        [
            [
                think("The button is at the left."),
                act("call_1", "click", x=60, y=90, button="left"),
            ],
            [think("Now the text."), act("call_2", "type", text="hello")],
            [say("The button was clicked, and hello is typed.")],
        ],
    )


def main() -> None:
    """Record one run, and say what of it has arrived."""
    logging.basicConfig(level=logging.WARNING)
    recorder = Recorder(agent_id=os.environ.get("AGENT_ID", "cua-1"))  # 1: where runs are kept
    asyncio.run(work(recorder, choose_model()))
    print(recorder.flush(timeout=float(os.environ.get("FLUSH_SECONDS", "30"))))


if __name__ == "__main__":
    main()
