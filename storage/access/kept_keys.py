"""Keys that this machine keeps are used for the stores that they were made for, or not at all."""

import time
from contextlib import suppress
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

from storage.access.installation import Installation
from storage.errors import AnotherEnvironment, SettingsError
from storage.marker import Marker, guard_of
from storage.settings import Settings, load_settings

#: What the stores of this process say is asked again after so long, sooner when none answered.
_KNOWN_SECONDS, _UNKNOWN_SECONDS = 300.0, 60.0


class _Asked(NamedTuple):
    marker: Marker | None
    until: float


_ASKED: dict[str, _Asked] = {}
_LOCK = Lock()


def refuse_foreign(agent_id: str, key: Settings) -> None:
    """Raise where this process was given other stores than those that a kept key was made for.

    Stores are compared by what they say of themselves: two addresses may lead to one store, and
    one that is away says nothing.

    Raises:
        AnotherEnvironment: which names both, and says what to do.
    """
    with suppress(SettingsError):  # without stores of its own, a process goes where the key leads
        own = load_settings()
        _refuse_other_word(agent_id, key, own)
        if own.postgres_url and _place(own) != _place(key) and (marker := _own_marker(own)):
            guard_of(key).check("What this process was given as its stores", marker)


def _refuse_other_word(agent_id: str, key: Settings, own: Settings) -> None:
    was_said = "agentruns_environment" in own.model_fields_set
    if was_said and own.agentruns_environment != key.agentruns_environment:
        raise AnotherEnvironment(
            f"The key of {agent_id} that is kept here belongs to the environment "
            f"'{key.agentruns_environment}', and this process to '{own.agentruns_environment}': "
            f"bring a key of '{own.agentruns_environment}', or set "
            f"AGENTRUNS_ENVIRONMENT={key.agentruns_environment} where these stores are meant."
        )


def _place(settings: Settings) -> tuple[str, str]:
    """Where PostgreSQL is, whoever asks."""
    parts = urlsplit(settings.required("postgres_url"))
    return parts.netloc.rpartition("@")[2], parts.path


def _own_marker(own: Settings) -> Marker | None:
    """What the stores of this process say, asked once in a while."""
    address = own.required("postgres_url")
    with _LOCK:
        known = _ASKED.get(address)
        if known is None or time.monotonic() > known.until:
            marker = Installation(own).known()
            seconds = _KNOWN_SECONDS if marker else _UNKNOWN_SECONDS
            _ASKED[address] = known = _Asked(marker, time.monotonic() + seconds)
    return known.marker
