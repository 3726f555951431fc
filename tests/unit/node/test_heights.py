"""From one height to the next: when a block is due, under which rules, and what is remembered of a height at hand."""

from dataclasses import replace

import msgspec
from tests.unit.ledger.world import validator
from tests.unit.node.requests.world import Chain

from metanode.api.node import Nothing
from metanode.chain import ibft, mempool
from metanode.chain.light import section_roots
from metanode.network.bpci import AllowPeers, Role, Stream
from metanode.node.blocks import CANDIDATES_MAX, decide, keep
from metanode.node.desk import NO_SEAT, Candidate, Desk
from metanode.node.effects import Halt, SetTimer
from metanode.node.heights import begin_height
from metanode.node.judging import JUDGED_MAX, BlockRefusal, judge
from metanode.node.pacing import DUE, pace
from metanode.node.routes import consensus
from metanode.node.talk import Letter, broadcast, seat_of
from metanode.primitives.names import Hash, Height, Millis, Round, Seat
from metanode.records.proposal import ProposalContent, check_content, proposal_content
from metanode.records.validators import Validator, ValidatorSet


def told(desk: Desk, room: str) -> list[object]:
    """What a room will hear, taken away."""
    found = [event for name, event in desk.internal if name == room]
    desk.internal.clear()
    return found


def paced(chain: Chain) -> int:
    """How long until the next block is due, 0 for at once."""
    chain.effects()
    pace(chain.desk)
    waits = [effect.delay_ms for effect in chain.effects() if isinstance(effect, SetTimer) and effect.timer == DUE]
    return waits[0] if waits else 0


def test_a_block_dated_ahead_holds_nobody_up() -> None:
    """Found by review: each block of a liar, dated `drift_ms` ahead, cost everybody those five seconds."""
    chain = Chain()
    chain.final()
    desk, period = chain.desk, chain.desk.tip.parameters.block_period_ms
    desk.ready, desk.applied_ms = True, desk.tip.timestamp_ms - 5_000
    desk.now_ms = desk.applied_ms
    assert paced(chain) == period
    desk.now_ms += period
    assert paced(chain) == 0


def test_a_clock_that_was_set_back_costs_one_period() -> None:
    chain = Chain()
    chain.final()
    desk = chain.desk
    desk.ready, desk.applied_ms = True, desk.now_ms
    desk.now_ms -= 3_600_000
    assert paced(chain) == desk.tip.parameters.block_period_ms
    desk.ready = False
    assert paced(chain) == desk.tip.parameters.empty_block_period_ms


def test_rules_that_this_program_does_not_know_end_it_before_their_height() -> None:
    """LEDGER-V5, by a vote of Q validators. Going on would execute the new rules' blocks by the old ones."""
    chain = Chain()
    chain.final()
    chain.desk.tip = replace(chain.desk.tip, rules_version=2)
    chain.effects()
    chain.desk.internal.clear()
    begin_height(chain.desk)
    (halt,) = chain.effects()
    assert isinstance(halt, Halt)
    assert "rules version 2 is due at height 2" in halt.reason
    assert told(chain.desk, "ibft") == []


def variant(candidate: Candidate, number: int) -> Candidate:
    """Another block of the same height."""
    later = replace(candidate.header, timestamp_ms=Millis(candidate.header.timestamp_ms + number))
    return replace(candidate, header=later)


def test_the_block_this_seat_is_locked_on_outlives_any_number_of_rounds() -> None:
    """Found by review: decided after many rounds, it was no longer there, and the node ended."""
    chain = Chain()
    chain.final()
    first = chain.candidate()
    chain.desk.locked = first.header.hash
    for number in range(1, 4 * CANDIDATES_MAX):
        keep(chain.desk, variant(first, number))
    assert len(chain.desk.candidates) == CANDIDATES_MAX
    decide(chain.desk, first.header.hash, chain.commit_of(first, chain.desk.tip.validators))
    assert chain.desk.tip.hash == first.header.hash


def wanting(chain: Chain, number: int) -> ProposalContent:
    """A proposed block with a transaction that nobody has."""
    base = chain.candidate()
    leaf = b"\x01" + number.to_bytes(32, "big") + bytes(32)
    empty = proposal_content(base.header, [leaf], base.body.last_commit, ())
    roots = replace(base.header, transactions_root=section_root([leaf]))
    return msgspec.structs.replace(empty, header=roots.encoded)


def section_root(leaves: list[bytes]) -> Hash:

    return section_roots(leaves, (), ()).transactions_root


def test_of_too_many_blocks_without_bodies_the_oldest_is_answered() -> None:
    """Found by review: it was forgotten without a verdict, and could never be judged again."""
    chain = Chain()
    for number in range(JUDGED_MAX + 1):
        content = wanting(chain, number)
        chain.desk.candidates.clear()
        header_hash = name_of(content)
        judge(
            chain.desk, ibft.Validate(content, header_hash, Height(1), Round(number), Seat(0), reproposed=number == 0)
        )
    verdicts = [event for event in told(chain.desk, "ibft") if isinstance(event, ibft.Validated)]
    assert [(verdict.valid, verdict.refusal) for verdict in verdicts] == [(False, BlockRefusal.GIVEN_UP)]
    assert verdicts[0].header_hash == name_of(wanting(chain, 1)), "what a quorum prepared stays"


def name_of(content: ProposalContent) -> Hash:

    return check_content(content).hash


def test_a_better_certificate_of_another_block_is_not_ours() -> None:
    chain = Chain()
    chain.final()
    first = chain.desk.tip.commit[0]
    chain.final()
    before = chain.desk.tip
    consensus.carry(chain.desk, ibft.Improved(first))
    assert chain.desk.tip == before
    better = msgspec.structs.replace(before.commit[0], validator_bitmap=b"\x0f")
    consensus.carry(chain.desk, ibft.Improved(better))
    assert chain.desk.tip.commit == (better,)


def changed_set(desk: Desk, validators: tuple[Validator, ...]) -> None:
    """The block below changed the set."""
    desk.tip = replace(desk.tip, previous_validators=desk.tip.validators, validators=ValidatorSet(validators))


def test_who_is_voted_out_stays_an_observer_and_counts_as_a_validator_nowhere() -> None:
    """BPCI-A1. Its address stands in genesis, so it may go on following the chain."""
    chain = Chain()
    desk = chain.desk
    *staying, leaving = desk.tip.validators.validators
    peers = {one.transport_key: 1 for one in desk.tip.validators.validators[1:]}
    desk.peers = peers
    desk.settings = replace(desk.settings, bootstrap=tuple((key, "host:1") for key in peers))
    desk.heights[leaving.transport_key] = 10**9
    changed_set(desk, tuple(staying))
    begin_height(desk)
    events = {name: [event for room, event in desk.internal if room == name] for name in ("bpci", "pool")}
    (allowed,) = events["bpci"]
    assert isinstance(allowed, AllowPeers)
    roles = {peer.key: peer.role for peer in allowed.peers}
    assert roles[leaving.transport_key] is Role.OBSERVER
    assert {roles[one.transport_key] for one in staying} == {Role.VALIDATOR}
    assert events["pool"] == [mempool.PeerUp(leaving.transport_key, relays=False)], "it tells nobody for us any more"
    assert seat_of(desk, leaving.transport_key) == NO_SEAT
    desk.internal.clear()
    broadcast(desk, Stream.CONSENSUS, Letter.IBFT, b"word", without=())
    assert [event.peer for _, event in desk.internal] == [one.transport_key for one in staying[1:]]
    status = chain.ask("node.status", Nothing())
    assert (status.validators_total, status.validators_reachable) == (3, 3)
    desk.behind = True
    assert "height 0 of 0" in chain.ask("node.status", Nothing()).light.reason, "its claims count no more"


def test_who_is_voted_in_hears_at_once_what_waits() -> None:
    """POOL-9. Found by review: a new validator that was connected before heard no transaction until its link broke."""
    chain = Chain()
    desk = chain.desk
    newcomer = validator(7)
    desk.peers = {newcomer.transport_key: 1, bytes(32): 1}
    changed_set(desk, (*desk.tip.validators.validators, newcomer))
    begin_height(desk)
    assert [event for room, event in desk.internal if room == "pool"] == [
        mempool.PeerUp(newcomer.transport_key, relays=True)
    ]
    desk.internal.clear()
    changed_set(desk, desk.tip.validators.validators)
    begin_height(desk)
    assert [event for room, event in desk.internal if room == "pool"] == []
