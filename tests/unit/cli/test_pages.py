"""The pages of commands: each command is told on one, and each example is a line that bpi understands."""

import re
import shlex
from pathlib import Path

import click
import pytest

from metanode.cli.bpi.program import bpi
from metanode.cli.bpi.table import COMMANDS
from metanode.cli.commands import Leaf
from metanode.cli.configuration import KEYS

PAGES = Path(__file__).resolve().parents[3] / "docs" / "commands"
EXAMPLES = [
    line[2:] for page in sorted(PAGES.glob("*.md")) for line in page.read_text().splitlines() if line[:6] == "$ bpi "
]


def parsed(line: str) -> str:
    """The path of the command that a line calls; its options and arguments are read as bpi would read them."""
    words = shlex.split(line)[1:]
    path: list[str] = []
    group: click.Group = bpi
    while True:
        _, command, words = group.resolve_command(click.Context(group), words)
        assert command is not None
        path.append(command.name or "")
        below = isinstance(command, click.Group) and words[:1] and words[0] in command.list_commands(click.Context(bpi))
        if isinstance(command, Leaf) and not below:
            command.make_context(line, words, parent=click.Context(bpi))
            return " ".join(path)
        assert isinstance(command, click.Group), line
        group = command


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_understood(line: str) -> None:
    assert parsed(line) in COMMANDS


def test_an_example_that_is_not_would_be_seen() -> None:
    with pytest.raises(click.UsageError):
        parsed("bpi coin transfer --too globex --amount 1")


def test_every_command_has_an_example() -> None:
    shown = {parsed(line) for line in EXAMPLES}
    assert sorted(set(COMMANDS) - shown) == []


def test_every_key_is_told() -> None:
    told = re.findall(r"^\| `([a-z_]+)` \|", (PAGES / "config.md").read_text(), re.MULTILINE)
    assert told == list(KEYS)


GROUP_PAGES = [page for page in sorted(PAGES.glob("*.md")) if page.name != "README.md"]
SECTIONS = ["Synopsis", "Description", "Options", "Exit status", "Examples", "Files"]


@pytest.mark.parametrize("page", GROUP_PAGES, ids=lambda page: page.stem)
def test_every_page_has_the_sections_of_a_manual_in_their_order(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    sections = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
    assert [name for name, body in zip(SECTIONS, sections, strict=True) if not body.strip()] == []


def test_every_command_has_its_synopsis_and_options_on_one_page() -> None:
    for kind in ("synopsis", "options"):
        told = [
            path
            for page in GROUP_PAGES
            for paths in re.findall(rf"^<!-- {kind}: (.*) -->$", page.read_text(), re.MULTILINE)
            for path in paths.split(" | ")
        ]
        assert sorted(told) == sorted(COMMANDS)
