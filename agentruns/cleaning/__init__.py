"""What must not be kept: characters no store takes, secrets, pixels inside JSON. No I/O."""

from agentruns.cleaning.cleaner import Cleaner
from agentruns.cleaning.open_key import OpenKey
from agentruns.cleaning.pictures import (
    PICTURE_KINDS,
    PictureKind,
    picture_fault,
    picture_kind,
)
from agentruns.cleaning.pixels import Picture, take_pixels
from agentruns.cleaning.plain import NOT_PLAIN, plain_json
from agentruns.cleaning.redaction import Redacted, redact
from agentruns.cleaning.secret_patterns import SecretPatterns
from agentruns.cleaning.secret_shapes import REDACTED, redact_text
from agentruns.cleaning.storable import clean_json, clip_json
from agentruns.cleaning.text import clean_text, clip_text, printable

__all__ = [
    "NOT_PLAIN",
    "PICTURE_KINDS",
    "REDACTED",
    "Cleaner",
    "OpenKey",
    "Picture",
    "PictureKind",
    "Redacted",
    "SecretPatterns",
    "clean_json",
    "clean_text",
    "clip_json",
    "clip_text",
    "picture_fault",
    "picture_kind",
    "plain_json",
    "printable",
    "redact",
    "redact_text",
    "take_pixels",
]
