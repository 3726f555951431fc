"""A small genesis for data directories of tests."""

from metanode.host.guard_file import guard_identity
from metanode.host.keys import development_secrets
from metanode.records.genesis import MODULES, Genesis, GenesisAccount, GenesisBalance, GenesisCoin, genesis_hash
from metanode.records.parameters import Parameters
from metanode.records.validators import Validator

SECRETS = development_secrets("validator-1")
PUBLIC = SECRETS.public
GENESIS = Genesis(
    version=1,
    name="test",
    rules_version=1,
    development=True,
    started_ms=0,
    parameters=Parameters(),
    modules=MODULES,
    fee_coin="unit",
    validators=(
        Validator(
            name="validator-1",
            transport_key=PUBLIC.transport_key,
            vote_key=PUBLIC.vote_key,
            bls_key=PUBLIC.bls_key,
            possession=PUBLIC.possession,
            operator=bytes(20),
            addresses=("127.0.0.1:1",),
        ),
    ),
    accounts=(
        GenesisAccount(
            name="acme",
            address=bytes(20),
            keys=(PUBLIC.vote_key,),
            threshold=1,
            roles=("operator",),
            balances=(GenesisBalance(coin="unit", amount=b"\x07"),),
        ),
    ),
    coins=(GenesisCoin(coin="unit", decimals=2, issuer=bytes(20), minters=(), supply_max=b""),),
)
CHAIN = genesis_hash(GENESIS)
IDENTITY = guard_identity(CHAIN, PUBLIC.vote_key, PUBLIC.bls_key)


def salt(count):
    return bytes(range(count))
