"""A foreign file made fit to be archived: no secret, and no picture that is kept elsewhere."""

import binascii
import hashlib
import json
import re
import tempfile
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from agentruns.cleaning import NOT_PLAIN, SecretPatterns, plain_json, redact, redact_text
from agentruns.cleaning.pixels import INLINE, may_hold_picture
from agentruns.cleaning.storable import free_key
from agentruns.trajectories.files import pieces_of

#: What stands for the base64 of a picture; its bytes are in the object with this hash.
PLACE = "agentruns-picture:{}"
PLACED = re.compile(rb"agentruns-picture:([0-9a-f]{64})")
#: A file that is not held in memory is looked through in windows of this size.
WINDOW = 8 * 2**20
#: Told of a file whose secrets have no place in JSON.
IN_TEXT = "in its text"
#: Holds the further values of names that an object has twice, where it is written anew.
REPEATED = "repeated"


@dataclass(slots=True)
class Cleaned:
    """What is kept of a file, and what was done to it."""

    data: bytes
    pictures: dict[str, str] = field(default_factory=dict)
    """SHA-256 to `bucket/path` of the pictures that gave way to a name; all can be put back."""
    redacted: list[str] = field(default_factory=list)
    """Where secrets were: JSON paths, or `IN_TEXT`. What they were is nowhere."""


def cleaned(data: bytes, objects: Mapping[str, str], patterns: SecretPatterns) -> Cleaned:
    """The file as it is archived; equal to the original where nothing had to go."""
    text = _as_text(data)
    if text is None:
        # Bytes that are no text are kept as they are: nobody can tell what is a secret in them.
        return Cleaned(data)
    redacted, paths = _without_secrets(text, patterns)
    kept = Cleaned(b"", redacted=paths)
    # A file that holds our mark by itself could not be told from one that we marked.
    if may_hold_picture(redacted) and not PLACED.search(data):
        redacted = INLINE.sub(lambda found: _placed(found, objects, kept.pictures), redacted)
    kept.data = redacted.encode()
    return kept


def restored(data: bytes, pictures: Mapping[str, bytes]) -> bytes:
    """The file with its pictures put back."""
    return PLACED.sub(
        lambda found: binascii.b2a_base64(pictures[found[1].decode()], newline=False), data
    )


@contextmanager
def cleaned_pieces(
    source: Path, name: str, patterns: SecretPatterns | None
) -> Iterator[tuple[IO[bytes], int, list[str]]]:
    """A file of any size without its secrets: a stream of it, its size, and where secrets were.

    Without patterns, as for a video, it stays as it is: a part of it may well look like text.
    """
    with tempfile.TemporaryFile() as stream:
        changed = False
        for window in _windows(source, name):
            kept = window if patterns is None else _window_without_secrets(window, patterns)
            changed |= kept != window
            stream.write(kept)
        size = stream.tell()
        stream.seek(0)
        yield stream, size, [IN_TEXT] if changed else []


def _as_text(data: bytes) -> str | None:
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _without_secrets(text: str, patterns: SecretPatterns) -> tuple[str, list[str]]:
    lines = _documents(text)
    if lines is None:
        plain = redact_text(patterns.hide(text))
        return plain, [] if plain == text else [IN_TEXT]
    kept, paths = [], list[str]()
    for number, (line, document) in enumerate(lines):
        if plain_json(patterns).copy(document) is not NOT_PLAIN:
            kept.append(line)
            continue
        value, found = redact(document, patterns)
        # Written anew only where it has to be: else it stays as its author wrote it.
        kept.append(line if value == document else _written(value, line))
        where = f"line {number + 1}: " if len(lines) > 1 else ""
        paths.extend(f"{where}{path}" for path in (found or [IN_TEXT]) if value != document)
    return "".join(kept), paths


def _documents(text: str) -> list[tuple[str, Any]] | None:
    """The JSON documents of the text with their own words: one, or one a line; None for others."""
    try:
        return [(text, _parsed(text))]
    except (ValueError, RecursionError):
        pass
    lines = text.splitlines(keepends=True)
    try:
        return [(line, _parsed(line)) for line in lines] if len(lines) > 1 else None
    except (ValueError, RecursionError):
        return None


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_with_all_values)


def _with_all_values(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; where a name stands there again, what stood under it is not overlooked."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    layers: list[dict[str, Any]] = []
    depths = Counter[str]()
    for name, value in pairs:
        if depths[name] == len(layers):
            layers.append({})
        layers[depths[name]][name] = value
        depths[name] += 1
    first, *others = layers
    return {**first, free_key(REPEATED, first): others}


def _written(value: Any, line: str) -> str:
    return json.dumps(value, ensure_ascii=False) + ("\n" if line.endswith("\n") else "")


def _placed(found: re.Match[str], objects: Mapping[str, str], pictures: dict[str, str]) -> str:
    """The name of the picture in the place of its base64, where the one gives back the other."""
    try:
        content = b64decode(found["base64"], validate=True)
    except binascii.Error:
        return found[0]
    sha256 = hashlib.sha256(content).hexdigest()
    plain = _base64(content).decode()
    if sha256 not in objects or plain != found["base64"]:
        return found[0]
    pictures[sha256] = objects[sha256]
    return found[0].replace(plain, PLACE.format(sha256))


def _base64(content: bytes) -> bytes:
    return binascii.b2a_base64(content, newline=False)


def _windows(source: Path, name: str) -> Iterator[bytes]:
    """Pieces that end where no secret does: after a line or a text of JSON, where possible."""
    rest = b""
    for piece in pieces_of(source, name):
        rest += piece
        if len(rest) >= WINDOW:
            end = max(rest.rfind(b"\n"), rest.rfind(b'",')) + 1 or len(rest)
            yield rest[:end]
            rest = rest[end:]
    yield rest


def _window_without_secrets(window: bytes, patterns: SecretPatterns) -> bytes:
    text = window.decode(errors="surrogateescape")
    return redact_text(patterns.hide(text)).encode(errors="surrogateescape")
