"""The steps of letting agents in; a key goes into a file, never into Prefect."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from agentruns.models.values import Record
from storage.access import AgentKey, Provisioning
from storage.access.credentials import credentials_file, write_credentials
from storage.access.postgres import DroppedRoles
from tasks.retries import store_task


class Provisioned(Record):
    """What became of an agent's keys."""

    agent_id: str
    created: bool
    key_id: str | None = None
    file: str | None = None
    """Where the worker keeps the key, for its user only."""


@store_task
def let_in(agent_id: str, append_only: bool, folder: str | None) -> Provisioned:
    """Give an agent its first key, unless it has one."""
    file = _file(agent_id, folder)
    with Provisioning() as access:
        key = access.add(
            agent_id, append_only=append_only or None, keep=partial(_write, access, file)
        )
    return _provisioned(key, file) if key else Provisioned(agent_id=agent_id, created=False)


@store_task
def renew(agent_id: str, keep_hours: float, folder: str | None) -> Provisioned:
    """Give an agent a new key."""
    file, grace = _file(agent_id, folder), timedelta(hours=keep_hours)
    with Provisioning() as access:
        return _provisioned(access.rotate(agent_id, grace, partial(_write, access, file)), file)


@store_task
def retire() -> list[str]:
    """Take back the keys whose time is over; gives their ids."""
    with Provisioning() as access:
        return access.retire()


@store_task
def drop_roles() -> DroppedRoles:
    """Drop the roles of keys that no store lets in any more."""
    with Provisioning() as access:
        return access.drop_roles()


def _file(agent_id: str, folder: str | None) -> Path:
    return credentials_file(agent_id, Path(folder) if folder else None)


def _write(access: Provisioning, file: Path, key: AgentKey) -> None:
    write_credentials(file, access.environment_of(key))


def _provisioned(key: AgentKey, file: Path) -> Provisioned:
    return Provisioned(agent_id=key.agent_id, created=True, key_id=key.key_id, file=str(file))
