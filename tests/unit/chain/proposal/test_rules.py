"""What a block must be: built and checked by the same rules."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256

import msgspec
import pytest
from tests.unit.chain.samples import START_MS, Chain, transaction

from metanode.chain.mempool import read_transaction
from metanode.chain.proposal import (
    EMPTY_EXTENSIONS,
    EMPTY_INCLUSION,
    EMPTY_OPENINGS,
    FOREIGN,
    ProposalRefusal,
    block_timestamp,
    build_header,
    check_header,
    due_ms,
)
from metanode.primitives.merkle import Frontier
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.block import Body
from metanode.records.evidence import ConflictingCommits
from metanode.records.header import Header, read_header
from metanode.records.parameters import Parameters
from metanode.records.proposal import ProposalContent, proposal_content

LEAVES = 4


@cache
def chain() -> Chain:
    return Chain().grow().grow()


@cache
def content() -> ProposalContent:
    """Height 3 on the sample chain."""
    made = chain()
    known = [read_transaction(transaction(made.chain_id, number)) for number in range(LEAVES)]
    guilt = (ConflictingCommits(validators_hash=made.set.hash, first=made.commit(1), second=made.commit(2)),)
    body = Body(
        version=1, last_commit=(made.commit(2),), evidence=guilt, transactions=tuple(one.encoded for one in known)
    )
    header = build_header(
        version=1,
        chain_id=made.chain_id,
        height=Height(3),
        timestamp_ms=Millis(START_MS + 1_000),
        proposer=Seat(2),
        parent_hash=made.header(2).hash,
        frontier=made.frontier,
        body=body,
        leaves=[one.leaf for one in known],
        state_root=Hash(b"s" * 32),
        receipts_root=Hash(b"r" * 32),
        validators_hash=made.set.hash,
        next_validators_hash=made.set.hash,
    )
    return proposal_content(header, [one.leaf for one in known], body.last_commit, guilt)


def header() -> Header:
    return read_header(content().header)


def check(wrong: Header | None = None, of: ProposalContent | None = None, **changes: object) -> None:
    made = chain()
    values = {
        "version": 1,
        "chain_id": made.chain_id,
        "height": 3,
        "parent_hash": made.header(2).hash,
        "parent_timestamp_ms": made.header(2).timestamp_ms,
        "frontier": made.frontier,
        "validators": made.set,
        "parameters": Parameters(),
        "now_ms": START_MS + 1_000,
        "reproposed": False,
    }
    check_header(wrong or header(), of or content(), **(values | changes))  # type: ignore[arg-type]


def refused(what: Callable[[], None]) -> ProposalRefusal:
    with pytest.raises(Rejected) as rejected:
        what()
    assert isinstance(rejected.value.reason, ProposalRefusal)
    return rejected.value.reason


def test_what_is_built_is_what_is_due() -> None:
    check()


def test_empty_sections_are_pinned() -> None:
    tags = (b"metanode.oproot1", b"metanode.inroot1", b"metanode.exroot1")
    no_leaves = sha256(b"").digest()
    pinned = tuple(sha256(tag + bytes(8) + no_leaves).digest() for tag in tags)
    assert pinned == (EMPTY_OPENINGS, EMPTY_INCLUSION, EMPTY_EXTENSIONS)
    assert EMPTY_OPENINGS.hex() == "2fc4e238d57d0ce9ffeeed81024fec6daab46015e80a0612ee95baee875100a2"
    assert EMPTY_INCLUSION.hex() == "0526c93f9c4a0e4c5f1d43532bfde0e35f631ca0431248550f95b26064807e24"
    assert EMPTY_EXTENSIONS.hex() == "e75ff4570f7927c38edf7dcc4c72d826f4bbe674ed5c46acfcb6f98fc5fd376f"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"chain_id": NO_HASH}, ProposalRefusal.WRONG_CHAIN),
        ({"version": 2}, ProposalRefusal.WRONG_VERSION),
        ({"height": Height(4)}, ProposalRefusal.WRONG_HEIGHT),
        ({"parent_hash": NO_HASH}, ProposalRefusal.WRONG_PARENT),
        ({"proposer": Seat(4)}, ProposalRefusal.WRONG_PROPOSER),
        ({"timestamp_ms": Millis(START_MS + 500)}, ProposalRefusal.TOO_EARLY),
        ({"timestamp_ms": Millis(START_MS + 6_001)}, ProposalRefusal.TOO_LATE),
        ({"history_root": NO_HASH}, ProposalRefusal.WRONG_HISTORY),
        ({"validators_hash": NO_HASH}, ProposalRefusal.WRONG_VALIDATORS),
        ({"openings_root": NO_HASH}, ProposalRefusal.UNKNOWN_SECTION),
        ({"inclusion_root": EMPTY_OPENINGS}, ProposalRefusal.UNKNOWN_SECTION),
        ({"extensions_root": NO_HASH}, ProposalRefusal.UNKNOWN_SECTION),
        ({"transactions_root": NO_HASH}, ProposalRefusal.WRONG_TRANSACTIONS),
        ({"last_commit_hash": NO_HASH}, ProposalRefusal.WRONG_LAST_COMMIT),
        ({"evidence_root": NO_HASH}, ProposalRefusal.WRONG_EVIDENCE),
    ],
)
def test_a_header_that_is_not_due(change: dict[str, object], refusal: ProposalRefusal) -> None:
    assert refused(lambda: check(replace(header(), **change))) is refusal  # type: ignore[arg-type]


def test_time_is_judged_once() -> None:
    late = replace(header(), timestamp_ms=Millis(START_MS + 1_000_000))
    check(late, reproposed=True)
    check(replace(header(), timestamp_ms=Millis(START_MS + 6_000)))
    assert refused(lambda: check(replace(header(), timestamp_ms=Millis(START_MS + 500)), reproposed=True)) is (
        ProposalRefusal.TOO_EARLY
    ), "later than the parent it is always"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"leaves": b""}, ProposalRefusal.WRONG_TRANSACTIONS),
        ({"last_commit": ()}, ProposalRefusal.WRONG_LAST_COMMIT),
        ({"evidence": ()}, ProposalRefusal.WRONG_EVIDENCE),
    ],
)
def test_sections_of_another_header_are_their_deliverers_fault(
    change: dict[str, object], refusal: ProposalRefusal
) -> None:
    assert refused(lambda: check(of=msgspec.structs.replace(content(), **change))) is refusal
    assert refusal in FOREIGN
    assert ProposalRefusal.TOO_MANY not in FOREIGN


def rebuilt(**change: object) -> tuple[Header, ProposalContent]:
    """Other sections with a header that fits them."""
    other: ProposalContent = msgspec.structs.replace(content(), **change)
    leaves = [other.leaves[i : i + 65] for i in range(0, len(other.leaves), 65)]
    body = Body(version=1, last_commit=other.last_commit, evidence=other.evidence, transactions=())
    made = chain()
    fits = build_header(
        version=1,
        chain_id=made.chain_id,
        height=Height(3),
        timestamp_ms=Millis(START_MS + 1_000),
        proposer=Seat(2),
        parent_hash=made.header(2).hash,
        frontier=made.frontier,
        body=body,
        leaves=leaves,
        state_root=Hash(b"s" * 32),
        receipts_root=Hash(b"r" * 32),
        validators_hash=made.set.hash,
        next_validators_hash=made.set.hash,
    )
    return fits, other


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"leaves": b"\x02" + bytes(64)}, ProposalRefusal.UNKNOWN_KIND),
        ({"leaves": (b"\x01" + bytes(64)) * 2}, ProposalRefusal.DUPLICATE),
        ({"leaves": b"\x01" + bytes(64) + b"\x01" + bytes(32) + b"\x09" * 32}, ProposalRefusal.DUPLICATE),
        ({"last_commit": ()}, ProposalRefusal.COMMIT_MISSING),
    ],
)
def test_what_a_block_may_not_hold(change: dict[str, object], refusal: ProposalRefusal) -> None:
    assert refused(lambda: check(*rebuilt(**change))) is refusal


def test_the_same_evidence_twice() -> None:
    assert refused(lambda: check(*rebuilt(evidence=content().evidence * 2))) is ProposalRefusal.DUPLICATE


def test_as_many_transactions_as_may_be() -> None:
    check(parameters=Parameters(block_transactions_max=LEAVES))
    assert refused(lambda: check(parameters=Parameters(block_transactions_max=LEAVES - 1))) is ProposalRefusal.TOO_MANY


def test_the_first_block_carries_no_certificate() -> None:
    made = Chain()
    values = {
        "height": 1, "parent_hash": NO_HASH, "parent_timestamp_ms": START_MS, "frontier": Frontier(),
        "chain_id": made.chain_id, "validators": made.set,
    }  # fmt: skip
    made.grow()
    check(made.header(1), proposal_content(made.header(1), [], (), ()), **values)
    body = Body(version=1, last_commit=(chain().commit(1),), evidence=(), transactions=())
    wrong = build_header(
        version=1, chain_id=made.chain_id, height=Height(1), timestamp_ms=Millis(START_MS + 1), proposer=Seat(0),
        parent_hash=NO_HASH, frontier=Frontier(), body=body, leaves=[], state_root=NO_HASH, receipts_root=NO_HASH,
        validators_hash=made.set.hash, next_validators_hash=made.set.hash,
    )  # fmt: skip
    assert refused(lambda: check(wrong, proposal_content(wrong, [], body.last_commit, ()), **values)) is (
        ProposalRefusal.COMMIT_MISSING
    )


def test_when_a_block_is_due() -> None:
    parameters = Parameters(block_period_ms=250, empty_block_period_ms=5_000)
    assert due_ms(1_000, parameters, waiting=True) == 1_250
    assert due_ms(1_000, parameters, waiting=False) == 6_000
    assert due_ms(1_000, Parameters(block_period_ms=0), waiting=True) == 1_000
    assert due_ms(1_000, Parameters(block_period_ms=9_000), waiting=False) == 10_000, "never before a block's period"


def test_the_time_of_a_block() -> None:
    assert block_timestamp(1_000, 5_000) == 5_000
    assert block_timestamp(5_000, 1_000) == 5_001, "clocks behind the parent do not stop the chain"
