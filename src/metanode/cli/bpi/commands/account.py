"""`bpi account …`: keys here, balances there."""

import os
from pathlib import Path
from typing import Any

import click

from metanode.api.shapes import PAGE_MAX
from metanode.cli.bpi.amounts import show_amount
from metanode.cli.bpi.completing import accounts, files
from metanode.cli.bpi.keys import Names, accounts_folder, ask_password, is_development_key
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.bpi.offline import genesis_option
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import as_data
from metanode.cli.bpi.trust import check_chain, local_genesis, trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session
from metanode.client import Client, Unreachable
from metanode.host.keys import DEVELOPMENT_PASSWORD, PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE, list_accounts
from metanode.records.address import address_of_key, read_address, show_address


@leaf()
@click.argument("name")
@click.option("--password-file", metavar="FILE", shell_complete=files, help="Its first line locks the key.")
@pass_session
def create(session: Session, name: str, password_file: str | None) -> None:
    """Make a key for a new account and keep it, encrypted, in the accounts folder.

    The password comes from --password-file, from METANODE_KEY_PASSWORD_FILE or METANODE_KEY_PASSWORD, or is asked for.
    In the folder of a development network, where none is given, the key is marked as a development key, which opens
    with a password that everybody knows. The account exists on the chain from the first payment to it.
    """
    from metanode.host.disk import Disk
    from metanode.host.entropy import random_bytes
    from metanode.host.keys import create_account
    from metanode.primitives import ed25519

    password, development = _new_password(session, name, password_file)
    seed, folder = random_bytes(32), accounts_folder(session)
    create_account(folder, name, seed, password, random_bytes, Disk(), is_development=development)
    address = show_address(address_of_key(ed25519.public_key(seed)))
    path = folder / f"{name}.json"
    data = {"name": name, "address": address, "file": str(path), "development": development}

    def human() -> None:
        session.output.line(f"{name}  {address}")
        session.output.line(f"key in {path}{' (DEVELOPMENT ONLY: never for value)' if development else ''}")

    session.output.result("account.create/1", data, human)


def _new_password(session: Session, name: str, file: str | None) -> tuple[str, bool]:
    """(password, whether it is a development key)."""
    from metanode.host.keys import find_password

    if file:
        return find_password(str(Path(file)), os.environ), False
    named = PASSWORD_VARIABLE in os.environ or PASSWORD_FILE_VARIABLE in os.environ
    trusted = None if named else local_genesis(session)
    if LocalNetwork(session.data).is_there and trusted is not None and trusted.genesis.development:
        return DEVELOPMENT_PASSWORD, True
    return ask_password(f"New password of {name}", twice=True), False


@leaf()
@click.argument("account", default="", shell_complete=accounts)
@click.option("--prove", is_flag=True, help="Check the balances here, from genesis on, believing no node.")
@genesis_option("What --prove trusts; the local one else.")
@pass_session
def show(session: Session, account: str, prove: bool, genesis_file: str) -> None:  # noqa: FBT001 - click calls it
    """Show an account: balances, keys, next nonces; the configured one where none is named.

    With --prove each balance is checked against the state root of a header, and that header from genesis on; what does
    not hold ends with 21.
    """
    trusted = trusted_genesis(session, genesis_file) if prove else None
    proof: dict[str, Any] = {}
    with connect(session) as client:
        names = Names(session, local_genesis(session), client)
        address = names.address(account) if account else names.default_address()
        view = client.account.get(show_address(address))
        if trusted is not None:
            from metanode.cli.bpi.proving import prove_balances

            check_chain(trusted, client.node.status().chain_id)
            proof = prove_balances(client, trusted, address, view, session.setting("coin"))
    name = names.by_address().get(address, view.name)

    def human() -> None:
        line = session.output.line
        line(f"account   {name + '  ' if name else ''}{view.address}")
        for balance in view.balances:
            line(f"balance   {show_amount(balance.amount, balance.decimals)} {balance.coin}")
        if not view.exists:
            line("balance   none: nobody has paid it yet")
        line(f"keys      {view.threshold} of {len(view.keys)} must sign" if view.keys else "keys      not seen yet")
        if view.roles:
            line(f"roles     {', '.join(view.roles)}")
        line(f"nonces    {', '.join(f'lane {lane.lane}: {lane.next_nonce}' for lane in view.lanes)}")
        line(f"height    {view.height}")
        if trusted is not None:
            header = f"header {proof['header'][:16]}… of height {proof['height']}"
            valid = session.output.styled("VALID", "good")
            line(f"proved    {', '.join(proof['coins'])} under {header} · {trusted.words}        {valid}")

    session.output.result("account/1", {**as_data(view), "name": name, **({"proof": proof} if proof else {})}, human)


@leaf(name="list")
@click.option("--chain", "of_chain", is_flag=True, help="All accounts of the chain, not those whose keys are here.")
@click.option("--coin", default="", help="The configured one by default (USD).")
@click.option("--limit", type=click.IntRange(1, 100_000), default=500, show_default=True)
@pass_session
def list_(session: Session, of_chain: bool, coin: str, limit: int) -> None:  # noqa: FBT001 - click calls it
    """List the accounts whose keys are here, and what they hold.

    Where no node answers, the keys are listed without balances.
    """
    coin = coin or session.setting("coin")
    with connect(session) as client:
        if of_chain:
            decimals, rows = client.coin.get(coin).decimals, _of_chain(session, client, coin, limit)
        else:
            decimals, rows = _own(session, client, coin, limit)
    data = {"coin": coin, "decimals": decimals, "items": rows}
    shown = [
        (row["name"] or "-", row["address"], "?" if row["amount"] is None else show_amount(row["amount"], decimals))
        for row in rows
    ]
    empty = "nobody holds it" if of_chain else "no key here: bpi account create NAME makes one"
    columns = ("name", "address", coin)
    session.output.result("account.list/1", data, lambda: session.output.table(columns, shown, empty))


def _of_chain(session: Session, client: Client, coin: str, limit: int) -> list[dict[str, Any]]:
    known = Names(session, local_genesis(session), client).by_address()
    rows: list[dict[str, Any]] = []
    cursor = ""
    while len(rows) < limit:
        page = client.account.list(coin, cursor, min(PAGE_MAX, limit - len(rows)))
        for item in page.items:
            name = known.get(read_address(item.address), item.name)
            rows.append({"name": name, "address": item.address, "amount": item.amount})
        cursor = page.next
        if not cursor:
            break
    return rows


def _own(session: Session, client: Client, coin: str, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """(decimals, a row for each key here); `amount` None where no node could be asked."""
    rows: list[dict[str, Any]] = []
    decimals, is_there = 0, True
    try:
        decimals = client.coin.get(coin).decimals
    except Unreachable as error:
        session.output.note(f"no balances: {error.form.message}")
        is_there = False
    for account in list_accounts(accounts_folder(session))[:limit]:
        address = show_address(address_of_key(account.file.public_key))
        row = {"name": account.name, "address": address, "amount": None, "development": is_development_key(account)}
        if is_there:
            balances = {one.coin: one.amount for one in client.account.get(address).balances}
            row["amount"] = balances.get(coin, "0")
        rows.append(row)
    return decimals, rows
