"""One node's memory of a small chain: blocks executed by the real ledger, headers by the real rules, pretend seals."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import pytest
from tests.unit.ledger.world import MATHEMATICS, START_MS, World, key, make_genesis

from metanode.api.node import NodeStatus, Nothing
from metanode.chain.bls import commit_claim
from metanode.chain.mempool import CheckSignatures as PoolCheckSignatures
from metanode.chain.mempool import Mempool, PoolLimits
from metanode.chain.mempool import SignaturesChecked as PoolSignaturesChecked
from metanode.chain.mempool import Submitted as PoolSubmitted
from metanode.chain.proposal import build_header
from metanode.ledger import BlockInput, Ledger
from metanode.ledger.queries import current_parameters, current_rules_version, current_validators
from metanode.node.accounts import PoolAccounts
from metanode.node.blocks import apply, keep
from metanode.node.boot import first_rows
from metanode.node.desk import Candidate, Desk, Tip
from metanode.node.effects import Answer, AppendBlock, Effect, WriteStore
from metanode.node.modules import MODULES as STATE_MODULES
from metanode.node.requests import answer
from metanode.node.settings import NodeSettings
from metanode.node.shelf import Shelf
from metanode.node.storage import StateRows
from metanode.primitives.bitmap import encode as bitmap
from metanode.primitives.merkle import Frontier
from metanode.primitives.names import NO_HASH, Height, Millis, Seat
from metanode.records.block import Body, KnownTransaction
from metanode.records.calls import Action, Call, GovernancePropose, GovernanceVote
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence
from metanode.records.genesis import Genesis, genesis_hash
from metanode.records.validators import ValidatorSet


class Rows:
    """The store as a dictionary."""

    def __init__(self, values: Mapping[bytes, bytes | None]) -> None:
        self.values = {k: v for k, v in values.items() if v is not None}

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted(row for row in self.values.items() if row[0].startswith(prefix) and row[0] >= start))

    def write(self, rows: Mapping[bytes, bytes | None]) -> None:
        for name, value in rows.items():
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value


class Blocks:
    """The block log as a dictionary."""

    def __init__(self) -> None:
        self.blocks: dict[int, bytes] = {}

    @property
    def first(self) -> int:
        return min(self.blocks, default=0)

    @property
    def last(self) -> int:
        return max(self.blocks, default=0)

    def block(self, height: int) -> bytes | None:
        return self.blocks.get(height)


def seal(keys: Sequence[bytes], message: bytes) -> bytes:
    """What stands for an aggregate signature."""
    return sha256(b"".join(sorted(keys)) + message).digest() * 3


def pairing(keys: Sequence[bytes], message: bytes, aggregate: bytes) -> bool:
    """What stands for checking one."""
    return aggregate == seal(keys, message)


class Chain:
    """Makes transactions, makes them final, and asks the node about them."""

    def __init__(self, genesis: Genesis | None = None, *, node: int = 0) -> None:
        self.genesis = genesis or make_genesis()
        self.rows = Rows(first_rows(self.genesis))
        self.blocks = Blocks()
        ledger = Ledger(self.genesis, StateRows(self.rows), Height(0), NO_HASH, MATHEMATICS, STATE_MODULES)
        validators = current_validators(ledger)
        tip = Tip(
            height=Height(0),
            hash=NO_HASH,
            timestamp_ms=START_MS,
            header=(),
            commit=(),
            frontier=Frontier(),
            previous_validators=validators,
            validators=validators,
            parameters=current_parameters(ledger),
            rules_version=current_rules_version(ledger),
        )
        settings = NodeSettings(
            transport_key=key(f"validator-{node} transport"),
            vote_key=key(f"validator-{node} vote"),
            listen_addresses=(),
            bootstrap=(),
        )
        self.desk = Desk(self.genesis, genesis_hash(self.genesis), settings, self.rows, self.blocks, ledger, tip)
        self.desk.now_ms = self.desk.started_ms = START_MS
        self.desk.booted = self.desk.may_vote = True
        self.pool = Mempool(self.desk.chain_id, tip.parameters, PoolAccounts(lambda: ledger), PoolLimits(), START_MS)
        self.wallet = World(self.genesis)
        self.wallet.ledger = ledger

    def transaction(self, sender: str, *calls: Call, **changes: Any) -> KnownTransaction:
        """Signed by its sender, next in its lane on the final state."""
        return self.wallet.transaction(sender, *calls, **changes)

    def candidate(self, *transactions: KnownTransaction, evidence: tuple[Evidence, ...] = ()) -> Candidate:
        """A block of the next height, executed and kept, not decided."""
        desk, tip = self.desk, self.desk.tip
        height, timestamp_ms = Height(tip.height + 1), Millis(tip.timestamp_ms + 1_000)
        proposer = Seat(tip.height % len(tip.validators))
        execution = desk.ledger.execute(tip.hash, BlockInput(height, timestamp_ms, proposer, evidence, transactions))
        assert execution.refused_transactions == ()
        assert execution.refused_evidence == ()
        body = Body(
            version=1,
            last_commit=tip.commit,
            evidence=evidence,
            transactions=tuple(known.encoded for known in transactions),
        )
        header = build_header(
            version=tip.rules_version,
            chain_id=desk.chain_id,
            height=height,
            timestamp_ms=timestamp_ms,
            proposer=proposer,
            parent_hash=tip.hash,
            frontier=tip.frontier,
            body=body,
            leaves=[known.leaf for known in transactions],
            state_root=execution.state_root,
            receipts_root=execution.receipts_root,
            validators_hash=tip.validators.hash,
            next_validators_hash=execution.validators.hash,
        )
        candidate = Candidate(header, body, transactions, execution)
        keep(desk, candidate)
        return candidate

    def commit_of(self, candidate: Candidate, validators: ValidatorSet) -> BlsCommit:
        """The certificate of the first quorum of seats."""
        header = candidate.header
        unsealed = BlsCommit(
            version=1,
            height=header.height,
            round=0,
            header_hash=header.hash,
            validator_bitmap=bitmap(range(validators.quorum), len(validators)),
            aggregate_signature=bytes(96),
        )
        keys, message, _ = commit_claim(unsealed, validators, header.chain_id)
        return BlsCommit(
            version=1,
            height=header.height,
            round=0,
            header_hash=header.hash,
            validator_bitmap=unsealed.validator_bitmap,
            aggregate_signature=seal(keys, message),
        )

    def final(self, *transactions: KnownTransaction, evidence: tuple[Evidence, ...] = ()) -> Candidate:
        """A block of the next height, final and stored, a second after its parent."""
        candidate = self.candidate(*transactions, evidence=evidence)
        apply(self.desk, candidate, self.commit_of(candidate, self.desk.tip.validators), append=True)
        for effect in self.effects():
            match effect:
                case WriteStore(_, rows):
                    self.rows.write(rows)
                case AppendBlock(height, block):
                    self.blocks.blocks[height] = block
                case _:
                    pass
        self.desk.ledger.settle(candidate.header.height)
        while self.desk.internal:
            room, event = self.desk.internal.popleft()
            if room == "pool":
                self.pool.handle(event)
        self.desk.now_ms = candidate.header.timestamp_ms
        self.wallet.now_ms = candidate.header.timestamp_ms
        return candidate

    def wait_in_pool(self, *transactions: KnownTransaction) -> None:
        """Put these into the pool, their signatures checked."""
        effects = self.pool.handle(PoolSubmitted(self.desk.now_ms, 1, tuple(known.encoded for known in transactions)))
        for effect in effects:
            if isinstance(effect, PoolCheckSignatures):
                self.pool.handle(PoolSignaturesChecked(self.desk.now_ms, effect.token, (True,) * len(effect.items)))

    def effects(self) -> list[Effect]:
        """What has left since the last look."""
        effects, self.desk.out = self.desk.out, []
        return effects

    def ask(self, method: str, arguments: Any) -> Any:
        """The answer to one question that asks nothing of the host."""
        answer(self.desk, self.pool, 7, method, arguments)
        (effect,) = self.effects()
        assert isinstance(effect, Answer)
        assert effect.request == 7
        return effect.answer

    def ask_reading(self, method: str, arguments: Any, bytes_max: int) -> Any:
        """The answer to one question by a node that reads at most so many bytes for a page."""
        with pytest.MonkeyPatch.context() as patch:
            for room in ("blocks", "headers", "receipts", "event_pages"):
                patch.setattr(f"metanode.node.requests.{room}.READ_BYTES_MAX", bytes_max)
            return self.ask(method, arguments)

    @classmethod
    def again(cls, other: "Chain") -> "Chain":
        """The same node after a restart: nothing on its shelf."""
        other.desk.shelf = Shelf(other.rows, other.blocks)
        return other

    def ask_status(self) -> NodeStatus:
        """The status, all validators connected."""
        self.desk.peers = {one.transport_key: 1 for one in self.desk.tip.validators.validators[1:]}
        status = self.ask("node.status", Nothing())
        assert isinstance(status, NodeStatus)
        return status

    def answer_only(self, method: str, arguments: Any) -> Any:
        """The answer to one question, whatever else it lets leave."""
        answer(self.desk, self.pool, 7, method, arguments)
        (answered,) = (effect.answer for effect in self.effects() if isinstance(effect, Answer))
        return answered

    def vote_in(self, action: Action) -> Candidate:
        """Propose as the first operator, approve as all others; the block that applied it."""
        proposed = self.final(self.transaction("operator-0", GovernancePropose(action=action)))
        number = int.from_bytes(proposed.execution.receipts[0].results[0], "big")
        call = GovernanceVote(proposal=number, approve=True)
        operators = range(1, self.desk.tip.validators.quorum)
        return self.final(*(self.transaction(f"operator-{one}", call) for one in operators))
