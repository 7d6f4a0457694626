"""What is said and shown in an ATIF step: text, and pictures by path or data URL."""

from pathlib import Path, PurePosixPath
from typing import Any

from agentruns.cleaning import Picture, take_pixels
from agentruns.trajectories.item_run import ItemRun, guarded
from agentruns.trajectories.reader import Problem, Records
from agentruns.trajectories.values import as_list, as_object
from agentruns.trajectories.walking import mode_of


def parts_in(step: dict[str, Any]) -> list[dict[str, Any]]:
    """The content parts of the message and of every observation of a step."""
    results = as_list(as_object(step.get("observation")).get("results"))
    contents = [step.get("message"), *(as_object(result).get("content") for result in results)]
    return [as_object(part) for content in contents for part in as_list(content)]


def image_of(part: dict[str, Any]) -> str:
    """Where a part says that its picture is; nothing for a part of text."""
    source = as_object(part.get("source")).get("path")
    shown = part.get("image_url")
    shown = as_object(shown).get("url") if isinstance(shown, dict) else shown
    return next((where for where in (source, shown) if isinstance(where, str)), "")


def inside(folder: Path, where: str) -> str | None:
    """The path relative to the folder, or None for one that leads out of it or nowhere."""
    path = PurePosixPath(where)
    if path.is_absolute():
        try:
            path = path.relative_to(folder.absolute())
        except ValueError:
            return None
    plain = path.parts and ".." not in path.parts and "\x00" not in where
    return str(path) if plain and mode_of(folder / path) else None


def picture_records(
    run: ItemRun, step: dict[str, Any], about: dict[str, Any], path: str
) -> Records:
    """The pictures of a step; none is fetched, and none outside the item's folder is opened."""
    for place, part in enumerate(parts_in(step)):
        if where := image_of(part):
            yield from guarded(
                path, _picture(run, where, {**about, "of": f"{about['of']}/{place}"}, path)
            )


def _picture(run: ItemRun, where: str, about: dict[str, Any], path: str) -> Records:
    if where.startswith("data:"):
        pictures: list[Picture] = []
        take_pixels({"part": where}, pictures.append)
        yield from run.inline_uploads(path, pictures, about)
        if not pictures:
            yield Problem(path, None, "A data URL holds no picture.")
    elif "://" in where:
        yield Problem(path, None, "A picture has a URL, and none is ever fetched.")
    elif found := inside(run.folder, where):
        yield from run.pictures_of(found, about)
    else:
        reason = "A picture's path leads nowhere, or out of the trajectory's folder."
        yield Problem(path, None, reason)
