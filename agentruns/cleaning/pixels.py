"""Pictures taken out of JSON, which is no place for them."""

import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentruns.cleaning.pictures import picture_kind

#: The beginnings of PNG, JPEG, GIF and WebP in base64, as one line or as lines of 76 characters;
#: inside stringified JSON a slash and a line's end may be escaped. Linear: all is possessive.
INLINE = re.compile(
    r"(?:data:image/[A-Za-z0-9.+-]{1,40};base64,)?"
    r"(?<![A-Za-z0-9+/])(?=iVBORw0KGgo|\\{0,4}/9j\\{0,4}/|R0lGOD|UklGR)"
    r"(?P<base64>(?:[A-Za-z0-9+/]{76}(?:\r?\n|\\{1,4}n))++[A-Za-z0-9+/]{0,76}={0,2}"
    r"|(?:[A-Za-z0-9+/]|\\{1,4}/){24,}+={0,2})"
)
NOT_BASE64 = re.compile(r"\\+n|[\\\s]")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that was inside JSON."""

    content: bytes
    content_type: str
    extension: str
    sha256: str
    path: str
    """The JSON path where it was."""


def take_pixels(value: Any, keep: Callable[[Picture], object]) -> Any:
    """The clean JSON with a reference for each inline picture, which is handed to `keep`.

    A text that is a picture becomes `{"sha256", "content_type", "size_bytes"}`; a picture inside
    a longer text, stringified JSON for example, becomes `[picture sha256:... type size]` there.
    """
    return _take(value, "", keep)


def _take(value: Any, path: str, keep: Callable[[Picture], object]) -> Any:
    if isinstance(value, str):
        return _take_from_text(value, path, keep)
    if isinstance(value, list):
        return [_take(item, f"{path}[{i}]", keep) for i, item in enumerate(value)]
    if isinstance(value, dict):
        return {k: _take(v, f"{path}.{k}" if path else k, keep) for k, v in value.items()}
    return value


def _take_from_text(text: str, path: str, keep: Callable[[Picture], object]) -> Any:
    if not may_hold_picture(text):
        return text
    whole = INLINE.fullmatch(text)
    if whole and (picture := _decoded(whole["base64"], path)):
        keep(picture)
        return _reference(picture)

    return take_pixels_from_text(text, path, keep)


def take_pixels_from_text(text: str, path: str, keep: Callable[[Picture], object]) -> str:
    """The text with `[picture sha256:... type size]` for each picture inside, handed to `keep`."""
    if not may_hold_picture(text):
        return text

    def taken(match: re.Match[str]) -> str:
        if not (picture := _decoded(match["base64"], path)):
            return match[0]
        keep(picture)
        return _as_words(picture)

    return INLINE.sub(taken, text)


def may_hold_picture(text: str) -> bool:
    """Whether a look for pictures is worth the while."""
    # What `INLINE` begins with; at every event, and the pattern takes ten times as long.
    return "iVBORw0KGgo" in text or "/9j" in text or "R0lGOD" in text or "UklGR" in text


def _decoded(text: str, path: str) -> Picture | None:
    # Most come as one line, and then looking for what to take out costs as much as finding them.
    plain = NOT_BASE64.sub("", text) if "\\" in text or "\n" in text else text
    try:
        content = binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
    except binascii.Error:
        return None
    kind = picture_kind(content)
    if kind is None:
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    return Picture(content, kind.content_type, kind.extension, sha256, path)


def _reference(picture: Picture) -> dict[str, Any]:
    return {
        "sha256": picture.sha256,
        "content_type": picture.content_type,
        "size_bytes": len(picture.content),
    }


def _as_words(picture: Picture) -> str:
    size = len(picture.content)
    return f"[picture sha256:{picture.sha256} {picture.content_type} {size} bytes]"
