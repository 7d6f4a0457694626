"""All of the cleaning in its order, as everything that an agent says goes through it."""

from collections.abc import Callable, Mapping
from typing import Any

from agentruns.cleaning.pixels import Picture, take_pixels, take_pixels_from_text
from agentruns.cleaning.plain import NOT_PLAIN, PlainJson
from agentruns.cleaning.redaction import redact
from agentruns.cleaning.secret_patterns import SecretPatterns
from agentruns.cleaning.storable import clean_json
from agentruns.cleaning.text import clean_text


def _dropped(picture: Picture) -> None:
    """Keep nothing: where a text has no files of its own, the picture's name is all that stays."""


class Cleaner:
    """What stores refuse becomes text, pictures are set apart, secrets go; nothing is cut."""

    def __init__(self, patterns: SecretPatterns | None = None) -> None:
        self.patterns = patterns or SecretPatterns()
        self._plain = PlainJson(self.patterns)

    def text(self, text: object, keep: Callable[[Picture], object] = _dropped) -> str:
        """The text (or the value, in words) with a note for each picture, handed to `keep`."""
        if type(text) is str and self._plain.is_harmless(text):
            return text
        storable = clean_text(text) if isinstance(text, str) else str(clean_json(text))
        without_pixels = take_pixels_from_text(storable, "message", keep)
        return str(redact(without_pixels, self.patterns).value)

    def json(self, value: Any, keep: Callable[[Picture], object] = _dropped) -> Any:
        """The value as JSON with a reference for each inline picture, handed to `keep`."""
        plain = self._plain.copy(value)
        if plain is not NOT_PLAIN:
            return plain
        return redact(take_pixels(clean_json(value), keep), self.patterns).value

    def object(
        self, value: Mapping[str, Any], keep: Callable[[Picture], object] = _dropped
    ) -> dict[str, Any]:
        """The same for what is to be an object, such as metadata."""
        cleaned: dict[str, Any] = self.json(dict(value), keep)
        return cleaned
