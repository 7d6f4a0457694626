"""How large a picture says it is, read from its header alone."""

import re
from struct import Struct

_PNG, _GIF, _JPEG = b"\x89PNG\r\n\x1a\n", b"GIF8", b"\xff\xd8\xff"
_TWO_LONG, _TWO_SHORT, _TWO_HIGH = Struct(">II"), Struct("<HH"), Struct(">HH")
_SEGMENT, _FRAME = Struct(">BBH"), Struct(">BHH")
#: The markers of JPEG after which its height and width stand.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: The markers that have no length.
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
#: A frame wherever it stands.
_SIZE = re.compile(rb"(?s)\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]..[\x08\x0c](.{4})")
#: No writer puts more before the size; a hostile file could.
_MOST_SEGMENTS = 1_000


def pixels_of(content: bytes) -> int:
    """How many pixels the picture says it has; 0 where it does not say so."""
    if content.startswith(_PNG) and content[12:16] == b"IHDR" and len(content) >= 24:
        return _product(_TWO_LONG.unpack_from(content, 16))
    if content.startswith(_GIF) and len(content) >= 10:
        return _product(_TWO_SHORT.unpack_from(content, 6))
    if content.startswith(_JPEG):
        return _pixels_of_jpeg(content)
    return _pixels_of_webp(content) if content[8:12] == b"WEBP" and len(content) >= 30 else 0


def _product(sides: tuple[int, int]) -> int:
    return sides[0] * sides[1]


def _pixels_of_jpeg(content: bytes) -> int:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + _SEGMENT.size + _FRAME.size > len(content):
            break
        begin, marker, size = _SEGMENT.unpack_from(content, at)
        if begin != 0xFF or not marker:
            break
        if marker in _FRAMES:
            _, height, width = _FRAME.unpack_from(content, at + _SEGMENT.size)
            return int(height * width)
        at += 1 if marker == 0xFF else 2 if marker in _ALONE else 2 + size
    # Decoders pass over what does not belong there, and so does this.
    return max(
        (_product(_TWO_HIGH.unpack(found[1])) for found in _SIZE.finditer(content)), default=0
    )


def _pixels_of_webp(content: bytes) -> int:
    match content[12:16]:
        case b"VP8X":
            width, height = content[24:27], content[27:30]
            return (1 + int.from_bytes(width, "little")) * (1 + int.from_bytes(height, "little"))
        case b"VP8L":
            sides = int.from_bytes(content[21:25], "little")
            return (1 + (sides & 0x3FFF)) * (1 + (sides >> 14 & 0x3FFF))
        case b"VP8 ":
            width, height = _TWO_SHORT.unpack_from(content, 26)
            return int((width & 0x3FFF) * (height & 0x3FFF))
        case _:
            return 0
