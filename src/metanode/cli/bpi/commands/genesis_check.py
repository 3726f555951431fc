"""`bpi genesis check`."""

import click

from metanode.cli.bpi.completing import files
from metanode.cli.commands import leaf
from metanode.cli.files import read_text
from metanode.cli.session import Session, pass_session
from metanode.primitives.bls import check_distinct, verify_possession
from metanode.primitives.refusal import Rejected
from metanode.records.genesis import Genesis, GenesisRefusal, genesis_hash, genesis_validators, load_toml


def check_possessions(genesis: Genesis) -> None:
    """GEN-3. The pairings: every BLS key is held by who shows it, and no two cancel out. Raises `Rejected`."""
    for validator in genesis.validators:
        if not verify_possession(validator.bls_key, validator.possession):
            raise Rejected(GenesisRefusal.BAD_POSSESSION, f"validator {validator.name!r}: its proof does not verify")
    try:
        check_distinct([validator.bls_key for validator in genesis.validators])
    except Rejected as rejected:
        raise Rejected(GenesisRefusal.BAD_POSSESSION, str(rejected)) from None


@leaf()
@click.argument("file", metavar="FILE", shell_complete=files)
@pass_session
def check(session: Session, file: str) -> None:
    """Check a genesis file: every rule, every proof.

    FILE is TOML; `-` reads standard input. Nothing is trusted: widths, names, coins, parameters and each validator's
    proof of possession are checked by this process.
    """
    genesis = load_toml(read_text(file))
    check_possessions(genesis)
    seats = genesis_validators(genesis)
    data = {
        "valid": True,
        "chain": genesis_hash(genesis).hex(),
        "name": genesis.name,
        "development": genesis.development,
        "rules_version": genesis.rules_version,
        "validators": [validator.name for validator in genesis.validators],
        "quorum": seats.quorum,
        "faults": seats.faults,
        "coins": [coin.coin for coin in genesis.coins],
        "accounts": [account.name for account in genesis.accounts],
    }

    def human() -> None:
        output = session.output
        output.line(f"chain       {data['chain']}")
        output.line(f"name        {genesis.name}{' (development: never for value)' if genesis.development else ''}")
        output.line(f"validators  {len(seats)}, a block needs {seats.quorum}, tolerates {seats.faults} faulty")
        output.line(f"coins       {', '.join(c.coin for c in genesis.coins)}; fees in {genesis.fee_coin}")
        output.line(f"accounts    {len(genesis.accounts)}")
        output.line(
            f"proofs      {len(seats)}/{len(seats)} possessions verified        {output.styled('VALID', 'good')}"
        )

    session.output.result("genesis.check/1", data, human)
