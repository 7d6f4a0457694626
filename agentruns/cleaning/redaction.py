"""Secrets taken out of JSON and text, known by the name of their key or by their own shape."""

import re
from typing import Any, NamedTuple

from agentruns.cleaning.secret_shapes import REDACTED, redact_text
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


class Redacted(NamedTuple):
    """A value without its secrets, and where they were."""

    value: Any
    paths: tuple[str, ...]


def redact(value: Any) -> Redacted:
    """The clean JSON without secrets, also those inside text, and the JSON paths they had."""
    paths: list[str] = []
    return Redacted(_redact(value, "", paths, 0), tuple(paths))


def _redact(value: Any, path: str, paths: list[str], depth: int) -> Any:
    if isinstance(value, str):
        return _noted(value, redact_text(value), path, paths)
    if isinstance(value, dict | list) and depth > MAX_JSON_DEPTH:
        return _noted(value, REDACTED, path, paths)  # unread is not the same as harmless
    if isinstance(value, dict):
        return _redact_object(value, path, paths, depth)
    if isinstance(value, list):
        return [_redact(v, f"{path}[{i}]", paths, depth + 1) for i, v in enumerate(value)]
    return value


def _redact_object(
    value: dict[str, Any], path: str, paths: list[str], depth: int
) -> dict[str, Any]:
    harmless: dict[str, Any] = {}
    for key, item in value.items():
        name = free_key(redact_text(key), harmless)
        place = f"{path}.{name}" if path else name
        if _is_secret(_telling_key(key, value), item):
            harmless[name] = _noted(item, REDACTED, place, paths)
        else:
            harmless[name] = _redact(item, place, paths, depth + 1)
    return harmless


def _telling_key(key: str, siblings: dict[str, Any]) -> str:
    # Headers and cookies come as {"name": "Authorization", "value": "..."}.
    name = siblings.get("name", siblings.get("key")) if key == "value" else key
    return name if isinstance(name, str) else key


def _is_secret(key: str, value: Any) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    if isinstance(value, str):
        certain = plain.endswith(SECRET_KEYS) or plain == "pwd"
        likely = plain.endswith(LIKELY_KEYS) and LONG_WORD.match(value)
        return bool(value and (certain or likely))
    if isinstance(value, dict | list):
        return bool(value) and plain.endswith(SECRET_KEYS)
    return type(value) in {int, float} and bool(plain.endswith(PASSWORDS) or PIN.search(key))


def _noted(before: Any, after: Any, path: str, paths: list[str]) -> Any:
    if before != after:
        paths.append(path)
    return after
