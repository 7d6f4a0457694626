"""`agentruns agents ...`: who may write into the stores, and with which keys."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from apps.cli.agent_list import as_list, as_page
from apps.cli.answer import Answer
from apps.cli.values import AgentId, Flag, GivenTerminal, Hours, PageLimit

if TYPE_CHECKING:
    from storage.access import AgentKey, Provisioning

File = Annotated[Path | None, Parameter()]


def add(  # noqa: PLR0913 - one argument an option
    agent_id: AgentId,
    /,
    *,
    append_only: Flag = False,
    anew: Flag = False,
    to: File = None,
    kubernetes_secret: File = None,
    terminal: GivenTerminal,
) -> Answer:
    """Let an agent into the three stores: its own rows, documents and objects, nothing else.

    Harmless twice: an agent that has a key keeps it, and what was cut off in the middle is
    finished. The key is written into a file that only you can read, and shown nowhere else.

    Example: `agentruns agents add browser-1`

    Args:
        agent_id: Which agent.
        append_only: For an agent that may be taken over by what it reads: it adds log entries,
            and neither changes nor deletes them. AGENTRUNS_APPEND_ONLY=yes makes it the default.
        anew: Let it have the name of an agent that was deleted, whose records stay refused.
        to: The env file for its key; `agents/ID.env` in the home of agentruns by default.
        kubernetes_secret: Write the key as the manifest of a Kubernetes Secret, into this file.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import Provisioning

    with terminal.working("Letting it in"), Provisioning() as access:
        place = _Place(access, agent_id, to, kubernetes_secret)
        key = access.add(agent_id, append_only=append_only or None, keep=place.keep, anew=anew)
    document = {"agent_id": agent_id, "created": key is not None, **_told(key, place)}
    if key is None:
        again = f"'agentruns agents rotate {agent_id}' gives it a new one"
        return Answer(document, f"{agent_id} has a key already; {again}.")
    return Answer(document, f"{agent_id} is let in. {_where(place)}")


def rotate(
    agent_id: AgentId,
    /,
    *,
    keep: Hours = 1.0,
    to: File = None,
    kubernetes_secret: File = None,
    terminal: GivenTerminal,
) -> Answer:
    """Give an agent a new key; the old ones go on for an hour, so that nothing stands still.

    A disabled agent is let in again. Old keys are taken back by the flow `retire-keys`.

    Example: `agentruns agents rotate browser-1 --keep 24`

    Args:
        agent_id: Which agent.
        keep: For how many hours the old keys still open the stores; 0 for not at all.
        to: The env file for its key; `agents/ID.env` in the home of agentruns by default.
        kubernetes_secret: Write the key as the manifest of a Kubernetes Secret, into this file.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import Provisioning

    with terminal.working("Making a new key"), Provisioning() as access:
        place = _Place(access, agent_id, to, kubernetes_secret)
        key = access.rotate(agent_id, timedelta(hours=keep), place.keep)
    document = {"agent_id": agent_id, "old_keys_hours": keep, **_told(key, place)}
    return Answer(document, f"{agent_id} has a new key. {_where(place)}")


def append_only(agent_id: AgentId, /, *, off: Flag = False, terminal: GivenTerminal) -> Answer:
    """Let an agent that is known only add to its logs and files; --off lets it change them again.

    It counts for the keys that the agent has, at once, and for those that it will get. Harmless
    twice: what was cut off in the middle is finished.

    Example: `agentruns agents append-only browser-1`

    Args:
        agent_id: Which agent.
        off: Let it change and delete what it recorded.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import Provisioning

    with terminal.working("Changing its rights"), Provisioning() as access:
        keys = access.restrict(agent_id, append_only=not off)
    may = "may change what it recorded" if off else "only adds to what it recorded"
    return Answer(
        {"agent_id": agent_id, "append_only": not off, "keys": keys},
        f"{agent_id} {may} from now on.",
    )


def disable(agent_id: AgentId, /, *, terminal: GivenTerminal) -> Answer:
    """Shut an agent out of all three stores at once; what it recorded stays.

    Example: `agentruns agents disable browser-1`

    Args:
        agent_id: Which agent.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import Provisioning

    with terminal.working("Shutting it out"), Provisioning() as access:
        keys = access.disable(agent_id)
    text = f"{agent_id} is shut out; {len(keys)} keys were taken back."
    return Answer({"agent_id": agent_id, "disabled": True, "revoked": keys}, text)


def list_agents(
    *, limit: PageLimit = 100, after: str | None = None, terminal: GivenTerminal
) -> Answer:
    """List the agents that were let in, and whether their keys are valid.

    Example: `agentruns agents list`

    Args:
        limit: At most so many on a page.
        after: The `next` of an earlier page, for the page that follows it.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import Provisioning

    with Provisioning() as access:
        page = access.agents(limit, after)
    agents = [agent.model_dump(mode="json") for agent in page]
    return Answer({"agents": agents, "next": page.next}, as_list(page, terminal))


def show(agent_id: AgentId, /, *, terminal: GivenTerminal) -> Answer:
    """Show one agent with all its keys, never their secrets.

    Example: `agentruns agents show browser-1`

    Args:
        agent_id: Which agent.
        terminal: Where to print.
    """
    # Late: the stores bring their drivers.
    from storage.access import Provisioning

    with Provisioning() as access:
        agent = access.agent(agent_id)
    return Answer(agent.model_dump(mode="json"), as_page(agent, terminal))


class _Place:
    """The file where a key is written as it was asked for, for its owner's eyes only."""

    def __init__(
        self, access: "Provisioning", agent_id: str, to: Path | None, manifest: Path | None
    ) -> None:
        from storage.access.credentials import credentials_file, write_credentials, write_manifest

        self._access = access
        self._write = write_manifest if manifest else write_credentials
        self.path = manifest or to or credentials_file(agent_id)

    def keep(self, key: "AgentKey") -> None:
        """Write the key."""
        self._write(self.path.absolute(), self._access.environment_of(key))


def _told(key: "AgentKey | None", place: _Place) -> dict[str, str]:
    return {"key_id": key.key_id, "file": str(place.path)} if key else {}


def _where(place: _Place) -> str:
    return f"Its key is in {place.path}, for nobody else to read."
