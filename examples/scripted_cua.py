"""A model that says what it was told to say, and a computer that is only drawn.

Both are plugged into cua-agent the way that it offers for models and computers of one's own,
so that its real loop runs, without a key and without the network.
"""

import base64
import io
from collections.abc import Callable, Iterable
from typing import Any

from cua_agent import register_agent
from cua_agent.responses import make_output_text_item, make_reasoning_item
from PIL import Image, ImageDraw

Item = dict[str, Any]
#: What the model says in one turn, or the error that asking it ends in.
Turn = list[Item] | Exception

#: The turns of each scripted model, by its name.
SCRIPTS: dict[str, list[Turn]] = {}


@register_agent(models=r"scripted/.*")
class ScriptedModel:
    """Says the next turn of its script, whatever it is shown."""

    async def predict_step(
        self,
        messages: list[Item],
        model: str,
        *,
        _on_api_start: Callable[..., Any],
        _on_api_end: Callable[..., Any],
        _on_usage: Callable[..., Any],
        **others: Any,
    ) -> Item:
        """One turn, told to all callbacks as the package's own loops do."""
        asked = {"model": model, "messages": messages, "api_key": others.get("api_key")}
        await _on_api_start(asked)
        turn = SCRIPTS[model].pop(0)
        if isinstance(turn, Exception):
            raise turn
        await _on_api_end(asked, {"output": turn})
        tokens = {"prompt_tokens": 900 + 10 * len(messages), "completion_tokens": 40}
        usage = {**tokens, "total_tokens": sum(tokens.values()), "response_cost": 0.005}
        await _on_usage(usage)
        return {"output": turn, "usage": usage}

    async def predict_click(self, **_: Any) -> None:
        """Point at nothing."""

    def get_capabilities(self) -> list[str]:
        """All it can do is say the next turn."""
        return ["step"]


def think(words: str) -> Item:
    """A thought before an action."""
    return dict(make_reasoning_item(words))


def say(words: str) -> Item:
    """The last words of a run."""
    return dict(make_output_text_item(words))


def act(call_id: str, kind: str, **arguments: Any) -> Item:
    """An action on the computer."""
    action = {"type": kind, **arguments}
    call = {"type": "computer_call", "call_id": call_id, "action": action}
    return {**call, "status": "completed", "pending_safety_checks": []}


def call(call_id: str, name: str, arguments: str) -> Item:
    """A call of a function, its arguments as JSON."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


class Screen:
    """A computer whose screen shows what was done to it."""

    def __init__(self) -> None:
        self.picture = Image.new("RGB", (320, 200), "white")
        self.pen = ImageDraw.Draw(self.picture)

    def computer(self) -> dict[str, Any]:
        """What `ComputerAgent(tools=[...])` takes for a computer."""
        return {
            "environment": "linux",
            "dimensions": self.picture.size,
            "screenshot": self.png,
            "click": self.click,
            "type": self.type,
        }

    def png(self) -> bytes:
        """The screen as it looks now."""
        file = io.BytesIO()
        self.picture.save(file, format="PNG")
        return file.getvalue()

    def base64(self) -> str:
        """The same as text."""
        return base64.b64encode(self.png()).decode()

    def click(self, x: int, y: int, _button: str = "left") -> None:
        """Leave a dot."""
        self.pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill="blue")

    def type(self, text: str) -> None:
        """Write in the corner."""
        self.pen.rectangle((0, 0, 320, 14), fill="white")
        self.pen.text((4, 2), text, fill="black")


def script(model: str, turns: Iterable[Turn]) -> str:
    """Have the model say these turns; gives its name."""
    SCRIPTS[model] = list(turns)
    return model
