"""What the documents say is there: links, make targets, commands, queries."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
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


def test_every_agentruns_command_that_is_shown_exists() -> None:
    shown = {
        tuple(word for word in command[1:3] if word.isalpha() and word.islower())
        for document in DOCUMENTS
        for command in _commands(document, "agentruns")
    }
    missing = [words for words in sorted(shown) if words and not _has_help(words)]
    assert missing == []


def _has_help(words: tuple[str, ...]) -> bool:
    """Whether a command answers --help; the second word may be an argument of the first."""
    return any(
        subprocess.run(
            [sys.executable, "-m", "apps.cli", *words[:count], "--help"],
            capture_output=True, check=False, cwd=ROOT,
        ).returncode == 0
        for count in (2, 1)
    )  # fmt: skip
