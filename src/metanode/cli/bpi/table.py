"""Every command of `bpi`: where it is, and its line in the help. Nothing is imported from here."""

from typing import Final

from metanode.cli.commands import Entry

_HERE: Final = "metanode.cli.bpi.commands"

GROUPS: Final[dict[str, str]] = {
    "config": "What bpi itself is told once: node, folder, account, waiting.",
    "genesis": "What everyone agreed on before the first block.",
    "node": "One node on this machine.",
}
"""Every group, with its line in the help."""

COMMANDS: Final[dict[str, Entry]] = {
    "completion": Entry(f"{_HERE}.completion:completion", "Print the script that completes bpi in your shell."),
    "config explain": Entry(f"{_HERE}.config:explain", "Show every setting, its value and where that came from."),
    "config get": Entry(f"{_HERE}.config:get", "Print one setting."),
    "config path": Entry(f"{_HERE}.config:path", "Print which files are read."),
    "config set": Entry(f"{_HERE}.config:set_", "Set one key in the project's file, or the user's."),
    "config show": Entry(f"{_HERE}.config:show", "Show every setting."),
    "genesis check": Entry(f"{_HERE}.genesis_check:check", "Check a genesis file: every rule, every proof."),
    "down": Entry(f"{_HERE}.down:down", "Stop every node of the local network; its data stays."),
    "init": Entry(f"{_HERE}.init:init", "Make a development network in ./.bpi, with keys that everybody can make."),
    "node run": Entry(f"{_HERE}.node_run:run", "Run one node in this process until it is told to stop."),
    "up": Entry(
        f"{_HERE}.up:up", "Start the local network, make it first where there is none, and return when it is READY."
    ),
    "version": Entry(f"{_HERE}.version:version", "Print the versions of everything that must fit together."),
}
"""Every leaf command by its words; the summary is the first sentence of its help (a test compares them)."""
