"""`bpi genesis new` and `bpi genesis add-validator`: writing what everyone will agree on."""

import time
from pathlib import Path

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.amounts import read_amount
from metanode.cli.bpi.commands.genesis_check import check_possessions
from metanode.cli.bpi.keys import accounts_folder
from metanode.cli.bpi.validator_file import read_validator, validator_text
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.cli.session import Session, pass_session
from metanode.host.disk import Disk, write_durably
from metanode.host.keys import list_accounts
from metanode.records.address import address_of_key
from metanode.records.amount import amount_bytes
from metanode.records.genesis import (
    MODULES,
    RULES_VERSION,
    Genesis,
    GenesisAccount,
    GenesisBalance,
    GenesisCoin,
    dump_toml,
    genesis_hash,
    load_toml,
)
from metanode.records.parameters import Parameters, with_parameter

NO_VALIDATORS = "validators = []\n"
"""How the text of a genesis says that nobody has a seat yet."""


@leaf()
@click.argument("file")
@click.option("--name", required=True, help="Of the chain.")
@click.option("--coin", default="USD", show_default=True, help="The coin fees are paid in.")
@click.option("--decimals", type=click.IntRange(0, 38), default=2, show_default=True)
@click.option("--account", "accounts", multiple=True, metavar="NAME=AMOUNT", help="An account whose key is here.")
@click.option("--issuer", default="", metavar="NAME", help="Issues and mints the coin; the first account by default.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Another value than the default.")
@click.option("--development", is_flag=True, help="Faults may be pretended; development keys are accepted.")
@pass_session
def new(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    file: str,
    name: str,
    coin: str,
    decimals: int,
    accounts: tuple[str, ...],
    issuer: str,
    parameters: tuple[str, ...],
    development: bool,  # noqa: FBT001 - click calls it
) -> None:
    """Write a genesis that has accounts and a coin, and no validators yet.

    The accounts are those of bpi account create in the folder of --data; AMOUNT is in whole coins. Then each operator's
    validator.toml is added with bpi genesis add-validator, and everyone compares the hash.
    """
    target = Path(file)
    if target.exists():
        raise Failure(CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, f"{file} exists", fix="name another file")
    named = [_account(session, text, coin, decimals) for text in accounts]
    if not named:
        message = "a chain without an account could never do anything"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix="--account NAME=AMOUNT, of bpi account create")
    chief = next((account for account in named if account.name == (issuer or named[0].name)), None)
    if chief is None:
        message = f"--issuer {issuer} is none of the accounts"
        raise Failure(CliRefusal.UNKNOWN_ACCOUNT, ExitStatus.NOT_FOUND, message, fix=f"--account {issuer}=0")
    chosen = Parameters()
    for text in parameters:
        key, _, value = text.partition("=")
        if not value.isdecimal():
            raise click.BadParameter(f"{text!r}: write NAME=VALUE, a whole number", param_hint="--parameter")
        chosen = with_parameter(chosen, key, int(value))
    genesis = Genesis(
        version=1,
        name=name,
        rules_version=RULES_VERSION,
        development=development,
        started_ms=time.time_ns() // 1_000_000,
        parameters=chosen,
        modules=MODULES,
        fee_coin=coin,
        validators=(),
        accounts=tuple(named),
        coins=(
            GenesisCoin(coin=coin, decimals=decimals, issuer=chief.address, minters=(chief.address,), supply_max=b""),
        ),
    )
    write_durably(Disk(), target, dump_toml(genesis).encode())
    _tell(session, file, genesis)


def _account(session: Session, text: str, coin: str, decimals: int) -> GenesisAccount:
    name, _, amount = text.partition("=")
    keys = {account.name: account.file.public_key for account in list_accounts(accounts_folder(session))}
    if name not in keys:
        message = f"no key of account {name!r} in {accounts_folder(session)}"
        raise Failure(
            CliRefusal.UNKNOWN_ACCOUNT,
            ExitStatus.NOT_FOUND,
            message,
            fix=f"bpi account create {name} --data {session.data}",
        )
    units = read_amount(amount or "0", decimals, coin)
    balances = (GenesisBalance(coin=coin, amount=amount_bytes(units)),) if units else ()
    return GenesisAccount(
        name=name, address=address_of_key(keys[name]), keys=(keys[name],), threshold=1, roles=(), balances=balances
    )


@leaf(name="add-validator")
@click.argument("file")
@click.argument("validators", nargs=-1, required=True, metavar="VALIDATOR...")
@pass_session
def add_validator(session: Session, file: str, validators: tuple[str, ...]) -> None:
    """Add validators to a genesis, before the chain starts.

    Each VALIDATOR is the validator.toml of bpi node init. Its proof of possession is checked, and the whole genesis
    again. The hash changes: everyone must have the same file in the end.
    """
    text = read_text(file).replace(NO_VALIDATORS, "", 1)
    for one in validators:
        text += f"\n[[validators]]\n{validator_text(read_validator(one))}"
    genesis = load_toml(text)
    check_possessions(genesis)
    write_durably(Disk(), Path(file), dump_toml(genesis).encode())
    _tell(session, file, genesis)


def _tell(session: Session, file: str, genesis: Genesis) -> None:
    seats = [validator.name for validator in genesis.validators]
    chain = genesis_hash(genesis).hex()
    data = {"file": file, "chain": chain, "validators": seats, "accounts": [a.name for a in genesis.accounts]}

    def human() -> None:
        line = session.output.line
        line(f"{file}  chain {chain}")
        line(f"validators  {', '.join(seats) or 'none yet   next:  bpi genesis add-validator ' + file + ' VALIDATOR'}")
        line(f"accounts    {', '.join(account.name for account in genesis.accounts)}")

    session.output.result("genesis/1", data, human)
