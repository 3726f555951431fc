"""Founding a pretend chain: its genesis, its computers, its clients' transactions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from metanode.ledger import Mathematics
from metanode.node.settings import NodeSettings
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash
from metanode.records.address import address_of_key
from metanode.records.amount import amount_bytes
from metanode.records.calls import Call, CoinTransfer
from metanode.records.genesis import (
    MODULES,
    Genesis,
    GenesisAccount,
    GenesisBalance,
    GenesisCoin,
    genesis_hash,
)
from metanode.records.parameters import Parameters
from metanode.records.transaction import KEY_ED25519, Authorization, SignedTransaction, Transaction, identity
from metanode.records.validators import Validator
from metanode.sim import standins
from metanode.sim.machine_room import MachineRoom
from metanode.sim.seals import STAND_INS, Seals
from metanode.sim.storm import Storm
from metanode.sim.world import World

START_MS = 1_700_000_000_000
"""When pretend chains are founded."""
FUNDS = 1_000_000
"""What each client holds at the start."""


@dataclass(slots=True)
class Client:
    """Somebody with one key and one lane."""

    key: bytes
    address: bytes
    nonce: int = 0

    def transfer(self, chain_id: Hash, to: bytes, amount: int, now_ms: int) -> tuple[Hash, bytes]:
        """A signed transfer: its identity and bytes."""
        return self.sign(chain_id, (CoinTransfer(coin="USD", to=to, amount=amount_bytes(amount)),), now_ms)

    def sign(self, chain_id: Hash, calls: tuple[Call, ...], now_ms: int) -> tuple[Hash, bytes]:
        """A signed transaction with these calls: its identity and bytes."""
        transaction = Transaction(
            version=1,
            chain_id=chain_id,
            sender=self.address,
            lane=0,
            nonce=self.nonce,
            expires_ms=now_ms + 300_000,
            fee=b"",
            work_limit=20_000,
            calls=calls,
            memo="",
        )
        self.nonce += 1
        name = identity(transaction)
        authorization = Authorization(kind=KEY_ED25519, key=self.key, signature=standins.sign(self.key, name))
        signed = SignedTransaction(version=1, transaction=transaction, authorizations=(authorization,))
        return name, encode(signed)


def client(name: str) -> Client:
    """A client by name."""
    key = standins.key("client", name, 32)
    return Client(key, address_of_key(key))


@dataclass(frozen=True, slots=True)
class Founding:
    """A genesis, and the keys of its validators."""

    genesis: Genesis
    chain_id: Hash
    clients: tuple[Client, ...]
    validators: tuple[Validator, ...] = field(default=())
    seals: Seals = field(default=STAND_INS)


def validator(name: str, port: int, seals: Seals = STAND_INS) -> Validator:
    """A seat with stand-in keys."""
    bls_key = seals.key(name)
    operator = standins.key("operator", name, 32)
    return Validator(
        name=name,
        transport_key=standins.key("transport", name, 32),
        vote_key=standins.key("vote", name, 32),
        bls_key=bls_key,
        possession=seals.possession(bls_key),
        operator=address_of_key(operator),
        addresses=(f"10.0.0.{port}:1",),
    )


def found(count: int, clients: int = 4, parameters: Parameters | None = None, seals: Seals = STAND_INS) -> Founding:
    """A development genesis with `count` validators and some funded clients."""
    seats = tuple(validator(f"validator-{i}", i + 1, seals) for i in range(count))
    people = tuple(client(f"client-{i}") for i in range(clients))
    operators = tuple(standins.key("operator", seat.name, 32) for seat in seats)
    accounts = [
        GenesisAccount(
            name=f"client-{i}",
            address=person.address,
            keys=(person.key,),
            threshold=1,
            roles=(),
            balances=(GenesisBalance(coin="USD", amount=amount_bytes(FUNDS)),),
        )
        for i, person in enumerate(people)
    ]
    accounts += [
        GenesisAccount(
            name=f"operator-{i}", address=address_of_key(key), keys=(key,), threshold=1, roles=(), balances=()
        )
        for i, key in enumerate(operators)
    ]
    genesis = Genesis(
        version=1,
        name="pretend",
        rules_version=1,
        development=True,
        started_ms=START_MS,
        parameters=parameters or Parameters(),
        modules=MODULES,
        fee_coin="USD",
        validators=seats,
        accounts=tuple(accounts),
        coins=(GenesisCoin(coin="USD", decimals=2, issuer=people[0].address, minters=(), supply_max=b""),),
    )
    return Founding(genesis, genesis_hash(genesis), people, seats, seals)


def computer(
    founding: Founding,
    index: int,
    seat: Validator,
    others: Sequence[Validator],
    kind: Callable[..., MachineRoom] = MachineRoom,
) -> MachineRoom:
    """The computer of one validator (or of an observer with the same kind of keys)."""
    settings = NodeSettings(
        transport_key=seat.transport_key,
        vote_key=seat.vote_key,
        listen_addresses=(f"10.0.0.{index + 1}:1",),
        bootstrap=tuple((v.transport_key, v.addresses[0]) for v in others if v.transport_key != seat.transport_key),
        entropy=standins.key("entropy", seat.name, 32),
    )
    mathematics = Mathematics(founding.seals.verify_possession, lambda key: len(key) == 32)
    room = kind(index, f"10.0.0.{index + 1}:1", founding.genesis, settings, seat.bls_key, mathematics)
    room.seals = founding.seals
    return room


def world(seed: int, count: int, storm: Storm, parameters: Parameters | None = None) -> tuple[World, Founding]:
    """A world of `count` validators, ready to start."""
    founding = found(count, parameters=parameters)
    rooms = [computer(founding, i, seat, founding.validators) for i, seat in enumerate(founding.validators)]
    return World(seed, rooms, storm, START_MS), founding
