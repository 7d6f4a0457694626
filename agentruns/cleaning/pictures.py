"""Pictures known by their first and last bytes, never decoded."""

from typing import NamedTuple

from agentruns.cleaning.picture_sizes import pixels_of

#: Nobody shows more, and whoever decodes it has gigabytes of memory filled by a few kilobytes.
MOST_PIXELS = 100_000_000


class PictureKind(NamedTuple):
    """What a picture is, by its own testimony."""

    content_type: str
    extension: str
    beginnings: tuple[bytes, ...]
    end: bytes


#: No SVG: it may run scripts where it is looked at.
PICTURE_KINDS = (
    PictureKind("image/png", ".png", (b"\x89PNG\r\n\x1a\n",), b"IEND\xaeB`\x82"),
    PictureKind("image/jpeg", ".jpg", (b"\xff\xd8\xff",), b"\xff\xd9"),
    PictureKind("image/gif", ".gif", (b"GIF87a", b"GIF89a"), b"\x3b"),
    PictureKind("image/webp", ".webp", (b"RIFF",), b""),
)


def picture_kind(content: bytes) -> PictureKind | None:
    """The kind of picture that the content claims to be, or None."""
    kind = next((kind for kind in PICTURE_KINDS if content.startswith(kind.beginnings)), None)
    if kind and kind.extension == ".webp" and content[8:12] != b"WEBP":
        return None
    return kind


def picture_fault(content: bytes) -> str | None:
    """Why the content is no whole picture, in one sentence, or None when it is one."""
    if not content:
        return "The file is empty."
    kind = picture_kind(content)
    if kind is None:
        return "The file is not a PNG, JPEG, GIF or WebP picture."
    if not _reaches_its_end(content, kind):
        return f"The picture ({kind.content_type}) is cut off before its end."
    if (pixels := pixels_of(content)) > MOST_PIXELS:
        return f"The picture says that it has {pixels:,} pixels, more than anybody shows."
    return None


def _reaches_its_end(content: bytes, kind: PictureKind) -> bool:
    if kind.extension == ".webp":
        return len(content) >= 8 + int.from_bytes(content[4:8], "little")
    # Some writers pad a picture, so its end may lie a little before the file's.
    return kind.end in content[-64:]
