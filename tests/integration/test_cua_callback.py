"""The callback in the real cua-agent, beside its own saver; only the model is scripted."""

import json

import pytest

from agentruns.models import Status, Upload
from examples.scripted_cua import Screen, act, call, say, think
from tests.integration.cua_agents import (
    errors,
    read,
    run_both,
    screenshots,
    steps,
    tasks,
    told,
)

CLICK = [think("The button is left."), act("c1", "click", x=40, y=60, button="left")]
TYPE = [think("Now the text."), act("c2", "type", text="hello")]
TELEPORT = [act("c3", "teleport", where="home")]
LOOK = [think("I look."), call("f1", "browser", json.dumps({"action": "look", "url": "a.example"}))]
POINT = [call("f2", "browser", json.dumps({"action": "left_click", "coordinate": [30, 50]}))]
REFUSED = [call("f3", "browser", json.dumps({"action": "refuse"}))]
TWO_AT_ONCE = [
    act("c4", "click", x=9, y=9, button="left"),
    act("c5", "keypress", keys=["ctrl", "s"]),
]
DONE = [say("It is booked.")]
WITH_PICTURE = [
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Book a flight as shown"},
            {"type": "input_image", "image_url": "data:image/png;base64," + Screen().base64()},
        ],
    }
]


@pytest.mark.parametrize(
    ("turns", "asked"),
    [
        pytest.param([CLICK, TYPE, DONE], "Book a flight", id="computer calls"),
        pytest.param([LOOK, POINT, DONE], "Book a flight", id="functions with pictures inside"),
        pytest.param([CLICK, TELEPORT, REFUSED, TYPE, DONE], "Book", id="failing tools"),
        pytest.param([TWO_AT_ONCE, LOOK, DONE], "Book a flight", id="two actions in one answer"),
        pytest.param([CLICK, DONE], WITH_PICTURE, id="a picture from the user"),
        pytest.param([DONE], "Say hello", id="no action at all"),
    ],
)
def test_the_callback_tells_what_the_savers_folder_tells(tmp_path, turns, asked):
    run_both(tmp_path, turns, asked)
    assert steps(told(tmp_path)) == steps(read(tmp_path))
    assert screenshots(told(tmp_path)) == screenshots(read(tmp_path))
    assert sorted(errors(told(tmp_path))) == sorted(errors(read(tmp_path)))
    (task,) = tasks(tmp_path).values()
    assert (task.status, task.title) == (Status.COMPLETED, read(tmp_path)[0].title)


def test_each_screenshot_is_stored_as_the_agent_saw_it(tmp_path):
    """The hashes of the comparison are those of real and different pictures."""
    run_both(tmp_path, [CLICK, TYPE, LOOK, POINT, DONE])
    files = [r for r in told(tmp_path) if isinstance(r, Upload)]
    assert [f.file.metadata["step"] for f in files] == [1, 2, 3, 4]
    assert all(f.file.metadata["primary"] for f in files)
    assert len({f.file.sha256 for f in files}) == 3  # looking changes nothing on the screen
