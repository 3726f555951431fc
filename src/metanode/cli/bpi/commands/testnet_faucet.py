"""`bpi testnet faucet`."""

from dataclasses import replace

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.completing import accounts
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer

FAUCET = "faucet"
"""The account of every development network that gives to whoever asks."""


@leaf()
@click.argument("to", metavar="ACCOUNT", shell_complete=accounts)
@click.option("--amount", default="1000", show_default=True, help="In whole coins.")
@sending
@pass_session
def faucet(session: Session, to: str, amount: str, how: How) -> ExitStatus | None:
    """Give an account coins of the development network's faucet."""
    desk = Sending(session, replace(how, account=how.account or FAUCET))
    units = desk.amount(amount, "USD")
    return desk.send(CoinTransfer(coin="USD", to=desk.names.address(to), amount=amount_bytes(units)))
