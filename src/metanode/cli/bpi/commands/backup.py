"""`bpi backup` and `bpi restore`."""

from pathlib import Path

import click

from metanode.cli.bpi.commands.node_run import refuse_network
from metanode.cli.bpi.completing import folders
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session


@leaf()
@click.argument("target", shell_complete=folders)
@pass_session
def backup(session: Session, target: str) -> None:
    """Copy the data directory of a node, which may go on running meanwhile, to a new folder.

    Genesis, settings, keys, state and blocks, each file with its digest. The sign guard and the journal stay behind:
    a copy of what was signed last is out of date the moment it is made.
    """
    from metanode.host.backup import back_up
    from metanode.host.data_directory import Layout
    from metanode.host.disk import Disk
    from metanode.host.entropy import random_bytes

    refuse_network(session.data)
    made = back_up(Layout(session.data), Path(target), random_bytes, Disk())
    data = {"target": target, "files": made.files, "bytes": made.bytes, "last_block": made.last_block}
    words = f"{target}  {made.files} files · {made.bytes / 2**20:.1f} MiB · up to block {made.last_block}"
    session.output.result("backup/1", data, lambda: session.output.line(words))


@leaf()
@click.argument("source", shell_complete=folders)
@pass_session
def restore(session: Session, source: str) -> None:
    """Make a data directory out of a backup, in the empty folder of --data.

    Every file is checked against its digest first. A restored validator follows the chain and signs nothing until its
    operator has vouched for it: bpi node vouch.
    """
    from metanode.host.backup import restore as restore_backup
    from metanode.host.disk import Disk
    from metanode.host.entropy import random_bytes

    root = session.data
    owner = restore_backup(Path(source), root, random_bytes, Disk())
    data = {"data": str(root), "chain": owner.chain_id.hex(), "validator": owner.is_validator}

    def human() -> None:
        kind = "validator: signs nothing until vouched for" if owner.is_validator else "observer"
        session.output.line(f"{root}  chain {owner.chain_id.hex()[:16]}… · {kind}")
        next_step = "vouch" if owner.is_validator else "run"
        session.output.line(f"try:  bpi node {next_step} --data {root}")

    session.output.result("restore/1", data, human)
