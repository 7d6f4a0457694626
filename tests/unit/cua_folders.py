"""Makes folders as cua-agent's TrajectorySaverCallback writes them, in every variant."""

import base64
import json
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIRST_TICK = 140146885061575030


def png(seed: int, noise: int = 300) -> bytes:
    """A real picture, a different one for each seed."""
    pixels = b"".join(
        b"\0" + struct.pack(">I", (seed * 7919 + row) % 2**32) for row in range(noise)
    )
    header = struct.pack(">IIBBBBB", 1, noise, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def data_url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


@dataclass
class CuaFolder:
    """One run; its methods write the files that the saver would write, in its order."""

    root: Path
    trajectory_id: str = "2026-11-23_model_010146_11c0"
    with_times: bool = True
    with_answer_turns: bool = True
    turn: int = 0
    number: int = 0
    tick: int = FIRST_TICK
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.root / self.trajectory_id

    def start(self, text: Any = "Book a flight", **kwargs: Any) -> "CuaFolder":
        self.history = [{"role": "user", "content": text}]
        self.known = {
            "trajectory_id": self.trajectory_id,
            "created_at": self.now(),
            "status": "running",
            "kwargs": {"messages": self.history[:], "model": "org/model", **kwargs},
        }
        self.write_metadata()
        return self

    def now(self) -> str:
        self.tick += 1_000_000
        return str(self.tick)

    def write_metadata(self, **more: Any) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.known |= more
        (self.path / "metadata.json").write_text(json.dumps(self.known))

    def save(self, name: str, content: bytes | dict[str, Any]) -> Path:
        folder = self.path / f"turn_{self.turn:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        kind = "png" if isinstance(content, bytes) else "json"
        file = folder / f"{self.number:04d}_{name}.{kind}"
        if isinstance(content, dict):
            times = {"created_at": self.now()} if self.with_times else {}
            content = json.dumps({**content, **times}).encode()
        file.write_bytes(content)
        self.number += 1
        return file

    def ask(self, output: list[dict[str, Any]], **usage: Any) -> None:
        kwargs = {"messages": self.history[:], "model": "org/model"}
        self.save("api_start", {"kwargs": kwargs})
        self.save("api_result", {"kwargs": kwargs, "result": {"id": "r"}})
        response = {"output": output, "usage": usage}
        self.save("agent_response", {"model": "org/model", "kwargs": kwargs, "response": response})
        self.history += output
        self.turn += self.with_answer_turns

    def act(self, action: dict[str, Any], call_id: str = "", picture: bool = True) -> None:
        call_id = call_id or f"call_{self.number}"
        item = {
            "type": "computer_call",
            "call_id": call_id,
            "action": action,
            "status": "completed",
        }
        thought = {"type": "reasoning", "summary": [{"text": f"I will {action.get('type')}"}]}
        self.ask([thought, item], total_tokens=10)
        if picture:
            self.save("screenshot_after", png(self.number))
        output = {"type": "input_image", "image_url": "[omitted]"}
        if action.get("type") == "terminate":
            output = {"terminated": True}
        result = {"type": "computer_call_output", "call_id": call_id, "output": output}
        self.save("computer_call_result", {"item": item, "result": [result]})
        if picture and "x" in action:
            self.save("screenshot_action", png(self.number))
        self.history.append(result)
        self.turn += 1

    def call(self, name: str, arguments: str, output: Any, drawn: str = "screenshot") -> None:
        call_id = f"call_{self.number}"
        item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
        self.ask([item], total_tokens=10)
        result = {"type": "function_call_output", "call_id": call_id, "output": output}
        self.save("function_call_result", {"item": item, "result": [result]})
        if drawn:
            self.save(drawn, png(self.number))
        self.history.append(result)
        self.turn += 1

    def fail(self, error: str, call_id: str) -> None:
        """A failed call: no file, only a trace in the history."""
        output = json.dumps({"error": error})
        item = {"type": "computer_call", "call_id": call_id, "action": {"type": "wait"}}
        self.ask([item])
        self.history.append({"type": "function_call_output", "call_id": call_id, "output": output})

    def end(self, text: str = "Done", **more: Any) -> "CuaFolder":
        message = {"type": "message", "role": "assistant", "content": [{"text": text}]}
        self.ask([message], total_tokens=5)
        usage = {"total_tokens": 10_000, "response_cost": 0.5}
        ending = {"status": "completed", "completed_at": self.now(), "total_usage": usage}
        turns = {"new_items": self.history[1:], "total_turns": self.turn}
        self.write_metadata(**(ending | turns | more))
        return self
