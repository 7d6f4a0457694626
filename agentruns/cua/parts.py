"""Parts of what a cua run's hooks are given."""

import binascii
from collections.abc import Callable
from typing import Any

from agentruns.cleaning import Picture, take_pixels

OMITTED = "[omitted]"


def without_shown(value: Any, keep: Callable[[Picture], object], shown: str = "") -> Any:
    """The JSON as the saver writes it: without the pixels of each `image_url`.

    Args:
        value: JSON.
        keep: takes the pictures that were there.
        shown: the base64 of a picture that is known, and neither decoded nor kept again.
    """
    if isinstance(value, dict):
        return {k: _at_key(k, item, keep, shown) for k, item in value.items()}
    if isinstance(value, list):
        return [without_shown(item, keep, shown) for item in value]
    return value


def _at_key(key: str, value: Any, keep: Callable[[Picture], object], shown: str) -> Any:
    if key != "image_url" or not isinstance(value, str):
        return without_shown(value, keep, shown)
    if value.startswith(("http://", "https://")):
        return value
    if not (shown and value.endswith(shown)):
        take_pixels(value, keep)
    return OMITTED


def pixels_of(picture: str | bytes) -> bytes:
    """The bytes of a picture given as bytes, base64 or a data URL; empty for none."""
    if isinstance(picture, bytes):
        return picture
    try:
        return binascii.a2b_base64(picture.rpartition(",")[2])
    except ValueError:
        return b""


def add_up(total: dict[str, Any], more: dict[str, Any]) -> None:
    """Add the amounts in `more`, which may be nested, to those in `total`."""
    for name, amount in more.items():
        if isinstance(amount, dict):
            inner = total.setdefault(name, {})
            add_up(inner, amount)
        elif type(amount) in {int, float}:
            total[name] = total.get(name, 0) + amount
