"""What agents say and show in the benchmarks."""

import os
import zlib
from typing import Any

MESSAGE = "clicked the button"
DATA: dict[str, Any] = {
    "action": "click",
    "x": 412,
    "y": 230,
    "element": "Continue",
    "duration_ms": 182,
}


def picture(size: int) -> bytes:
    """A PNG of about so many bytes that nobody has seen; its pixels are noise."""
    header = (100).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    chunks = (b"IHDR", header), (b"IDAT", os.urandom(size)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + name + content + zlib.crc32(name + content).to_bytes(4)
