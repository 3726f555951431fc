"""`bpi node vouch`."""

import os

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.commands.node_run import refuse_network
from metanode.cli.bpi.reach import connect
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.host.data_directory import DataDirectory
from metanode.host.disk import Disk
from metanode.host.keys import find_password, load_validator_keys
from metanode.host.settings import load_settings
from metanode.host.signer import open_signer


@leaf()
@click.option("--height", type=click.IntRange(1), help="Nothing above it was signed; by default one above the head.")
@pass_session
def vouch(session: Session, height: int | None) -> None:
    """Let a restored validator vote again: say that its keys signed nothing above a height.

    Its guard was lost, damaged or restored from a backup, so nothing on its disk knows what it signed last. Nobody can
    have voted above the height after the head, so without --height the node of --node is asked for its head. The whole
    height is over for this validator, and at its start it asks its peers all the same. Never say it while another
    process may hold the same keys.
    """
    root = session.data
    refuse_network(root)
    directory = DataDirectory(root)
    try:
        layout, genesis = directory.layout, directory.genesis
        if not directory.owner.is_validator:
            message = f"{root} is an observer's: it never votes"
            raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="name a validator's data directory")
        password = find_password(load_settings(layout.settings).keys.password_file, os.environ)
        secrets = load_validator_keys(layout.keys, password, development=genesis.development)
        signer = open_signer(layout, directory.owner, secrets, Disk())
        try:
            if signer.may_sign:
                message = f"the guard of {root} holds: it needs nobody's word"
                raise Failure(CliRefusal.GUARD_HOLDS, ExitStatus.CONFLICT, message, fix="bpi node run")
            condition = str(signer.condition)
            over = height or _above_head(session, directory.owner.chain_id)
            signer.vouch(directory.owner.chain_id, over)
        finally:
            signer.close()
    finally:
        directory.close()
    data = {"data": str(root), "condition": condition, "height": over}
    words = f"vouched for {root}: its guard was {condition}, nothing above height {over} was signed by its keys"
    session.output.result("node.vouch/1", data, lambda: session.output.line(words))


def _above_head(session: Session, chain_id: bytes) -> int:
    """The height that is being agreed on. Raises `Failure` where the asked node is of another chain."""
    with connect(session) as client:
        status = client.node.status()
    if status.chain_id != chain_id.hex():
        message = f"the node is of chain {status.chain_id[:16]}…, the data directory of {chain_id.hex()[:16]}…"
        raise Failure(CliRefusal.OTHER_CHAIN, ExitStatus.CONFLICT, message, fix="--node names one of the same chain")
    return status.height + 1
