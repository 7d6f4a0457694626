"""The callback beside the package's own loop for Claude; its model is a server on this machine."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cua_agent import ComputerAgent

from agentruns.cua import RecordingCallback
from agentruns.models import Status
from examples.scripted_cua import Screen
from tests.integration.cua_agents import (
    drive,
    errors,
    read,
    recorder,
    screenshots,
    steps,
    tasks,
    told,
)


def turn(*blocks):
    reason = "tool_use" if blocks[-1]["type"] == "tool_use" else "end_turn"
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": list(blocks),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 900, "output_tokens": 40},
    }


def text(words):
    return {"type": "text", "text": words}


def computer(call_id, **arguments):
    return {"type": "tool_use", "id": call_id, "name": "computer", "input": arguments}


@pytest.fixture
def claude():
    """Says what it is told to say: `claude.turns`, at `claude.url`."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(self.server.turns.pop(0)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_loop_for_claude_is_told_as_its_saver_tells_it(tmp_path, claude):
    claude.turns = [
        turn(text("I click."), computer("t1", action="left_click", coordinate=[40, 60])),
        turn(computer("t2", action="triple_click", coordinate=[9, 9])),
        turn(text("I type."), computer("t3", action="type", text="hello")),
        turn(text("It is booked.")),
    ]
    with recorder(tmp_path) as kept:
        agent = ComputerAgent(
            "anthropic/claude-sonnet-4-5-20250929",
            tools=[Screen().computer()],
            callbacks=[RecordingCallback(kept)],
            trajectory_dir=str(tmp_path / "saved"),
            screenshot_delay=0,
            max_retries=0,
            telemetry_enabled=False,
            api_base=claude.url,
            api_key="sk-ant-api03-0123456789abcdefghij",
        )
        asyncio.run(drive(agent))
    said = [step[2] for step in steps(told(tmp_path))]
    assert said == ["click (40, 60)", "type 'hello'", "completed: It is booked."]
    assert steps(told(tmp_path)) == steps(read(tmp_path))
    assert screenshots(told(tmp_path)) == screenshots(read(tmp_path))
    failed = ["call failed: NotImplementedError('triple_click')"]
    assert errors(told(tmp_path)) == errors(read(tmp_path)) == failed
    (task,) = tasks(tmp_path).values()
    assert task.status is Status.COMPLETED
