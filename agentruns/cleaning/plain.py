"""Knowing quickly that there is nothing to clean, as is so with most of what agents say."""

from functools import lru_cache
from typing import Any

from agentruns.cleaning.pixels import may_hold_picture
from agentruns.cleaning.redaction import is_telling_pair, may_name_a_secret
from agentruns.cleaning.secret_patterns import SecretPatterns
from agentruns.cleaning.secret_shapes import redact_text
from agentruns.cleaning.text import clean_text

#: Deeper, the thorough way is taken.
DEEPEST = 8
#: Agents use a few names again and again.
MOST_KEYS = 4096
LONGEST_KEY = 100
#: Stands for a value that has to be cleaned, or may have to.
NOT_PLAIN: Any = object()


class PlainJson:
    """Copies JSON in which there is nothing to clean, in a fifth of the time of cleaning it."""

    def __init__(self, patterns: SecretPatterns) -> None:
        self._patterns = patterns
        self._harmless_keys: set[str] = set()

    def copy(self, value: Any, depth: int = 0) -> Any:
        """The value, its containers copied; `NOT_PLAIN` when there may be something to clean."""
        kind = type(value)
        if kind is str:
            return value if self.is_harmless(value) else NOT_PLAIN
        if value is None or kind is bool:
            return value
        if kind is int or kind is float:
            return value if _is_storable(value) else NOT_PLAIN
        if depth < DEEPEST and (kind is dict or kind is list):
            copied = self._copied_object if kind is dict else self._copied_array
            return copied(value, depth + 1)
        return NOT_PLAIN

    def is_harmless(self, text: str) -> bool:
        """Whether the text would stay as it is."""
        stored = "\x00" not in text if text.isascii() else clean_text(text) == text
        if not stored or may_hold_picture(text) or text.startswith(("{", "[")):
            return False  # what may be JSON is looked into
        return redact_text(text) == text and (
            not self._patterns or self._patterns.hide(text) == text
        )

    def _copied_object(self, value: dict[Any, Any], depth: int) -> Any:
        # Another thread may be at work on the agent's own.
        copied = value.copy()
        if "value" in copied and ("name" in copied or "key" in copied):
            return NOT_PLAIN  # a header or cookie, perhaps
        for key, item in copied.items():
            if key not in self._harmless_keys and not self._is_harmless_key(key):
                return NOT_PLAIN
            plain = self.copy(item, depth)
            if plain is NOT_PLAIN:
                return NOT_PLAIN
            copied[key] = plain
        return copied

    def _copied_array(self, value: list[Any], depth: int) -> Any:
        if is_telling_pair(value):
            return NOT_PLAIN
        copied = [self.copy(item, depth) for item in value]
        return NOT_PLAIN if any(item is NOT_PLAIN for item in copied) else copied

    def _is_harmless_key(self, key: Any) -> bool:
        if type(key) is not str or may_name_a_secret(key) or not self.is_harmless(key):
            return False
        if self._patterns.name_a_secret(key):
            return False
        if len(self._harmless_keys) < MOST_KEYS and len(key) < LONGEST_KEY:
            self._harmless_keys.add(key)
        return True


@lru_cache(maxsize=16)
def plain_json(patterns: SecretPatterns) -> PlainJson:
    """The same for the same patterns, as it knows more harmless keys with each use."""
    return PlainJson(patterns)


def _is_storable(number: float) -> bool:
    return -(2**63) <= number < 2**63
