"""A development network: N data directories below one folder, with keys that everybody can make."""

import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from metanode.host.data_directory import Layout, create
from metanode.host.disk import Disk, write_durably
from metanode.host.entropy import random_bytes
from metanode.host.guard_file import guard_identity
from metanode.host.keys import create_account, development_secrets, write_validator_keys
from metanode.host.settings import (
    HttpSettings,
    KeySettings,
    LogFormat,
    LogSettings,
    NetworkSettings,
    Settings,
    dump_settings,
)
from metanode.primitives import ed25519
from metanode.records.address import address_of_key
from metanode.records.amount import amount_bytes
from metanode.records.genesis import (
    MODULES,
    Genesis,
    GenesisAccount,
    GenesisBalance,
    GenesisCoin,
    genesis_hash,
)
from metanode.records.parameters import Parameters
from metanode.records.validators import Validator

PASSWORD: Final = "development"  # noqa: S105
"""Everybody may know it: it opens keys that everybody can make."""
FUNDS: Final = {"acme": 1_000_000_00, "globex": 1_000_000_00, "faucet": 1_000_000_000_00}
"""Accounts of a development genesis and what they hold, in cents of USD."""
PEER_PORT_OFFSET: Final = 20
"""So that the public ports of up to twenty nodes stay together."""
VALIDATORS_MAX: Final = 20
"""Of a development network on one machine."""


def account_seed(name: str) -> bytes:
    """The seed of a development account: everybody can make it from the name."""
    return sha256(f"metanode development key account of {name}".encode()).digest()


@dataclass(frozen=True, slots=True)
class DevelopmentNetwork:
    """Where its nodes are, and their genesis."""

    root: Path
    genesis: Genesis
    nodes: tuple[Path, ...]


def http_port(base: int, index: int) -> int:
    """The public port of a node."""
    return base + index


def peer_port(base: int, index: int) -> int:
    """The port for peers of a node."""
    return base + PEER_PORT_OFFSET + index


def development_validator(name: str, address: str) -> Validator:
    """A seat with development keys."""
    public = development_secrets(name).public
    return Validator(
        name=name,
        transport_key=public.transport_key,
        vote_key=public.vote_key,
        bls_key=public.bls_key,
        possession=public.possession,
        operator=address_of_key(ed25519.public_key(account_seed(f"operator-{name}"))),
        addresses=(address,),
    )


def development_genesis(count: int, base_port: int, name: str, parameters: Parameters, started_ms: int) -> Genesis:
    """A genesis with `count` validators on loopback, the coin USD, and the accounts acme, globex and faucet."""
    validators = tuple(
        development_validator(f"validator-{i}", f"127.0.0.1:{peer_port(base_port, i)}") for i in range(count)
    )
    accounts = [_account(who, amount) for who, amount in FUNDS.items()]
    accounts += [_account(f"operator-{v.name}", 0) for v in validators]
    faucet = accounts[-1 - count].address
    return Genesis(
        version=1,
        name=name,
        rules_version=1,
        development=True,
        started_ms=started_ms,
        parameters=parameters,
        modules=MODULES,
        fee_coin="USD",
        validators=validators,
        accounts=tuple(accounts),
        coins=(GenesisCoin(coin="USD", decimals=2, issuer=faucet, minters=(faucet,), supply_max=b""),),
    )


def _account(name: str, amount: int) -> GenesisAccount:
    key = ed25519.public_key(account_seed(name))
    balances = (GenesisBalance(coin="USD", amount=amount_bytes(amount)),) if amount else ()
    return GenesisAccount(name=name, address=address_of_key(key), keys=(key,), threshold=1, roles=(), balances=balances)


def node_settings(base_port: int, index: int, root: Path) -> Settings:
    """Settings of one node of a development network."""
    return Settings(
        network=NetworkSettings(listen=f"127.0.0.1:{peer_port(base_port, index)}"),
        http=HttpSettings(listen=f"127.0.0.1:{http_port(base_port, index)}"),
        keys=KeySettings(password_file=str(root / "password")),
        log=LogSettings(format=LogFormat.JSON, file="node.log"),
    )


def create_node(folder: Path, name: str, genesis: Genesis, settings: Settings) -> None:
    """One data directory with development keys: keys, settings, genesis, guard, journal. Raises `Fault`."""
    disk = Disk()
    secrets = development_secrets(name)
    layout = Layout(folder)
    write_validator_keys(layout.keys, secrets, PASSWORD, random_bytes, disk)
    write_durably(disk, layout.settings, dump_settings(settings).encode())
    public = secrets.public
    identity = guard_identity(genesis_hash(genesis), public.vote_key, public.bls_key)
    create(folder, genesis, identity, time.time_ns() // 1_000_000, disk, random_bytes)


def create_network(
    root: Path, count: int, base_port: int, name: str, parameters: Parameters | None = None
) -> DevelopmentNetwork:
    """A whole development network below `root`: `validator-0` …, account keys in `accounts`. Raises `Fault`."""
    disk = Disk()
    disk.make_folder(root)
    started_ms = time.time_ns() // 1_000_000
    genesis = development_genesis(count, base_port, name, parameters or Parameters(), started_ms)
    write_durably(disk, root / "password", f"{PASSWORD}\n".encode())
    nodes = []
    for index in range(count):
        folder = root / f"validator-{index}"
        create_node(folder, f"validator-{index}", genesis, node_settings(base_port, index, root))
        nodes.append(folder)
    for account in genesis.accounts:
        seed = account_seed(account.name)
        create_account(root / "accounts", account.name, seed, PASSWORD, random_bytes, disk, is_development=True)
    return DevelopmentNetwork(root, genesis, tuple(nodes))
