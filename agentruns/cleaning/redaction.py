"""Secrets taken out of JSON and text, known by the name of their key or by their own shape."""

import json
import re
from typing import Any, NamedTuple

from agentruns.cleaning.secret_patterns import SecretPatterns
from agentruns.cleaning.secret_shapes import REDACTED, may_hold_named_secret, redact_text
from agentruns.cleaning.storable import free_key
from agentruns.models.values import MAX_JSON_DEPTH

#: Ends of keys (letters and digits only) whose value is a secret whatever it looks like.
SECRET_KEYS = (
    "apikey", "accesskey", "accesskeyid", "secretkey", "privatekey", "signingkey", "encryptionkey",
    "accountkey", "password", "passwd", "passphrase", "authorization", "cookie", "cookies",
    "authtoken", "accesstoken", "refreshtoken", "idtoken", "sessiontoken", "securitytoken",
    "clientsecret", "connectionstring",
)  # fmt: skip
#: Ends of keys that also name harmless things, so that only a long word there is a secret.
LIKELY_KEYS = ("token", "secret", "secrets", "auth", "credential", "credentials")
#: Where a number is a secret as well.
PASSWORDS = ("password", "passwd", "passphrase")
#: A PIN as a word of its own: no pin of a `spin`.
PIN = re.compile(r"(?:^|[^A-Za-z0-9])(?:pin|Pin|PIN)\Z|[a-z0-9](?:Pin|PIN)\Z")
LONG_WORD = re.compile(r"\S{8,}\Z")
NO_PATTERNS = SecretPatterns()


class Redacted(NamedTuple):
    """A value without its secrets, and where they were."""

    value: Any
    paths: tuple[str, ...]


def redact(value: Any, patterns: SecretPatterns = NO_PATTERNS) -> Redacted:
    """The clean JSON without secrets, also those inside text, and the JSON paths they had."""
    redaction = _Redaction(patterns)
    return Redacted(redaction.of(value, "", 0), tuple(redaction.paths))


class _Redaction:
    """One walk through a value, which notes where it met secrets."""

    def __init__(self, patterns: SecretPatterns) -> None:
        self._patterns = patterns
        self.paths: list[str] = []

    def of(self, value: Any, path: str, depth: int) -> Any:
        if isinstance(value, str):
            return self._noted(value, self._text(value, depth), path)
        if isinstance(value, dict | list) and depth > MAX_JSON_DEPTH:
            return self._noted(value, REDACTED, path)  # unread is not the same as harmless
        if isinstance(value, dict):
            return self._object(value, path, depth)
        if isinstance(value, list):
            return self._array(value, path, depth)
        return value

    def _array(self, value: list[Any], path: str, depth: int) -> list[Any]:
        if is_telling_pair(value):
            name = self.of(value[0], f"{path}[0]", depth + 1)
            return [name, self._noted(value[1], REDACTED, f"{path}[1]")]
        return [self.of(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)]

    def _object(self, value: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        harmless: dict[str, Any] = {}
        for key, item in value.items():
            name = free_key(self._text(key, depth), harmless)
            place = f"{path}.{name}" if path else name
            if self._names_a_secret(key, value, item):
                harmless[name] = self._noted(item, REDACTED, place)
            else:
                harmless[name] = self.of(item, place, depth + 1)
        return harmless

    def _names_a_secret(self, key: str, siblings: dict[str, Any], value: Any) -> bool:
        telling = _telling_key(key, siblings)
        return _is_secret(telling, value) or self._patterns.name_a_secret(telling)

    def _text(self, text: str, depth: int) -> str:
        inner = _container_in(text)
        if inner is not None:
            harmless = _Redaction(self._patterns).of(inner, "", depth + 1)
            # Written anew only where it has to be: else it stays as its author wrote it.
            text = text if harmless == inner else json.dumps(harmless, ensure_ascii=False)
        return redact_text(self._patterns.hide(text))

    def _noted(self, before: Any, after: Any, path: str) -> Any:
        if before != after:
            self.paths.append(path)
        return after


def _container_in(text: str) -> Any:
    """What a text holds that is JSON as a whole, where a secret may be named in it."""
    if text[:1] not in {"{", "["} or not may_hold_named_secret(text.casefold()):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # the shapes of secrets are looked for all the same
        return None


def _telling_key(key: str, siblings: dict[str, Any]) -> str:
    # Headers and cookies come as {"name": "Authorization", "value": "..."}.
    name = siblings.get("name", siblings.get("key")) if key == "value" else key
    return name if isinstance(name, str) else key


def is_telling_pair(value: list[Any]) -> bool:
    """Whether this is a header or a cookie as HTTP clients give it: `["Authorization", "..."]`."""
    if len(value) != 2 or not all(type(part) is str for part in value) or not value[1]:
        return False
    return _plain(value[0]).endswith(SECRET_KEYS)


def may_name_a_secret(key: str) -> bool:
    """Whether under this key some value would be a secret."""
    return any(_is_secret(key, value) for value in ("longword", [0], 0))


def _is_secret(key: str, value: Any) -> bool:
    plain = _plain(key)
    if isinstance(value, str):
        certain = plain.endswith(SECRET_KEYS) or plain == "pwd"
        likely = plain.endswith(LIKELY_KEYS) and LONG_WORD.match(value)
        return bool(value and (certain or likely))
    if isinstance(value, dict | list):
        return bool(value) and plain.endswith(SECRET_KEYS)
    return type(value) in {int, float} and bool(plain.endswith(PASSWORDS) or PIN.search(key))


def _plain(key: str) -> str:
    """The key in small letters, without a number at its end: `password_2` is one as well."""
    return re.sub(r"[^a-z0-9]", "", key.lower()).rstrip("0123456789")
