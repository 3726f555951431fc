"""The table of commands is true, and looking at it costs nothing."""

import click
import pytest
from click.shell_completion import ShellComplete
from tests.unit.cli.conftest import Bpi

from metanode.cli.bpi.program import bpi as program
from metanode.cli.bpi.table import COMMANDS, GROUPS
from metanode.cli.commands import Leaf


def command(path: str) -> click.Command:
    found: click.Command = program
    for word in path.split():
        assert isinstance(found, click.Group)
        below = found.get_command(click.Context(found), word)
        assert below is not None, path
        found = below
    return found


@pytest.mark.parametrize("path", COMMANDS)
def test_every_entry_leads_to_its_command(path: str) -> None:
    leaf = command(path)
    assert isinstance(leaf, Leaf)
    assert leaf.name == path.rpartition(" ")[2]
    assert (leaf.help or "").splitlines()[0] == COMMANDS[path].summary


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_takes_json_and_has_help(path: str, bpi: Bpi) -> None:
    assert "--json" in {word for p in command(path).get_params(click.Context(command(path))) for word in p.opts}
    said = bpi(*path.split(), "--help")
    assert said.status == 0
    assert said.out.startswith(f"Usage: bpi {path} ")


def test_every_group_has_commands_and_every_command_its_group() -> None:
    parents = {path.rpartition(" ")[0] for path in COMMANDS if " " in path}
    assert parents == set(GROUPS)


def test_pressing_tab_offers_names_with_their_lines() -> None:
    items = program.shell_complete(click.Context(program), "c")
    assert [(item.value, item.help) for item in items] == [
        (name, {**GROUPS, **{path: entry.summary for path, entry in COMMANDS.items()}}[name])
        for name in sorted({path.split()[0] for path in COMMANDS if path.startswith("c")})
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str, bpi: Bpi) -> None:
    said = bpi("completion", shell)
    assert said.status == 0
    assert f"_BPI_COMPLETE={shell}_complete" in said.out
    assert bpi("completion", shell, "--json").data["script"].strip() == said.out.strip()


def test_version_names_what_must_fit_together(bpi: Bpi) -> None:
    said = bpi("version", "--json")
    assert said.status == 0
    assert set(said.data) == {
        "schema", "bpi", "rules_version", "directory_format", "bls_engine", "python", "platform", "libraries",
    }  # fmt: skip
    assert bpi("version").out.startswith(f"bpi {said.data['bpi']}\n")
    assert bpi("--version").out == f"bpi {said.data['bpi']}\n"
    assert bpi("--no-color", "--version").out == f"bpi {said.data['bpi']}\n"


def offered(line: str) -> list[tuple[str, str]]:
    """What TAB offers at the end of a line: (value, type)."""
    words = line.split(" ")
    completion = ShellComplete(program, {}, "bpi", "_BPI_COMPLETE")
    return [(item.value, item.type) for item in completion.get_completions(words[1:-1], words[-1])]


def test_pressing_tab_offers_what_is_here(bpi: Bpi) -> None:
    bpi("init", "--validators", "2", "--port-base", "30000")
    assert offered("bpi testnet kill ") == [("validator-0", "plain"), ("validator-1", "plain")]
    assert offered("bpi testnet kill validator-0 validator-1") == [("validator-1", "plain")]
    assert offered("bpi testnet partition validator-0,v") == [("validator-0,validator-1", "plain")]
    assert [name for name, _ in offered("bpi coin transfer --to g")] == ["globex"]
    assert [name for name, _ in offered("bpi coin transfer --account operator")] == [
        "operator-validator-0",
        "operator-validator-1",
    ]
    assert [name for name, _ in offered("bpi config get t")] == ["token_file", "timeout"]
    assert offered("bpi receipt verify pa") == [("pa", "file")]
    assert offered("bpi testnet kill --data elsewhere ") == []
