"""What a run is about, in words that may be kept."""

from dataclasses import dataclass, field
from typing import Any

from agentruns.cleaning import Cleaner, Picture
from agentruns.recording.arguments import LONGEST_NAME, as_mapping, as_name


@dataclass(frozen=True, slots=True)
class Assignment:
    """Title, description and metadata of a run, and the pictures that were inside them."""

    title: str
    description: str | None
    metadata: dict[str, Any]
    pictures: list[Picture] = field(default_factory=list)


def assignment(
    cleaner: Cleaner, agent_id: str, title: object, description: object, metadata: object
) -> Assignment:
    """The words for a run, cleaned; without a title it is called after its agent.

    Raises:
        ValueError: for a title that is empty or too long.
    """
    pictures: list[Picture] = []
    told = f"Run of {agent_id}" if title is None else as_name("title", title)
    return Assignment(
        # What stands for a secret may be longer than the secret was.
        title=cleaner.text(told, pictures.append)[:LONGEST_NAME],
        description=None if description is None else cleaner.text(description, pictures.append),
        metadata=cleaner.object(as_mapping(metadata), pictures.append),
        pictures=pictures,
    )
