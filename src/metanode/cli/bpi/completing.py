"""What pressing TAB offers for a word that names something here: nodes, accounts, keys of the configuration, files.

Nothing is asked and nothing heavy imported; what cannot be read offers nothing.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from metanode.cli.bpi.local_network import ACCOUNTS, LocalNetwork
from metanode.cli.configuration import KEYS
from metanode.cli.failure import Failure
from metanode.cli.session import Session

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _names(find: Callable[[Path], Iterable[str]]) -> Completer:
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            folder = context.find_root().ensure_object(Session).data
            return [CompletionItem(name) for name in find(folder) if name.startswith(incomplete)]
        except (Failure, OSError):
            return []

    return complete


def _groups(folder: Path, incomplete: str) -> list[str]:
    before, comma, _ = incomplete.rpartition(",")
    taken = before.split(",")
    return [f"{before}{comma}{node.name}" for node in LocalNetwork(folder).nodes if node.name not in taken]


def node_groups(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Nodes with commas between."""
    return _names(lambda folder: _groups(folder, incomplete))(context, _, incomplete)


def files(_context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whatever the shell finds."""
    return [CompletionItem(incomplete, type="file")]


def folders(_context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Folders, as the shell finds them."""
    return [CompletionItem(incomplete, type="dir")]


nodes: Completer = _names(lambda folder: [node.name for node in LocalNetwork(folder).nodes])
"""The nodes of the local network."""
accounts: Completer = _names(lambda folder: sorted(path.stem for path in (folder / ACCOUNTS).glob("*.json")))
"""The accounts whose keys are here."""
keys: Completer = _names(lambda _: KEYS)
"""The keys of the configuration."""
