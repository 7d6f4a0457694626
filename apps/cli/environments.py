"""`agentruns environment ...`: which environment the stores belong to."""

from typing import TYPE_CHECKING, Any, Literal

from rich.console import Group, RenderableType

from agentruns.home import home
from apps.cli.answer import Answer
from apps.cli.exit_codes import ExitCode
from apps.cli.tables import table
from apps.cli.values import Flag, GivenTerminal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from storage.access.installation import StoreMarker
    from storage.marker import Guard

Name = Literal["dev", "staging", "prod"]


def show(*, terminal: GivenTerminal) -> Answer:
    """Show which environment each store belongs to, and whether that is AGENTRUNS_ENVIRONMENT.

    Exit code 1 when a store belongs to another one. A store without a marker gets one from the
    operator with the next `agentruns up` or `agentruns deploy`.

    Example: `agentruns environment show`

    Args:
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access.installation import Installation
    from storage.marker import guard_of
    from storage.settings import load_settings

    settings = load_settings()
    guard = guard_of(settings)
    with terminal.working("Asking the stores"):
        told = Installation(settings).told()
    states = [_state(guard, each) for each in told]
    agree = "other" not in states and len(_installations(told)) <= 1
    document = {
        "environment": guard.environment,
        "agree": agree,
        "stores": [_document(*each) for each in zip(told, states, strict=True)],
    }
    code = ExitCode.GOOD if agree else ExitCode.NOT_GOOD
    return Answer(document, _page(guard, told, states), code)


def set_environment(name: Name, /, *, yes: Flag = False, terminal: GivenTerminal) -> Answer:
    """Let the stores belong to another environment; without --yes, say what would change.

    It takes the operator's credentials. Stores that others share are renamed for them as well: set
    AGENTRUNS_ENVIRONMENT wherever components run, and bring agents their env files again.

    Example: `agentruns environment set staging --yes`

    Args:
        name: What the stores shall belong to.
        yes: Really rename them; nothing happens without it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access.installation import Installation
    from storage.settings import load_settings

    installation = Installation(load_settings())
    with terminal.working("Asking the stores"):
        told = installation.told()
    before = {each.store: each.marker.environment if each.marker else None for each in told}
    if not yes:
        return Answer(
            {"environment": name, "before": before, "changed": False}, _planned(name, before)
        )
    claimed = installation.rename(name)
    for store, reason in claimed.unmarked.items():
        terminal.say(f"{store} could not be renamed: {reason}")
    keys = _followed(claimed.marker.installation, name)
    done = not claimed.unmarked
    document = {"environment": name, "before": before, "changed": done, "keys": keys}
    code = ExitCode.GOOD if done else ExitCode.NOT_GOOD
    return Answer(document, _renamed(name, keys, finished=done), code)


def _followed(installation: "UUID", name: Name) -> list[str]:
    """Let what this home keeps follow: the keys of agents, the env files of its own servers."""
    # Late: the servers bring what starts and asks them.
    from apps.stack.stack import Stack
    from storage.access.credentials import rename_kept
    from storage.settings import env_files, stack_file

    if stack_file() in env_files():
        Stack(home()).renamed(name)
    return rename_kept(installation, name)


def _state(guard: "Guard", told: "StoreMarker") -> str:
    """One word: same, other, unmarked, or unknown where nobody could read it."""
    if told.marker is None:
        return "unknown" if told.trouble else "unmarked"
    return "same" if told.marker.environment == guard.environment else "other"


def _installations(told: "Sequence[StoreMarker]") -> set["UUID"]:
    return {each.marker.installation for each in told if each.marker}


def _document(told: "StoreMarker", state: str) -> dict[str, Any]:
    marker = told.marker.model_dump(mode="json") if told.marker else {}
    detail = {"detail": str(told.trouble)} if told.trouble else {}
    return {"store": told.store, "state": state, **marker, **detail}


def _page(guard: "Guard", told: "Sequence[StoreMarker]", states: list[str]) -> RenderableType:
    rows = [
        (
            each.store,
            each.marker.environment if each.marker else state,
            str(each.marker.installation if each.marker else each.trouble or ""),
        )
        for each, state in zip(told, states, strict=True)
    ]
    stores = table("Store", "Environment", "Installation", rows=rows)
    said = f"This process is of the environment '{guard.environment}' (AGENTRUNS_ENVIRONMENT)"
    return Group(stores, "", f"{said}{_verdict(told, states)}")


def _verdict(told: "Sequence[StoreMarker]", states: list[str]) -> str:
    if "other" in states:
        return ", and opens no store of another one."
    if len(_installations(told)) > 1:
        return "; the stores belong to different installations: correct the addresses."
    return "."


def _planned(name: Name, before: dict[str, str | None]) -> str:
    lines = [f"{store}: from {known or 'no marker'} to {name}" for store, known in before.items()]
    return "\n".join([*lines, "Add --yes to rename them."])


def _renamed(name: Name, keys: list[str], *, finished: bool) -> str:
    if not finished:
        return "Not all stores are renamed: run the same command again when they are there."
    return (
        f"The stores belong to '{name}' now, and so do {len(keys)} keys that are kept here. Set "
        f"AGENTRUNS_ENVIRONMENT={name} wherever components run."
    )
