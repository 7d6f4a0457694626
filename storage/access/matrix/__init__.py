"""The rights that provisioning gives out, in files that a reviewer can read."""

import json
from importlib.resources import files
from typing import Any

from storage.arguments import checked_agent_id

_AGENT = "<agent_id>"


def rights(name: str, agent_id: str | None = None) -> dict[str, Any]:
    """The content of one file, for this agent.

    Raises:
        ValueError: when no agent can be called like this.
    """
    text = files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    if agent_id is not None:
        text = text.replace(_AGENT, checked_agent_id(agent_id))
    return dict(json.loads(text))
