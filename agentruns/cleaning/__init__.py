"""What must not be kept: characters no store takes, secrets, pixels inside JSON. No I/O."""

from agentruns.cleaning.pixels import Picture, take_pixels
from agentruns.cleaning.redaction import REDACTED, Redacted, redact
from agentruns.cleaning.storable import clean_json, clip_json
from agentruns.cleaning.text import clean_text, clip_text

__all__ = [
    "REDACTED",
    "Picture",
    "Redacted",
    "clean_json",
    "clean_text",
    "clip_json",
    "clip_text",
    "redact",
    "take_pixels",
]
