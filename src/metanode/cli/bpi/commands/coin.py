"""`bpi coin …`: coins and who holds them."""

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.amounts import show_amount
from metanode.cli.bpi.completing import accounts
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.bpi.showing import as_data
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinDefine, CoinMint, CoinTransfer


@leaf()
@click.option("--to", required=True, metavar="ACCOUNT", shell_complete=accounts, help="Name or address.")
@click.option("--amount", required=True, help="In whole coins: 420 or 4.20.")
@click.option("--coin", default="", help="The configured one by default (USD).")
@sending
@pass_session
def transfer(session: Session, to: str, amount: str, coin: str, how: How) -> ExitStatus | None:
    """Pay an account.

    What is signed is said first, in one sentence. Returns when the payment is final, or with 61 and how to resume.
    """
    coin = coin or session.setting("coin")
    desk = Sending(session, how)
    units = desk.amount(amount, coin)
    return desk.send(CoinTransfer(coin=coin, to=desk.names.address(to), amount=amount_bytes(units)))


@leaf()
@click.option("--to", required=True, metavar="ACCOUNT", shell_complete=accounts, help="Name or address.")
@click.option("--amount", required=True, help="In whole coins: 420 or 4.20.")
@click.option("--coin", default="", help="The configured one by default (USD).")
@sending
@pass_session
def mint(session: Session, to: str, amount: str, coin: str, how: How) -> ExitStatus | None:
    """Make new units of a coin for an account; the signer must be one of its minters."""
    coin = coin or session.setting("coin")
    desk = Sending(session, how)
    units = desk.amount(amount, coin)
    return desk.send(CoinMint(coin=coin, to=desk.names.address(to), amount=amount_bytes(units)))


@leaf()
@click.argument("coin")
@click.option("--decimals", type=click.IntRange(0, 38), default=2, show_default=True)
@click.option(
    "--supply-max", default="0", metavar="AMOUNT", help="Most that may ever be, in whole coins; 0: no maximum."
)
@click.option(
    "--minter",
    "minters",
    multiple=True,
    metavar="ACCOUNT",
    shell_complete=accounts,
    help="Who may mint; the signer by default.",
)
@sending
@pass_session
def define(
    session: Session, coin: str, decimals: int, supply_max: str, minters: tuple[str, ...], how: How
) -> ExitStatus | None:
    """Create a coin; the signer is its issuer."""
    from metanode.cli.bpi.amounts import read_amount

    desk = Sending(session, how)
    by = tuple(desk.names.address(name) for name in minters) or (desk.signer.address,)
    most = amount_bytes(read_amount(supply_max, decimals, coin))
    return desk.send(CoinDefine(coin=coin, decimals=decimals, supply_max=most, minters=tuple(sorted(by))))


@leaf()
@click.argument("coin", default="")
@pass_session
def show(session: Session, coin: str) -> None:
    """Show a coin: supply, decimals, issuer and minters."""
    with connect(session) as client:
        view = client.coin.get(coin or session.setting("coin"))
        names = Names(session, local_genesis(session), client).by_address()

    def who(address: str) -> str:
        from metanode.records.address import read_address

        return names.get(read_address(address), address)

    def human() -> None:
        line = session.output.line
        line(f"coin      {view.coin}{' (fees are paid in it)' if view.fee_coin else ''}")
        line(f"supply    {show_amount(view.supply, view.decimals)} {view.coin} at height {view.height}")
        most = show_amount(view.supply_max, view.decimals) if view.supply_max != "0" else "none"
        line(f"maximum   {most}")
        line(f"decimals  {view.decimals}")
        line(f"issuer    {who(view.issuer)}")
        line(f"minters   {', '.join(who(minter) for minter in view.minters) or 'nobody'}")

    session.output.result("coin/1", as_data(view), human)
