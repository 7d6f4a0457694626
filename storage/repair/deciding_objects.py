"""What becomes of an object without a row: registered, taken aside, or left for a person."""

from uuid import UUID

from agentruns.models import Bucket, StoredFile, imported_id, utcnow
from storage.minio.content import IMAGES, UNKNOWN
from storage.minio.keeping import Content, Place
from storage.repair.actions import left_object, quarantined
from storage.repair.deciding_files import WRONG_BYTES
from storage.repair.models import Action, Named, ObjectFacts, Turn, named

_NO_ROW = "It has no row, and its bytes are those that its name promises."
_STRANGE_NAME = "Its name is none of ours: it tells no agent, task and content."
_NO_AGENT = "It lies under an agent that nobody knows."
_OTHERS_TASK = "It lies under another agent than the one whose task its name tells."
_NO_TASK = (
    "Its bytes are good and its task is unknown: the task may still lie in the spool of its agent. "
    "Deliver that; an object whose task will never come is yours to remove."
)


def decided(place: Place, content: Content | None, facts: ObjectFacts) -> list[Action]:
    """What is to be done about an object that the inventory found without a row."""
    if content is None or facts.has_row or facts.is_taken or facts.is_deleted:
        return []
    told = named(place.path)
    if told is None:
        return [quarantined(place, content, _STRANGE_NAME, None, None, orphan=True)]
    if reason := _fault(content, told, facts):
        return [_aside(place, content, reason, told, facts)]
    if told.task and facts.agent_of_task is None:
        return [left_object(place, _NO_TASK)]
    return [_registered(place, content, told)]


def _fault(content: Content, told: Named, facts: ObjectFacts) -> str | None:
    """Why an object can't be what its name promises."""
    if content.sha256 != told.sha256:
        return WRONG_BYTES
    if told.task and facts.agent_of_task not in {None, told.agent}:
        return _OTHERS_TASK
    return None if facts.knows_agent else _NO_AGENT


def row_of(place: Place, content: Content, id_: UUID) -> StoredFile:
    """The row of an object, from what its name and its bytes tell."""
    told = named(place.path)
    assert told  # noqa: S101 - only what has such a name is registered
    return StoredFile(
        id=id_,
        agent_id=told.agent,
        task_id=told.task,
        bucket=Bucket(place.bucket),
        object_path=place.path,
        content_type=IMAGES[content.image] if content.image else UNKNOWN,
        size_bytes=content.size,
        sha256=content.sha256,
        etag=content.etag,
        metadata={"registered_by": "repair"},
        uploaded_at=content.modified or utcnow(),
    )


def ids_of(place: Place, content: Content) -> list[UUID]:
    """The id that the object's tags tell, where they belong to it; else one that its name gives."""
    told, tags, own = named(place.path), content.tags, imported_id("repaired", *place)
    if not told or (tags.get("agent"), tags.get("sha256")) != (told.agent, told.sha256):
        return [own]
    try:
        return [UUID(tags.get("file-id", "")), own]
    except ValueError:
        return [own]


def _aside(place: Place, content: Content, reason: str, told: Named, facts: ObjectFacts) -> Action:
    # Below the agent that put it there, whoever's task its name tells.
    task = told.task if facts.agent_of_task in {None, told.agent} else None
    return quarantined(place, content, reason, told.agent, task, orphan=True)


def _registered(place: Place, content: Content, told: Named) -> Action:
    return Action(
        Turn.REGISTER,
        imported_id("object", *place),
        "register",
        _NO_ROW,
        None,
        None,
        *place,
        agent=told.agent,
        task=told.task,
        details={"etag": content.etag, "sha256": content.sha256, "size_bytes": content.size},
    )
