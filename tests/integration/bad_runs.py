"""Folders of runs that are wrong in every way that people's folders are, beside a good one."""

import json
import os
import shutil
import struct
import zlib
from base64 import b64encode
from pathlib import Path

GOOD = Path(__file__).parents[2] / "examples" / "runs"
TICKS = 0x01B21DD213814000 + 17_000_000_000_000_000


def png(width=1, height=1):
    """A picture that says it is this large; its pixels are those of one."""

    def chunk(kind, data):
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"\x00\x00\x00\x00\xff")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def run(root, name, *, metadata=True, picture=None, **answer):
    """A run of one step, which the arguments spoil."""
    folder = root / name
    turn = folder / "turn_000"
    turn.mkdir(parents=True)
    if metadata:
        about = {"trajectory_id": name, "status": "completed", "created_at": str(TICKS)}
        about |= metadata if isinstance(metadata, dict) else {}
        (folder / "metadata.json").write_text(json.dumps(about))
    said = {"output": [{"type": "message", "content": [{"text": name}]}]}
    told = {"model": "m", "response": said, "created_at": str(TICKS + 10_000_000)} | answer
    (turn / "0000_agent_response.json").write_text(json.dumps(told))
    acted = folder / "turn_001"
    acted.mkdir()
    (acted / "0001_screenshot_after.png").write_bytes(png() if picture is None else picture)
    call = {"type": "computer_call", "call_id": "c", "action": {"type": "click", "x": 1, "y": 2}}
    result = {"item": call, "result": [], "created_at": str(TICKS + 20_000_000)}
    (acted / "0002_computer_call_result.json").write_text(json.dumps(result))
    return folder


def plant(root):
    """The good run and all bad ones."""
    root.mkdir()
    shutil.copytree(next(path for path in sorted(GOOD.iterdir()) if path.is_dir()), root / "good")
    (root / "empty").mkdir()
    (root / "unknown").mkdir()
    (root / "unknown" / "notes.docx").write_bytes(b"PK\x03\x04 no format that anybody knows")
    cut = run(root, "cut json") / "turn_000" / "0000_agent_response.json"
    cut.write_bytes(cut.read_bytes()[:-20])
    listed = run(root, "list for object") / "turn_000" / "0000_agent_response.json"
    listed.write_text("[1, 2]")
    empty = run(root, "empty json") / "turn_000" / "0000_agent_response.json"
    empty.write_text("")
    run(root, "no metadata", metadata=False)
    run(root, "running for ever", metadata={"status": "running"})
    run(root, "unknown status", metadata={"status": "jammed"})
    run(root, "empty picture", picture=b"")
    run(root, "half a picture", picture=png()[:30])
    run(root, "huge picture", picture=png(20_000, 20_000))
    run(root, "html for picture", picture=b"<!DOCTYPE html><script>alert(1)</script>")
    run(root, "20 MB in a text", note=b64encode(os.urandom(15 * 2**20)).decode())
    twice = run(root, "twice")
    shutil.copytree(twice, root / "twice again")
    other = run(root, "one id")
    shutil.copytree(other, root / "one id and other content")
    (root / "one id and other content" / "turn_000" / "0000_agent_response.json").write_text(
        json.dumps({"model": "n", "response": {"output": []}, "created_at": str(TICKS)})
    )
    for number, moment in enumerate(("2026-01-01T00:00:00", 1.5e9, None, str(2**70), "9" * 400)):
        run(root, f"time {number}", created_at=moment)
    run(root, "numbers as texts", response={"output": [], "usage": {"total_tokens": "17"}})
    strange = run(root, "not a number") / "turn_000" / "0000_agent_response.json"
    strange.write_text('{"model": "m", "response": {"output": [], "cost": NaN, "x": -Infinity}}')
    run(root, "dots", note="../../../etc/passwd", model="../..")
    run(root, "long " + "n" * 240)
    run(root, "emoji and nul", note="\N{PILE OF POO} \x00 \ud800")
    (run(root, "no picture") / "turn_001" / "0001_screenshot_after.png").unlink()
    nested = run(root, "deep") / "turn_000" / "0000_agent_response.json"
    nested.write_text('{"a":' * 5_000 + "1" + "}" * 5_000)
    link = run(root, "link") / "turn_000" / "9999_passwd.json"
    link.symlink_to("/etc/passwd")
    os.mkfifo(run(root, "pipe") / "turn_000" / "9998_pipe.json")
    Path(os.fsdecode(os.fsencode(run(root, "bytes")) + b"/\xff\xfe.png")).write_bytes(png())
    return root
