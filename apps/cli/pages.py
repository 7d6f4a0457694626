"""Pages that commands write for people: one file each, which loads nothing from anywhere."""

from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).parent / "templates"


def rendered(template: str, **given: Any) -> str:
    """The page; recorded text is never markup in it."""
    # Late: few commands need it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template(template).render(**given)
