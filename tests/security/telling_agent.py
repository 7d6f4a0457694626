"""An agent that tells everything it was given, in every way there is: ID SPOOL PATTERNS PLANTED."""

import json
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ["AGENTRUNS_SECRETS"] = sys.argv[3]

from agentruns import Recorder, Run, logging_handler

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20 + b"IEND\xaeB`\x82"


def main() -> None:
    """Tell all of it."""
    agent_id, spool = sys.argv[1:3]
    planted = json.loads(Path(sys.argv[4]).read_text())
    with Recorder(agent_id, spool=spool, deliver=False, exit_seconds=0) as recorder:
        for text in planted["texts"]:
            with suppress(RuntimeError), recorder.run(text, description=text) as run:
                tell(run, text)
                raise RuntimeError(text)
        for data in planted["data"]:
            with recorder.run("with data", metadata=data) as run:
                tell_data(run, data)


def tell(run: Run, text: str) -> None:
    """Say a text."""
    run.log(text)
    run.log("as JSON inside", inner=json.dumps({"said": text}))
    run.progress(50, text, data={"said": [text]})
    run.remember(text)
    run.screenshot(PNG, caption=text)
    run.file(b"harmless", name=text[:200], about=text)
    logger = logging.getLogger("told")
    logger.propagate = False
    logger.addHandler(handler := logging_handler(run))
    logger.warning("it says %s", text)
    logger.removeHandler(handler)
    with run.capture_output():
        print(text)  # noqa: T201 - to be captured


def tell_data(run: Run, data: dict[str, Any]) -> None:
    """Say a value."""
    run.log("with data", data=data)
    run.log("as keywords", **{key: value for key, value in data.items() if key != "message"})
    run.progress(60, "with data", data=data)
    run.remember("with data", about=data)
    run.screenshot(PNG, about=data)
    run.finish(reason=json.dumps(data), fact=data)


if __name__ == "__main__":
    main()
