"""With which credentials the records of an agent go to the stores."""

from pathlib import Path
from threading import Lock

from storage.access.credentials import credentials_file, write_credentials
from storage.access.kept_keys import refuse_foreign
from storage.access.keys import is_an_agents
from storage.access.provisioning import Provisioning
from storage.errors import (
    AccessDenied,
    AgentDeleted,
    NotLetInYet,
    StorageError,
    StoreUnavailable,
)
from storage.settings import Settings, load_settings, settings_in

#: The lanes of a delivery meet a new agent at the same time, and it needs one key.
_ONE_AT_A_TIME = Lock()


def settings_of(agent_id: str) -> Settings:
    """The stores as this agent reaches them, with a key of its own.

    The key is the one that this machine keeps for the agent, else that of this process where it
    has an agent's, else a new one where agents are let in by their first record.

    Raises:
        AccessDenied: when there is none, or this machine's is for other stores than this process
            was given; the message says what to do.
        AgentDeleted: when the agent was deleted for good.
        NotLetInYet: when a store is away that has to know a new key.
    """
    file = credentials_file(agent_id)
    if file.exists():
        key = settings_in(file)
        refuse_foreign(agent_id, key)
        return key
    own = load_settings()
    if is_an_agents(own.required("postgres_url")):
        return own
    if own.provisions:
        with _ONE_AT_A_TIME:
            return settings_in(file) if file.exists() else _let_in(agent_id, own, file)
    _refuse_deleted(agent_id, own)
    raise AccessDenied(f"{agent_id} was not let in yet: run 'agentruns agents add {agent_id}'.")


def _refuse_deleted(agent_id: str, own: Settings) -> None:
    """Raise where we can see that the agent was deleted, so that nobody waits for its key."""
    try:
        with Provisioning(own) as access:
            access.refuse_deleted(agent_id)
    except AgentDeleted:
        raise
    except StorageError:
        # Only the operator sees it.
        return


def _let_in(agent_id: str, own: Settings, file: Path) -> Settings:
    with Provisioning(own) as access:
        try:
            key = access.add(
                agent_id, keep=lambda key: write_credentials(file, access.environment_of(key))
            )
        except AgentDeleted:
            raise
        except AccessDenied as error:
            raise AccessDenied(f"{agent_id} could not be let in: {error}") from None
        except StoreUnavailable as error:
            raise NotLetInYet(f"{agent_id} could not be let in yet: {error}") from None
        if key is None:
            raise AccessDenied(
                f"{agent_id} has a key that is not kept here: bring its env file to {file}, or run "
                f"'agentruns agents rotate {agent_id}'."
            )
    return settings_in(file)
