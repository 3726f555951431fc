"""A small chain for tests of the ledger: four validators with operators, three people, one coin. No real signatures."""

from hashlib import sha256

from metanode.ledger import BlockInput, Execution, Ledger, Mathematics, MemoryReader, genesis_state
from metanode.node.modules import MODULES as STATE_MODULES
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Address, Hash, Height, Millis, Seat
from metanode.records.address import address_of_key
from metanode.records.amount import amount_bytes
from metanode.records.block import KnownTransaction
from metanode.records.calls import AddValidator, Call
from metanode.records.evidence import Evidence
from metanode.records.genesis import MODULES, Genesis, GenesisAccount, GenesisBalance, GenesisCoin, genesis_hash
from metanode.records.parameters import Parameters
from metanode.records.transaction import (
    Authorization,
    SignedTransaction,
    Transaction,
    authorizations_digest,
    identity,
)
from metanode.records.validators import Validator

START_MS = 1_700_000_000_000
PEOPLE = ("alice", "bob", "carol")
STRANGER = "stranger"


def key(name: str) -> bytes:
    return sha256(b"key of " + name.encode()).digest()


def address(name: str) -> Address:
    return address_of_key(key(name))


def validator(number: int) -> Validator:
    name = f"validator-{number}"
    return Validator(
        name=name,
        transport_key=key(f"{name} transport"),
        vote_key=key(f"{name} vote"),
        bls_key=b"\x80" + key(f"{name} bls") + bytes(15),
        possession=possession(b"\x80" + key(f"{name} bls") + bytes(15)),
        operator=address(f"operator-{number}"),
        addresses=(f"127.0.0.1:{26_600 + number}",),
    )


def possession(bls_key: bytes) -> bytes:
    """What the stand-in of `verify_possession` accepts."""
    return sha256(bls_key).digest() * 3


def adding(number: int) -> AddValidator:
    """The action that gives this validator a seat."""
    new = validator(number)
    return AddValidator(
        name=new.name,
        transport_key=new.transport_key,
        vote_key=new.vote_key,
        bls_key=new.bls_key,
        possession=new.possession,
        operator=new.operator,
        addresses=new.addresses,
    )


MATHEMATICS = Mathematics(
    verify_possession=lambda bls_key, proof: proof == possession(bls_key),
    is_account_key=lambda public_key: public_key != bytes(32),
)


def account(name: str, amount: int, roles: tuple[str, ...] = ()) -> GenesisAccount:
    balances = (GenesisBalance(coin="BPI", amount=amount_bytes(amount)),) if amount else ()
    return GenesisAccount(
        name=name, address=address(name), keys=(key(name),), threshold=1, roles=roles, balances=balances
    )


def make_genesis(validators: int = 4, parameters: Parameters | None = None) -> Genesis:
    operators = [account(f"operator-{number}", 0) for number in range(validators)]
    people = [account("alice", 1_000, ("root",)), account("bob", 1_000), account("carol", 0)]
    coin = GenesisCoin(
        coin="BPI", decimals=2, issuer=address("alice"), minters=(address("alice"),), supply_max=amount_bytes(5_000)
    )
    return Genesis(
        version=1,
        name="test",
        rules_version=1,
        development=True,
        started_ms=START_MS,
        parameters=parameters or Parameters(),
        modules=MODULES,
        fee_coin="BPI",
        validators=tuple(validator(number) for number in range(validators)),
        accounts=(*operators, *people),
        coins=(coin,),
    )


class World:
    """A ledger on a memory store, and the means to make transactions for it."""

    def __init__(self, genesis: Genesis | None = None) -> None:
        self.genesis = genesis or make_genesis()
        self.chain_id = genesis_hash(self.genesis)
        self.reader = MemoryReader(genesis_state(self.genesis, STATE_MODULES))
        self.ledger = Ledger(self.genesis, self.reader, Height(0), NO_HASH, MATHEMATICS, STATE_MODULES)
        self.now_ms = START_MS

    def transaction(
        self,
        sender: str,
        *calls: Call,
        nonce: int | None = None,
        lane: int = 0,
        fee: int = 0,
        signers: tuple[str, ...] | None = None,
        **changes: object,
    ) -> KnownTransaction:
        """Signed by its sender, next in its lane, unless said otherwise; `changes` replace its fields."""
        if nonce is None:
            nonce = self.ledger.account_views((address(sender),))[0].next_nonce(lane)
        transaction = Transaction(
            version=1,
            chain_id=self.chain_id,
            sender=address(sender),
            lane=lane,
            nonce=nonce,
            expires_ms=self.now_ms + 60_000,
            fee=amount_bytes(fee),
            work_limit=10_000,
            calls=calls,
            memo="",
        )
        return known(changed(transaction, **changes), tuple(sorted(key(name) for name in signers or (sender,))))

    def block(
        self,
        *transactions: KnownTransaction,
        evidence: tuple[Evidence, ...] = (),
        later_ms: int = 1_000,
        above: int = 1,
    ) -> BlockInput:
        """The input of a block `above` the tip."""
        height, _, _ = self.ledger.tip
        return BlockInput(
            height=Height(height + above),
            timestamp_ms=Millis(self.now_ms + later_ms),
            proposer=Seat(0),
            evidence=evidence,
            transactions=transactions,
        )

    def execute(
        self, *transactions: KnownTransaction, evidence: tuple[Evidence, ...] = (), later_ms: int = 1_000
    ) -> Execution:
        """Execute a block on the tip, and change nothing."""
        block = self.block(*transactions, evidence=evidence, later_ms=later_ms)
        return self.ledger.execute(self.ledger.tip[1], block)

    def commit(
        self, *transactions: KnownTransaction, evidence: tuple[Evidence, ...] = (), later_ms: int = 1_000
    ) -> Execution:
        """Execute a block on the tip, make it final and store it."""
        execution = self.execute(*transactions, evidence=evidence, later_ms=later_ms)
        self.ledger.adopt(name_of(execution), execution)
        committed = self.ledger.commit(name_of(execution))
        self.reader.apply(committed.writes)
        self.ledger.settle(committed.height)
        self.now_ms += later_ms
        return committed


def changed(transaction: Transaction, **changes: object) -> Transaction:
    """The same with other fields, whatever their values."""
    fields = {name: getattr(transaction, name) for name in transaction.__struct_fields__}
    return Transaction(**{**fields, **changes})


def known(
    transaction: Transaction, keys: tuple[bytes, ...], *, kind: int = 1, signature: bytes = bytes(64)
) -> KnownTransaction:
    authorizations = tuple(Authorization(kind=kind, key=one, signature=signature) for one in keys)
    signed = SignedTransaction(version=1, transaction=transaction, authorizations=authorizations)
    return KnownTransaction(
        encoded=encode(signed),
        signed=signed,
        identity=identity(transaction),
        authorizations_digest=authorizations_digest(authorizations),
    )


def name_of(execution: Execution) -> Hash:
    """Stands for the header hash: names parent, height, time and results."""
    parts = (execution.parent, execution.state_root, execution.receipts_root, b"%d" % execution.timestamp_ms)
    return Hash(sha256(b"".join(parts)).digest())
