"""A small real chain for tests: real keys, real signatures, real roots; only the state is made up."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256

from metanode.chain.light import HeaderBasis, section_roots
from metanode.chain.mempool import read_transaction
from metanode.primitives import bitmap, bls, ed25519
from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import Frontier, GrowingTree, counted_root, inclusion_proof
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Round, Seat
from metanode.records.address import address_of_key
from metanode.records.amount import amount_bytes
from metanode.records.block import Body, FinalBlock, KnownTransaction, final_block
from metanode.records.calls import CoinTransfer
from metanode.records.commit import BlsCommit, commit_signing_bytes
from metanode.records.genesis import (
    MODULES,
    Genesis,
    GenesisAccount,
    GenesisBalance,
    GenesisCoin,
    genesis_hash,
)
from metanode.records.header import Header
from metanode.records.parameters import Parameters
from metanode.records.receipt import Event, FeePaid, Receipt, Status, TransactionOrigin, receipt_bytes, receipt_leaf
from metanode.records.receipt_file import HistoryStep, ReceiptStep, SetChangeStep
from metanode.records.transaction import Authorization, SignedTransaction, Transaction, identity
from metanode.records.validators import Validator, ValidatorList, ValidatorSet

START_MS = 1_700_000_000_000


def secret(kind: str, number: int) -> bytes:
    return sha256(f"{kind} {number}".encode()).digest()


def bls_secret(number: int) -> bytes:
    return (int.from_bytes(secret("bls", number), "big") % bls.GROUP_ORDER).to_bytes(32, "big")


@cache
def validator(number: int) -> Validator:
    bls_key = bls.public_key(bls_secret(number))
    return Validator(
        name=f"validator-{number}",
        transport_key=ed25519.public_key(secret("transport", number)),
        vote_key=ed25519.public_key(secret("vote", number)),
        bls_key=bls_key,
        possession=bls.prove_possession(bls_secret(number)),
        operator=address_of_key(ed25519.public_key(secret("operator", number))),
        addresses=(f"10.0.0.{number}:1",),
    )


@cache
def validators(*numbers: int) -> ValidatorSet:
    return ValidatorSet(tuple(validator(number) for number in numbers))


@dataclass(frozen=True)
class Person:
    number: int

    @property
    def seed(self) -> bytes:
        return secret("person", self.number)

    @property
    def key(self) -> bytes:
        return ed25519.public_key(self.seed)

    @property
    def address(self) -> bytes:
        return address_of_key(self.key)


def transaction(
    chain_id: bytes,
    number: int = 0,
    *,
    nonce: int = 0,
    lane: int = 0,
    fee: int = 0,
    expires_ms: int = START_MS + 300_000,
    work_limit: int = 1_000,
    memo: str = "",
    signed: bool = True,
) -> bytes:
    person = Person(number)
    unsigned = Transaction(
        version=1,
        chain_id=chain_id,
        sender=person.address,
        lane=lane,
        nonce=nonce,
        expires_ms=expires_ms,
        fee=amount_bytes(fee),
        work_limit=work_limit,
        calls=(CoinTransfer(coin="USD", to=Person(99).address, amount=b"\x01"),),
        memo=memo,
    )
    signature = ed25519.sign(person.seed, identity(unsigned)) if signed else bytes(64)
    authorization = Authorization(kind=1, key=person.key, signature=signature)
    return encode(SignedTransaction(version=1, transaction=unsigned, authorizations=(authorization,)))


def genesis(*numbers: int, name: str = "sample") -> Genesis:
    person = Person(0)
    return Genesis(
        version=1,
        name=name,
        rules_version=1,
        development=True,
        started_ms=START_MS,
        parameters=Parameters(),
        modules=MODULES,
        fee_coin="USD",
        validators=tuple(validator(number) for number in numbers),
        accounts=(
            GenesisAccount(
                name="person",
                address=person.address,
                keys=(person.key,),
                threshold=1,
                roles=(),
                balances=(GenesisBalance(coin="USD", amount=b"\x64"),),
            ),
        ),
        coins=(GenesisCoin(coin="USD", decimals=2, issuer=person.address, minters=(), supply_max=b""),),
    )


def commit_of(header: Header, signers: Sequence[int], seats: Sequence[int], round_: int = 0) -> BlsCommit:
    """The certificate of a header by the validators of these numbers, who have these seats."""
    message = commit_signing_bytes(header.chain_id, header.validators_hash, header.height, Round(round_), header.hash)
    shares = [bls.sign(bls_secret(number), message) for number in signers]
    size = len(set_numbers(header.validators_hash))
    return BlsCommit(
        version=1,
        height=header.height,
        round=round_,
        header_hash=header.hash,
        validator_bitmap=bitmap.encode(seats, size),
        aggregate_signature=bls.aggregate(shares),
    )


_SETS: dict[bytes, tuple[int, ...]] = {}


def set_of(*numbers: int) -> ValidatorSet:
    found = validators(*numbers)
    _SETS[found.hash] = numbers
    return found


def set_numbers(validators_hash: bytes) -> tuple[int, ...]:
    return _SETS[validators_hash]


@dataclass
class Chain:
    """Blocks on blocks, each with a receipt a transaction. `numbers`: the validators that sign the next height."""

    numbers: tuple[int, ...] = (1, 2, 3, 4)
    name: str = "sample"
    blocks: list[FinalBlock] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    receipts: list[list[bytes]] = field(default_factory=list)
    tree: GrowingTree = field(default_factory=GrowingTree)
    frontier: Frontier = field(default_factory=Frontier)

    def __post_init__(self) -> None:
        self.genesis = genesis(*self.numbers, name=self.name)
        self.chain_id = genesis_hash(self.genesis)
        self.set = set_of(*self.numbers)

    def grow(
        self,
        transactions: Sequence[bytes] = (),
        next_numbers: tuple[int, ...] | None = None,
        *,
        after_ms: int = 250,
        fork: str = "",
        state_root: bytes = b"",
        events: Sequence[Event] = (),
    ) -> "Chain":
        """One more block; `fork` makes its state another one, `state_root` a real one; `events`: of each receipt."""
        known = [read_transaction(encoded) for encoded in transactions]
        height = len(self.blocks) + 1
        following = set_of(*(next_numbers or self.numbers))
        before = self.headers[-1] if self.headers else None
        body = Body(
            version=1,
            last_commit=(self.blocks[-1].commit,) if self.blocks else (),
            evidence=(),
            transactions=tuple(one.encoded for one in known),
        )
        receipts = [receipt_of(one, height, index, events) for index, one in enumerate(known)]
        roots = section_roots([one.leaf for one in known], body.last_commit, ())
        header = Header(
            version=1,
            chain_id=self.chain_id,
            height=Height(height),
            timestamp_ms=Millis((before.timestamp_ms if before else START_MS) + after_ms),
            proposer=Seat(0),
            parent_hash=before.hash if before else NO_HASH,
            last_commit_hash=roots.last_commit_hash,
            transactions_root=roots.transactions_root,
            openings_root=counted_root(Tag.OPENINGS_ROOT, ()),
            inclusion_root=counted_root(Tag.INCLUSION_ROOT, ()),
            evidence_root=roots.evidence_root,
            state_root=Hash(state_root or sha256(f"state {height} {fork}".encode()).digest()),
            receipts_root=counted_root(Tag.RECEIPTS_ROOT, [receipt_leaf(one) for one in receipts]),
            history_root=self.frontier.counted_root(Tag.HISTORY_ROOT),
            validators_hash=self.set.hash,
            next_validators_hash=following.hash,
            extensions_root=counted_root(Tag.EXTENSIONS_ROOT, ()),
        )
        quorum = range(self.set.quorum)
        commit = commit_of(header, [self.numbers[seat] for seat in quorum], quorum)
        self.blocks.append(final_block(header, commit, body))
        self.headers.append(header)
        self.receipts.append(receipts)
        self.frontier = self.frontier.append(header.hash)
        self.tree.append(header.hash)
        if next_numbers is not None:
            self.numbers, self.set = next_numbers, following
        return self

    def header(self, height: int) -> Header:
        return self.headers[height - 1]

    def commit(self, height: int) -> BlsCommit:
        return self.blocks[height - 1].commit

    def set_at(self, height: int) -> ValidatorSet:
        return set_of(*set_numbers(self.header(height).validators_hash))

    def next_set(self, height: int) -> ValidatorSet:
        return set_of(*set_numbers(self.header(height).next_validators_hash))

    def receipt_step(self, height: int, index: int) -> ReceiptStep:
        leaves = [receipt_leaf(one) for one in self.receipts[height - 1]]
        return ReceiptStep(
            receipt=self.receipts[height - 1][index],
            index=index,
            size=len(leaves),
            path=inclusion_proof(leaves, index),
        )

    def set_change_step(self, height: int) -> SetChangeStep:
        return SetChangeStep(
            header=self.header(height).encoded,
            commit=self.commit(height),
            next_validators=ValidatorList(version=1, validators=self.next_set(height).validators),
        )

    def history_step(self, height: int, later: int) -> HistoryStep:
        return HistoryStep(
            header=self.header(later).encoded, size=later - 1, path=self.tree.inclusion_proof(height - 1, later - 1)
        )

    def basis(self, height: int) -> HeaderBasis:
        return HeaderBasis(self.header(height), self.next_set(height), Parameters().trusting_period_ms)


def receipt_of(known: KnownTransaction, height: int, index: int, events: Sequence[Event] = ()) -> bytes:
    return receipt_bytes(
        Receipt(
            version=1,
            height=height,
            index=index,
            origin=TransactionOrigin(identity=known.identity, authorizations_digest=known.authorizations_digest),
            status=Status.SUCCEEDED,
            code="",
            work=100,
            events=(FeePaid(account=known.signed.transaction.sender, amount=b""), *events),
            results=(),
        )
    )
