"""What the documents say is there: links, make targets, commands, queries."""

import re
import shlex
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from apps.cli.app import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
#: Options that every command has; see `apps/cli/launch.py`.
EVERYWHERE = {"--json", "--debug", "--no-color"}
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


def _commands(document: Path, program: str) -> list[list[str]]:
    blocks = "\n".join(CONSOLE.findall(document.read_text())).replace("\\\n", " ")
    lines = [line.removeprefix("$ ").split(" | ")[0] for line in blocks.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text()) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_is_shown_exists(document: Path) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    shown = {command[1] for command in _commands(document, "make")}
    assert shown <= targets


def test_every_agentruns_command_that_is_shown_is_one() -> None:
    shown = {
        shlex.join(command[1:])
        for document in DOCUMENTS
        for command in _commands(document, "agentruns")
    }
    assert shown
    assert [words for words in sorted(shown) if not _is_understood(shlex.split(words))] == []


def _is_understood(words: list[str]) -> bool:
    """Whether the command line takes these words; nothing is run."""
    own = [word for word in words if word not in EVERYWHERE]
    try:
        app.parse_args(own, exit_on_error=False, print_error=False)
    except CycloptsError:
        return False
    return True
