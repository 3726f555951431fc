"""What a liar among the seats, or anybody with a link, may send: named attacks, each found by reading."""

import msgspec
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import (
    CHAIN,
    certificate,
    check_aggregates,
    check_signatures,
    commit,
    content,
    vote,
)
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import guard, ibft
from metanode.chain.evidence import JustificationRefusal
from metanode.chain.ibft import IbftRefusal, intake
from metanode.chain.ibft.state import ACCUSED_MAX, ROUNDS_AHEAD_MAX
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Seat
from metanode.records.commit import CommitRefusal
from metanode.records.evidence import EVIDENCE_BYTES_MAX
from metanode.records.proposal import ProposalContent
from metanode.records.vote import JUSTIFICATION_BYTES_MAX, Justification, Vote, VoteKind, justification_digest


def alone(seat: int = 3) -> tuple[Cluster, ibft.Ibft]:
    """One honest machine among seats for whom the test speaks."""
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, seat))
    return cluster, machine


def hear(machine: ibft.Ibft, message: ibft.Message, origin: int, size: int = 0) -> list[ibft.Effect]:
    """A message, its signatures checked honestly, and all that follows."""
    effects = machine.handle(ibft.Received(0, message, Seat(origin), size))
    for effect in effects:
        if isinstance(effect, ibft.CheckSignatures):
            effects += machine.handle(ibft.SignaturesChecked(0, effect.token, check_signatures(effect.items)))
        elif isinstance(effect, ibft.CheckAggregates):
            effects += machine.handle(ibft.AggregatesChecked(0, effect.token, check_aggregates(effect.items)))
    return effects


def altered(block: ProposalContent) -> ProposalContent:
    """The same header over other leaves."""
    return msgspec.structs.replace(block, leaves=b"\x02" * 65)


def test_a_decision_in_a_round_beyond_32_bits_is_refused() -> None:
    """What is signed has fixed widths: a number that does not fit was an exception, and the node ended."""
    cluster, machine = alone()
    block = content(cluster.members, 0)
    signed = commit(cluster.members, [0, 1, 2], hash_of(block))
    for round_ in (1 << 32, -1):
        bent = msgspec.structs.replace(signed, round=round_)
        effects = hear(machine, ibft.Decided(commit=bent, header=block.header), 1)
        assert [blame.refusal for blame in of(effects, ibft.Blame)] == [CommitRefusal.OUT_OF_RANGE]


def test_a_question_is_not_echoed_at_any_length() -> None:
    """An answer longer than its question could pass the bound of the transport, which nothing ever should."""
    _, machine = alone()
    effects = hear(machine, guard.LastWordAsked(vote_key=bytes(1 << 20)), 1)
    assert [blame.refusal for blame in of(effects, ibft.Blame)] == [IbftRefusal.WRONG_KIND]
    assert of(effects, ibft.SendTo) == []


def long_winded(cluster: Cluster, round_: int) -> ibft.Proposal:
    """A leader signs over a justification that is far too long."""
    seat, block = round_ % 4, content(cluster.members, round_ % 4)
    one = change(cluster.members, 0, round_).vote
    why = Justification(round_changes=(one,) * 500, certificates=())
    digest = justification_digest(why)
    word = vote(cluster.members, VoteKind.PROPOSAL, seat, hash_of(block), round_=round_, attachment=digest)
    return ibft.Proposal(vote=word, content=block, justification=why)


def test_a_justification_too_long_to_be_shown_around_is_no_evidence() -> None:
    """Every honest seat would have sent it on as evidence: longer than a message may be, it ended them all."""
    cluster, machine = alone()
    message = long_winded(cluster, 1)
    assert len(encode(message.justification)) > JUSTIFICATION_BYTES_MAX
    effects = hear(machine, message, 1)
    assert [blame.refusal for blame in of(effects, ibft.Blame)] == [JustificationRefusal.TOO_LARGE]
    assert of(effects, ibft.Accuse) == []


def test_every_accusation_fits_what_carries_it() -> None:
    """The longest justification that is still looked at makes evidence that a peer takes."""
    cluster, machine = alone()
    one = change(cluster.members, 0, 1).vote
    why = Justification(round_changes=(one,) * (JUSTIFICATION_BYTES_MAX // len(encode(one)) - 1), certificates=())
    block = content(cluster.members, 1)
    word = vote(cluster.members, VoteKind.PROPOSAL, 1, hash_of(block), round_=1, attachment=justification_digest(why))
    (accused,) = of(hear(machine, ibft.Proposal(vote=word, content=block, justification=why), 1), ibft.Accuse)
    assert JUSTIFICATION_BYTES_MAX - 1_000 < len(encode(accused.evidence)) <= EVIDENCE_BYTES_MAX


def test_unjustified_proposals_of_far_rounds_are_not_collected() -> None:
    """A liar leads every n-th round of four thousand million."""
    cluster, machine = alone()
    round_ = 1 + 4 * ROUNDS_AHEAD_MAX
    block = content(cluster.members, round_ % 4)
    effects = hear(machine, proposal(cluster.members, round_ % 4, block, [], round_=round_), 1)
    assert of(effects, ibft.Accuse) == []
    assert [blame.refusal for blame in of(effects, ibft.Blame)] == [JustificationRefusal.UNJUSTIFIED]


def test_one_liar_fills_no_memory_with_its_own_guilt() -> None:
    """A COMMIT, then ROUND-CHANGEs that hide it, to one round after another: each convicts, a few are enough."""
    cluster, machine = alone()
    x = hash_of(content(cluster.members, 0))
    effects = hear(machine, ibft.Ballot(vote=vote(cluster.members, VoteKind.COMMIT, 1, x)), 1)
    for round_ in range(1, 1_000, 7):
        effects += hear(machine, change(cluster.members, 1, round_), 1)
    assert len(of(effects, ibft.Accuse)) == ACCUSED_MAX
    second = [ibft.Ballot(vote=vote(cluster.members, VoteKind.PREPARE, 1, bytes([value]) * 32)) for value in (1, 2, 3)]
    hear(machine, second[0], 1)
    assert state_of(machine).votes[VoteKind.PREPARE, 0] == {1: second[0].vote}, "its first word counts like any"
    assert [hear(machine, word, 1) for word in second[1:]] == [[], []], "not even its signature is looked at"


def test_words_of_coming_heights_count_by_their_bytes() -> None:
    """Fields that nobody has looked at yet: 64 votes with shares of two megabytes each were kept for one link.
    A buffer that counts messages is not bounded."""
    cluster, machine = alone()
    bloated = msgspec.structs.replace(
        vote(cluster.members, VoteKind.PREPARE, 1, NO_HASH, height=2), seal=bytes(2 << 20)
    )
    refusals = []
    for _ in range(intake.AHEAD_MAX):
        effects = hear(machine, ibft.Ballot(vote=bloated), 1, size=2 << 20)
        refusals += [blame.refusal for blame in of(effects, ibft.Blame)]
    kept = intake.AHEAD_MAX - len(refusals)
    assert refusals == [IbftRefusal.FLOODING] * len(refusals)
    assert kept * (2 << 20) <= intake.AHEAD_BYTES_MAX


def test_sections_swapped_by_who_passes_them_on_are_asked_of_the_leader() -> None:
    """The liar was faster than the leader: it is blamed, and the leader's own proposal, sent again, is taken."""
    cluster, machine = alone()
    block = content(cluster.members, 0)
    word = proposal(cluster.members, 0, block, [], round_=0)
    effects = hear(machine, msgspec.structs.replace(word, content=altered(block)), 2)
    (asked,) = of(effects, ibft.Validate)
    effects = machine.handle(ibft.Validated(0, asked.header_hash, valid=False, refusal="x", foreign=True))
    assert of(effects, ibft.Blame) == [ibft.Blame(Seat(2), IbftRefusal.UNFIT_BLOCK, "x")]
    assert [effect.seat for effect in of(effects, ibft.SendTo)] == [0]
    effects = hear(machine, word, 0)
    assert [effect.content for effect in of(effects, ibft.Validate)] == [block]
    effects = machine.handle(ibft.Validated(0, asked.header_hash, valid=True))
    assert [effect.vote.kind for effect in of(effects, ibft.Sign)] == [VoteKind.PREPARE]


def test_a_false_answer_stops_nobody() -> None:
    """What is certified was wanted, and came with other sections: from one without a seat, so that the node took itself
    for wrong, and stopped; or from a liar with one."""
    cluster, machine = alone()
    block = content(cluster.members, 0)
    signed = commit(cluster.members, [0, 1, 2], hash_of(block))
    hear(machine, ibft.Decided(commit=signed, header=block.header), 1)
    assert hear(machine, ibft.Content(height=1, content=altered(block)), -1) == []
    effects = hear(machine, ibft.Content(height=1, content=altered(block)), 2)
    (asked,) = of(effects, ibft.Validate)
    effects = machine.handle(ibft.Validated(0, asked.header_hash, valid=False, refusal="x", foreign=True))
    assert of(effects, ibft.Diverged) == []
    assert len(of(effects, ibft.SendTo)) == 1, "the next one is asked"
    hear(machine, ibft.Content(height=1, content=block), 1)
    effects = machine.handle(ibft.Validated(0, asked.header_hash, valid=True))
    assert [effect.content for effect in of(effects, ibft.Decide)] == [block]


def test_a_leader_asks_all_who_prepared_for_a_content_only_a_liar_shows() -> None:
    """The liar alone shows the certificate, and keeps the content to itself: those who prepared have it, too."""
    cluster, machine = alone(seat=1)
    members, block = cluster.members, content(cluster.members, 0)
    shown = certificate(members, [0, 2, 3], hash_of(block))
    machine.handle(ibft.BlockDue(0))
    effects = hear(machine, change(members, 0, 1, shown), 0)
    effects += hear(machine, change(members, 2, 1), 2)
    own = next(effect for effect in effects if isinstance(effect, ibft.Sign))
    signed: Vote = vote(members, VoteKind.ROUND_CHANGE, 1, NO_HASH, round_=1)
    assert (own.vote.kind, own.vote.round) == (signed.kind, signed.round)
    effects += machine.handle(ibft.Signed(0, signed))
    for _ in range(3):
        effects += machine.handle(ibft.TimerFired(0, "ibft.resend/1/1"))
    asked = [e.seat for e in of(effects, ibft.SendTo) if isinstance(e.message, ibft.Wanted)]
    assert {0, 2, 3} <= set(asked)


def test_a_content_that_was_forgotten_is_judged_again() -> None:
    """Six leaders in a row fail; the first block comes back certified. Its execution was forgotten, too."""
    cluster, machine = alone()
    members = cluster.members
    blocks = [content(members, round_ % 4, f"{round_}") for round_ in range(7)]
    for round_, block in enumerate(blocks):
        changes = [change(members, seat, round_).vote for seat in (0, 1, 2)] if round_ else []
        effects = hear(machine, proposal(members, round_ % 4, block, changes, round_=round_), round_ % 4)
        (asked,) = of(effects, ibft.Validate)
        machine.handle(ibft.Validated(0, asked.header_hash, valid=True))
        assert list(state_of(machine).contents) == [hash_of(kept) for kept in blocks[max(0, round_ - 4) : round_ + 1]]
    signed = commit(members, [0, 1, 2], hash_of(blocks[0]))
    effects = hear(machine, ibft.Decided(commit=signed, header=blocks[0].header), 1)
    assert of(effects, ibft.Decide) == []
    effects = hear(machine, ibft.Content(height=1, content=blocks[0]), 1)
    assert [effect.reproposed for effect in of(effects, ibft.Validate)] == [True]
    effects = machine.handle(ibft.Validated(0, hash_of(blocks[0]), valid=True))
    assert [effect.header_hash for effect in of(effects, ibft.Decide)] == [hash_of(blocks[0])]
    written = [effect.record for effect in of(effects, ibft.Journal)]
    assert written == [ibft.Held(height=1, content=blocks[0]), ibft.Settled(height=1, commit=signed)], "durable anew"


def test_a_content_that_was_prepared_is_not_forgotten() -> None:
    """Six later leaders show that others prepared nothing, and fail: who has the certificate still has the block."""
    cluster, machine = alone()
    members, block = cluster.members, content(cluster.members, 0)
    hear(machine, proposal(members, 0, block, [], round_=0), 0)
    machine.handle(ibft.Validated(0, hash_of(block), valid=True))
    hear(machine, ibft.Prepared(certificate=certificate(members, [0, 1, 2], hash_of(block))), 0)
    for round_ in range(1, 7):
        changes = [change(members, seat, round_).vote for seat in (0, 1, 2)]
        later = content(members, round_ % 4, f"{round_}")
        hear(machine, proposal(members, round_ % 4, later, changes, round_=round_), round_ % 4)
    state = state_of(machine)
    assert state.prepared is not None
    assert state.contents[hash_of(block)] == block
    assert (state.round, len(state.contents)) == (6, 6)


def test_far_rounds_of_a_liar_are_not_passed_on() -> None:
    """In trouble everybody passes on what others say: one word a round, of ever other rounds, would fill every link."""
    cluster, machine = alone()
    for seat in (0, 2):
        hear(machine, change(cluster.members, seat, 1), seat)
    effects: list[ibft.Effect] = []
    for round_ in range(2, 500):
        effects += hear(machine, change(cluster.members, 1, round_), 1)
    assert 0 < len(of(effects, ibft.Relay)) <= ROUNDS_AHEAD_MAX + 1


def test_a_stranger_has_nothing_to_say_of_this_height() -> None:
    """An observer, or a validator that left: its forgeries would have to be checked, and nobody could be blamed."""
    cluster, machine = alone()
    members, block = cluster.members, content(cluster.members, 0)
    word = vote(members, VoteKind.PREPARE, 1, hash_of(block))
    for message in (
        ibft.Ballot(vote=word),
        proposal(members, 0, block, [], round_=0),
        change(members, 1, 1),
        ibft.Wanted(height=1, header_hash=NO_HASH),
        guard.LastWordAsked(vote_key=members[1].vote_key),
    ):
        assert hear(machine, message, -1) == []
    early = ibft.Ballot(vote=vote(members, VoteKind.PREPARE, 1, hash_of(block), height=2))
    assert hear(machine, early, -1) == [], "it may have a seat then"
    effects = machine.handle(cluster.begins(2, 3))
    assert [len(check.items) for check in of(effects, ibft.CheckSignatures)] == [1]


def test_words_that_came_before_a_change_of_the_set_are_blamed_on_nobody() -> None:
    """Seat 1 of the old set is another validator in the new one."""
    old, new = Cluster(4), Cluster(5)
    machine = ibft.Ibft(CHAIN)
    machine.handle(old.begins(1, 3))
    hear(machine, ibft.Ballot(vote=vote(old.members, VoteKind.PREPARE, 1, NO_HASH, height=2)), 1)
    (check,) = of(machine.handle(new.begins(2, 3)), ibft.CheckSignatures)
    effects = machine.handle(ibft.SignaturesChecked(0, check.token, (False,)))
    assert [blame.seat for blame in of(effects, ibft.Blame)] == [ibft.NO_SEAT]


def test_words_that_came_two_heights_before_are_blamed_on_nobody_either() -> None:
    """Found by the storm flood_of_messages, 7 validators, seed 0: liars were convicted and left the set, what they had
    said of the height after the next was blamed on whoever sat in their places then, and honest links were closed."""
    old, new = Cluster(4), Cluster(5)
    machine = ibft.Ibft(CHAIN)
    machine.handle(old.begins(1, 3))
    hear(machine, ibft.Ballot(vote=vote(old.members, VoteKind.PREPARE, 1, NO_HASH, height=3)), 1)
    assert machine.handle(new.begins(2, 3)) == []
    (check,) = of(machine.handle(new.begins(3, 3)), ibft.CheckSignatures)
    effects = machine.handle(ibft.SignaturesChecked(0, check.token, (False,)))
    assert [blame.seat for blame in of(effects, ibft.Blame)] == [ibft.NO_SEAT]
