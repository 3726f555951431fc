"""The root of all commands of `bpi`."""

from typing import Final

import click

from metanode import __version__
from metanode.cli.bpi.table import COMMANDS, GROUPS
from metanode.cli.commands import LazyGroup

HELP: Final = """A chain that nobody has to trust alone, and the machines it decides about.

\b
  bpi up                                         a network of four validators, here
  bpi coin transfer --to globex --amount 420     a payment, final when it returns
  bpi verify                                     check everything yourself

Exit statuses: 0 ok, 1 a bug, 2 usage, 3 not found, 4 not allowed, 5 conflict, 20 consensus, 21 proof invalid, 30 data
unavailable, 50 configuration, 52 a check failed, 60 network, 61 outcome unknown, 70 a node or its disk,
80 insufficient, 81 expired, 130 interrupted, 143 terminated.
"""

bpi: Final = LazyGroup(
    COMMANDS,
    GROUPS,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[],
)
click.version_option(__version__, "--version", prog_name="bpi", message="%(prog)s %(version)s")(bpi)
