"""Every command that a message, a fix or a page names is there, with the options it is named with."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.architecture.source import MODULES, ROOT, committed_files, name, tree

from metanode.cli.bpi.program import bpi
from metanode.cli.bpi.table import COMMANDS, GROUPS

PLAIN_WORDS = frozenset({"and", "as", "does", "in", "is", "it", "itself", "made", "of", "or", "printed", "would"})
"""What may follow the name of the program in a sentence about it."""
FILLED_IN = "X"
SPOKEN = re.compile(r"\bbpi ([a-z][a-z-]*)((?:[ ][^\s`;,:()…·|]+)*)")
"""A command line in running text, up to whatever ends it: a quotation mark, punctuation, the end of the line."""


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module, with `FILLED_IN` for what is filled in, and its line."""
    inside = {id(part) for node in ast.walk(tree(module)) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree(module)):
        match node:
            case ast.JoinedStr(values=parts):
                yield node.lineno, "".join(str(p.value) if isinstance(p, ast.Constant) else FILLED_IN for p in parts)
            case ast.Constant(value=str() as text) if id(node) not in inside:
                yield node.lineno, text
            case _:
                pass


def spoken(text: str) -> Iterator[tuple[str, str]]:
    """First word after the program's name, and what else belongs to the command line, of each mention."""
    for line in text.replace("|", " | ").splitlines():
        for found in SPOKEN.finditer(line):
            yield found[1], found[2]


def wrong(first: str, rest: str) -> str:
    """What is wrong with a mention, nothing where it is right."""
    if first not in {path.split()[0] for path in (*COMMANDS, *GROUPS)}:
        return "" if first in PLAIN_WORDS else f"no command {first!r}"
    words = [first, *(word.rstrip(".?!'\"") for word in rest.split())]
    path = next((p for n in (3, 2, 1) if (p := " ".join(words[:n])) in COMMANDS), "")
    if not path and len(words) > 1 and " ".join(words[:2]) in GROUPS:
        return "" if len(words) == 2 or words[2] in ("--help", FILLED_IN) else f"no command {' '.join(words[:3])!r}"
    if not path:
        return "" if len(words) == 1 or words[1] in ("--help", FILLED_IN) else f"no command {' '.join(words[:2])!r}"
    known = options(path)
    given = [word.partition("=")[0] for word in words if word.startswith("-") and word != "-"]
    strange = [word for word in given if word not in known]
    return f"{path} has no option {', '.join(strange)}" if strange else ""


def options(path: str) -> set[str]:
    """The options of a command, those that every command takes among them."""
    command: click.Command = bpi
    context = click.Context(bpi)
    for word in path.split():
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None
        command = found
    return {
        option for parameter in command.get_params(context) for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_every_command_that_the_program_names_is_there(module: Path) -> None:
    found = [
        (line, first + rest, why)
        for line, text in texts(module)
        for first, rest in spoken(text)
        if (why := wrong(first, rest))
    ]
    assert found == []


PAGES = [path for path in committed_files() if path.suffix == ".md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_page_names_is_there(page: Path) -> None:
    found = [(first + rest, why) for first, rest in spoken(page.read_text()) if (why := wrong(first, rest))]
    assert found == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("try bpi repiar", "no command 'repiar'"),
        ("run `bpi node repiar`: it", "no command 'node repiar'"),
        ("run `bpi up --forground`", "up has no option --forground"),
        ("see bpi logs validator-0 --tail 5", "logs has no option --tail"),
        ("bpi up, or bpi testnet heal.", ""),
        ("bpi testnet kill|pause", ""),
        ("bpi coin …", ""),
        ("bpi itself", ""),
    ],
)
def test_a_command_that_is_not_there_would_be_seen(line: str, why: str) -> None:
    assert "".join(wrong(first, rest) for first, rest in spoken(line)) == why
