"""What no test noticed when it was wrong: found by mutation testing (`python -m tests.mutation --room ibft`)."""

from typing import Any

import msgspec
import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, commit, content, signed, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_round_change import change, hash_of

from metanode.chain import guard, ibft
from metanode.chain.evidence import JustificationRefusal
from metanode.chain.ibft import IbftRefusal
from metanode.chain.ibft.answers import DECIDED_RESENDS_MAX, WORDS_SENT_MAX, Answers
from metanode.chain.ibft.intake import AHEAD_MAX, Ahead
from metanode.chain.ibft.rules import check_proposal, check_round_change
from metanode.chain.ibft.state import ROUNDS_BEHIND_MAX
from metanode.primitives.names import NO_HASH, Hash, Height, Round, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.commit import certificate_digest
from metanode.records.proposal import ProposalContent
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Justification, VoteKind, justification_digest

MEMBERS = validators(4)
BLOCK = content(MEMBERS, 0)
X = hash_of(BLOCK)
NOTHING = Justification(round_changes=(), certificates=())


def proposal_refused(**changes: Any) -> object:
    """A PROPOSAL of seat 0 in round 0, rightly signed, with some fields of the vote changed."""
    word = msgspec.structs.replace(vote(MEMBERS, VoteKind.PROPOSAL, 0, X), **changes)
    message = ibft.Proposal(vote=word, content=BLOCK, justification=NOTHING)
    with pytest.raises(Rejected) as refused:
        check_proposal(message, MEMBERS, CHAIN, Seat(0))
    return refused.value.reason


def test_a_proposal_has_the_fields_of_its_kind_and_the_header_voted_for() -> None:
    right = ibft.Proposal(vote=vote(MEMBERS, VoteKind.PROPOSAL, 0, X), content=BLOCK, justification=NOTHING)
    assert check_proposal(right, MEMBERS, CHAIN, Seat(0)).hash == X
    assert proposal_refused(kind=VoteKind.PREPARE) is IbftRefusal.WRONG_KIND
    assert proposal_refused(seal=bytes(96)) is IbftRefusal.WRONG_KIND
    assert proposal_refused(prepared_round=0) is IbftRefusal.WRONG_KIND
    assert proposal_refused(header_hash=b"\1" * 32) is IbftRefusal.WRONG_HEADER
    assert proposal_refused(seat=4) is JustificationRefusal.NOT_A_SEAT
    assert proposal_refused(seat=1) is IbftRefusal.NOT_THE_LEADER


def test_a_round_change_shows_the_certificate_of_what_it_says_it_prepared() -> None:
    """Signed over, but of another round or another value than the vote names."""
    other = hash_of(content(MEMBERS, 0, "other"))
    for round_, header_hash in ((1, X), (0, other)):
        shown = certificate(MEMBERS, [0, 1, 2], header_hash, round_=round_)
        word = vote(
            MEMBERS, VoteKind.ROUND_CHANGE, 1, X, round_=2, prepared_round=0, attachment=certificate_digest((shown,))
        )
        with pytest.raises(Rejected) as refused:
            check_round_change(ibft.RoundChange(vote=word, certificates=(shown,)), MEMBERS)
        assert refused.value.reason is JustificationRefusal.BAD_ROUND_CHANGE


def answers() -> Answers:
    made = Answers()
    made.decided(ibft.Decide(Height(1), Round(0), X, BLOCK, commit(MEMBERS, [0, 1, 2], X)), 0)
    return made


def test_an_observer_hears_of_a_decided_height_some_times_and_of_no_later_one() -> None:
    made = answers()
    later = ibft.Wanted(height=2, header_hash=NO_HASH)
    assert made.to_wanted(later, Seat(1), {}) == []
    asked = ibft.Wanted(height=1, header_hash=NO_HASH)
    told = [len(made.to_wanted(asked, Seat(1), {})) for _ in range(DECIDED_RESENDS_MAX + 2)]
    assert told == [1] * DECIDED_RESENDS_MAX + [0, 0]
    assert len(made.to_wanted(asked, Seat(2), {})) == 1


def test_nobody_is_answered_who_has_no_seat() -> None:
    made = answers()
    nothing = guard.LastWord(vote_key=MEMBERS[0].vote_key, validators_hash=NO_HASH, votes=())
    assert made.to_asked(nothing, ibft.NO_SEAT) == []
    assert made.to_wanted(ibft.Wanted(height=1, header_hash=X), ibft.NO_SEAT, {}) == []
    assert made.to_wanted(ibft.Wanted(height=1, header_hash=NO_HASH), ibft.NO_SEAT, {}) == []
    assert made.to_wanted(ibft.Wanted(height=1, header_hash=b"\1" * 32), Seat(1), {}) == []


def test_a_last_word_is_told_some_times_to_each_peer() -> None:
    made = answers()
    nothing = guard.LastWord(vote_key=MEMBERS[0].vote_key, validators_hash=NO_HASH, votes=())
    told = [len(made.to_asked(nothing, Seat(1))) for _ in range(WORDS_SENT_MAX + 2)]
    assert told == [1] * WORDS_SENT_MAX + [0, 0]


def test_what_was_taken_out_of_the_buffer_of_coming_heights_leaves_its_room() -> None:
    """A link that filled its share for one height may fill it for the next; what still waits counts on."""
    ahead, message = Ahead(), ibft.Ballot(vote=vote(MEMBERS, VoteKind.PREPARE, 1, X, height=2))
    assert all(ahead.keep(2, message, Seat(1), 1) for _ in range(AHEAD_MAX))
    assert not ahead.keep(2, message, Seat(1), 1)
    assert len(ahead.take(2, same=True)) == AHEAD_MAX
    assert all(ahead.keep(3 + number % 2, message, Seat(1), 1) for number in range(AHEAD_MAX))
    assert len(ahead.take(3, same=True)) == AHEAD_MAX // 2
    room = [ahead.keep(4, message, Seat(1), 1) for _ in range(AHEAD_MAX)]
    assert sum(room) == AHEAD_MAX // 2


def test_a_leader_asks_for_one_block_however_often_one_is_due() -> None:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 0))
    assert len(of(machine.handle(ibft.BlockDue(0)), ibft.Build)) == 1
    assert of(machine.handle(ibft.BlockDue(0)), ibft.Build) == []


def test_a_proposal_signed_after_its_round_was_left_is_not_sent() -> None:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 0))
    machine.handle(ibft.BlockDue(0))
    effects = machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK))
    effects += machine.handle(ibft.Validated(0, X, True, ""))
    (asked,) = of(effects, ibft.Sign)
    assert asked.vote.kind == VoteKind.PROPOSAL
    for seat in (1, 2):
        hear(machine, change(cluster.members, seat, 1), seat)
    late = machine.handle(ibft.Signed(0, signed(asked.vote, cluster.members)))
    assert [one for one in of(late, ibft.Broadcast) if isinstance(one.message, ibft.Proposal)] == []


def test_a_block_built_for_a_round_that_was_left_is_not_proposed() -> None:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 0))
    machine.handle(ibft.BlockDue(0))
    for seat in (1, 2):
        hear(machine, change(cluster.members, seat, 1), seat)
    effects = machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK))
    assert of(effects, ibft.Validate) == []


def test_a_block_built_twice_is_judged_once() -> None:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 0))
    machine.handle(ibft.BlockDue(0))
    assert len(of(machine.handle(ibft.Built(0, Height(1), Round(0), BLOCK)), ibft.Validate)) == 1
    other = content(cluster.members, 0, "other")
    assert of(machine.handle(ibft.Built(0, Height(1), Round(0), other)), ibft.Validate) == []


def test_votes_of_rounds_long_left_are_forgotten() -> None:
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.begin()
    word = vote(cluster.members, VoteKind.COMMIT, 1, X)
    cluster.puppet(1, ibft.Ballot(vote=word))
    cluster.pump()
    state = cluster[3].state
    assert (VoteKind.COMMIT, 0) in state.votes
    for round_ in (ROUNDS_BEHIND_MAX, ROUNDS_BEHIND_MAX + 1):
        for seat in (0, 1):
            cluster.puppet(seat, change(cluster.members, seat, round_))
        cluster.pump()
        assert state.round == round_
        kept = round_ == ROUNDS_BEHIND_MAX
        assert ((VoteKind.COMMIT, 0) in state.votes) is kept
        assert ((VoteKind.COMMIT, 0) in state.diary.arrivals) is kept
        assert ((VoteKind.COMMIT, 0, X) in state.shares) is kept


def test_what_is_of_lower_rounds_alone_is_forgotten_at_once() -> None:
    """ROUND-CHANGEs, and shares of PREPAREs; of higher rounds nothing is lost."""
    cluster = Cluster(17, puppets=tuple(range(16)))
    cluster.begin()
    members, state = cluster.members, cluster[16].state
    for round_ in (0, 1, 2):
        cluster.puppet(9, ibft.Ballot(vote=vote(members, VoteKind.PREPARE, 9, X, round_=round_)))
    for round_ in (1, 2, 3, 4):
        cluster.puppet(9, change(members, 9, round_))
    cluster.pump()
    assert sorted(state.changes) == [1, 2, 3, 4]
    for seat in range(members.faults):
        cluster.puppet(seat, change(members, seat, 2))
    cluster.pump()
    assert (state.round, sorted(state.changes)) == (2, [2, 3, 4])
    assert sorted(state.changes[2]) == [0, 1, 2, 3, 4, 9, 16], "also of who is further by now"
    assert list(state.shares) == [(VoteKind.PREPARE, 2, X)]


def test_words_are_passed_on_in_sets_of_sixteen_and_in_no_larger() -> None:
    for seats, relays in ((16, True), (17, False)):
        cluster = Cluster(seats, puppets=tuple(range(seats - 1)))
        cluster.begin()
        mine = seats - 1
        faults = cluster.members.faults
        for seat in range(faults + 1):
            cluster.puppet(seat, change(cluster.members, seat, 1), [mine])
        cluster.pump()
        assert cluster[mine].state.round == 1
        cluster.puppet(2, ibft.Ballot(vote=vote(cluster.members, VoteKind.PREPARE, 2, X, round_=1)), [mine])
        cluster.pump()
        passed = [one.message for one in cluster[mine].asked(ibft.Relay) if isinstance(one.message, ibft.Ballot)]
        assert bool(passed) is relays, seats


def forged_round_change(members: ValidatorSet, seat: int) -> ibft.RoundChange:
    """Rightly signed, but over a certificate that nobody signed, of the kind that fits the set."""
    right = certificate(members, list(range(members.quorum)), X)
    forged = msgspec.structs.replace(right, proof=tuple(bytes(len(one)) for one in right.proof))
    word = vote(
        members,
        VoteKind.ROUND_CHANGE,
        seat,
        X,
        round_=1,
        prepared_round=0,
        attachment=certificate_digest((forged,)),
    )
    return ibft.RoundChange(vote=word, certificates=(forged,))


@pytest.mark.parametrize("seats", [4, 16, 17])
def test_a_round_change_over_a_forged_certificate_counts_nowhere(seats: int) -> None:
    """Envelopes up to sixteen seats, from there on one aggregate."""
    cluster = Cluster(seats)
    machine = ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, seats - 1))
    effects = hear(machine, forged_round_change(cluster.members, 1), 1)
    assert [blame.refusal for blame in of(effects, ibft.Blame)] == [IbftRefusal.BAD_CERTIFICATE]
    assert state_of(machine).changes == {}


def test_a_signature_found_false_is_not_remembered_as_true() -> None:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 3))
    word = vote(cluster.members, VoteKind.PREPARE, 1, X)
    forged = ibft.Ballot(vote=msgspec.structs.replace(word, signature=bytes(64)))
    for _ in range(2):
        effects = hear(machine, forged, 1)
        assert [blame.refusal for blame in of(effects, ibft.Blame)] == [IbftRefusal.BAD_SIGNATURE]
    assert state_of(machine).votes == {}


@pytest.mark.parametrize("seats", [16, 17])
def test_what_a_certificate_is_made_of(seats: int) -> None:
    cluster = Cluster(seats).start()
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.pump()
    prepared = cluster[0].state.prepared
    assert prepared is not None
    assert len(prepared.proof) == (cluster.members.quorum if seats == 16 else 1)


def test_a_vote_without_a_share_has_nothing_to_seal() -> None:
    cluster = Cluster(4).start().pump()
    asked = {VoteKind(one.vote.kind): one.seal_message for one in cluster[1].asked(ibft.Sign)}
    assert asked[VoteKind.PREPARE] == b""
    assert len(asked[VoteKind.COMMIT]) == 124


@pytest.mark.parametrize("seat", [0, 1])
def test_every_seat_asks_before_it_votes(seat: int) -> None:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(ibft.Started(0, guard.read_record(b"")))
    asked = guard.LastWordAsked(vote_key=cluster.members[seat].vote_key)
    assert [one.message for one in of(machine.handle(cluster.begins(1, seat)), ibft.Broadcast)] == [asked]


def resumed(cluster: Cluster, seat: int, *records: ibft.Record) -> tuple[ibft.Ibft, list[ibft.Effect]]:
    """A machine that starts on this journal, and what it does at first."""
    machine = ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, seat))
    for record in records:
        machine.handle(ibft.Replayed(record))
    return machine, machine.handle(ibft.Resumed(0))


def asked_to_sign(effects: list[ibft.Effect]) -> list[tuple[VoteKind, int]]:
    return [(VoteKind(one.vote.kind), one.vote.round) for one in of(effects, ibft.Sign)]


HELD = ibft.Held(height=1, content=BLOCK)
ACCEPTED = ibft.Accepted(height=1, round=0, header_hash=X)
LOCKED = ibft.Locked(height=1, certificate=certificate(MEMBERS, [0, 1, 2], X))


def test_the_last_step_before_a_stop_is_signed_again() -> None:
    cluster = Cluster(4)
    assert asked_to_sign(resumed(cluster, 1)[1]) == []
    assert asked_to_sign(resumed(cluster, 1, HELD, ACCEPTED)[1]) == [(VoteKind.PREPARE, 0)]
    assert asked_to_sign(resumed(cluster, 1, HELD, ACCEPTED, LOCKED)[1]) == [(VoteKind.COMMIT, 0)]
    moved = ibft.Moved(height=1, round=2, announced=True)
    assert asked_to_sign(resumed(cluster, 1, HELD, ACCEPTED, LOCKED, moved)[1]) == [(VoteKind.ROUND_CHANGE, 2)]


def test_a_step_of_a_higher_round_says_that_the_round_was_entered() -> None:
    later = msgspec.structs.replace(ACCEPTED, round=2)
    machine, effects = resumed(Cluster(4), 1, HELD, later)
    assert (state_of(machine).round, asked_to_sign(effects)) == (2, [(VoteKind.PREPARE, 2)])


def test_who_never_began_says_nothing_at_its_start() -> None:
    _, effects = resumed(Cluster(4), 1)
    assert effects == []


def test_blocks_from_before_a_stop_are_judged_again_but_not_by_the_clock() -> None:
    _, effects = resumed(Cluster(4), 1, HELD, ACCEPTED)
    assert [one.reproposed for one in of(effects, ibft.Validate)] == [True]


def test_own_words_from_before_a_stop_are_said_again() -> None:
    word = vote(MEMBERS, VoteKind.PREPARE, 1, X)
    _, effects = resumed(Cluster(4), 1, HELD, ACCEPTED, ibft.Spoke(height=1, vote=word))
    assert ibft.Ballot(vote=word) in [one.message for one in of(effects, ibft.Broadcast)]


def test_another_block_than_the_one_accepted_before_a_stop_is_not_prepared() -> None:
    """What others said is forgotten by a stop, also that the leader had proposed X."""
    cluster = Cluster(4)
    machine, _ = resumed(cluster, 1, HELD, ACCEPTED)
    other = content(MEMBERS, 0, "other")
    word = vote(MEMBERS, VoteKind.PROPOSAL, 0, hash_of(other), attachment=justification_digest(NOTHING))
    effects = hear(machine, ibft.Proposal(vote=word, content=other, justification=NOTHING), 0)
    effects += machine.handle(ibft.Validated(0, hash_of(other), True, ""))
    assert asked_to_sign(effects) == []
    assert state_of(machine).accepted == X


def test_a_decision_from_before_a_stop_is_not_written_down_again() -> None:
    settled = ibft.Settled(height=1, commit=commit(MEMBERS, [0, 1, 2], X))
    machine, effects = resumed(Cluster(4), 1, HELD, ACCEPTED, settled)
    effects += machine.handle(ibft.Validated(0, X, True, ""))
    assert len(of(effects, ibft.Decide)) == 1
    assert [one for one in of(effects, ibft.Journal) if isinstance(one.record, ibft.Settled)] == []


def test_one_s_own_seat_is_one_of_those_that_have_come_as_far() -> None:
    """Two others and this one are three of four: the time of round 1 runs (IBFT-V8)."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.begin()
    cluster.due()
    cluster.expire(3)
    assert not [timer for timer in cluster[3].timers if timer.startswith("ibft.round/")]
    cluster.puppet(0, change(cluster.members, 0, 1))
    cluster.pump()
    assert not [timer for timer in cluster[3].timers if timer.startswith("ibft.round/")]
    cluster.puppet(1, change(cluster.members, 1, 1))
    cluster.pump()
    assert [timer for timer in cluster[3].timers if timer.startswith("ibft.round/")]


def test_what_was_prepared_in_a_higher_round_says_that_it_was_entered() -> None:
    later = ibft.Locked(height=1, certificate=certificate(MEMBERS, [0, 1, 2], X, round_=2))
    assert state_of(resumed(Cluster(4), 1, HELD, later)[0]).round == 2


def test_an_own_proposal_from_before_a_stop_is_said_again() -> None:
    word = vote(MEMBERS, VoteKind.PROPOSAL, 0, X, attachment=justification_digest(NOTHING))
    proposed = ibft.Proposed(height=1, round=0, header_hash=X, justification=NOTHING)
    machine, _ = resumed(Cluster(4), 0, HELD, proposed, ibft.Spoke(height=1, vote=word))
    assert state_of(machine).own[VoteKind.PROPOSAL] == ibft.Proposal(vote=word, content=BLOCK, justification=NOTHING)


def lone(seat: int = 3) -> tuple[Cluster, ibft.Ibft]:
    cluster, machine = Cluster(4), ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, seat))
    machine.handle(ibft.BlockDue(0))
    return cluster, machine


def proposed(machine: ibft.Ibft, block: ProposalContent) -> list[ibft.Effect]:
    """Seat 0 proposes this in round 0."""
    word = vote(MEMBERS, VoteKind.PROPOSAL, 0, hash_of(block), attachment=justification_digest(NOTHING))
    return hear(machine, ibft.Proposal(vote=word, content=block, justification=NOTHING), 0)


def test_late_words_that_agree_with_the_decision_accuse_nobody() -> None:
    """EVID-9: only who denies its COMMIT is guilty."""
    _, machine = lone()
    proposed(machine, BLOCK)
    machine.handle(ibft.Validated(0, X, True, ""))
    decided = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
    assert len(of(hear(machine, decided, 0), ibft.Decide)) == 1
    for seat in (0, 1, 2):
        for kind in (VoteKind.PREPARE, VoteKind.COMMIT):
            assert of(hear(machine, ibft.Ballot(vote=vote(MEMBERS, kind, seat, X)), seat), ibft.Accuse) == []
    denies = change(MEMBERS, 1, 1)
    assert len(of(hear(machine, denies, 1), ibft.Accuse)) == 1


def test_an_invalid_block_beside_the_certified_one_stops_nobody() -> None:
    """A block is certified that is not here yet; another, of a liar, is judged invalid meanwhile."""
    _, machine = lone()
    other = content(MEMBERS, 0, "other")
    proposed(machine, other)
    decided = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
    hear(machine, decided, 1)
    effects = machine.handle(ibft.Validated(0, hash_of(other), False, "bad"))
    assert [effect for effect in effects if isinstance(effect, ibft.Diverged | ibft.Validate)] == []
    certified = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(1), 0))
    assert [one.header_hash for one in of(certified, ibft.Validate)] == [X]


def test_an_invalid_block_takes_no_other_s_place() -> None:
    """What is turned down is the candidate of that header alone."""
    _, machine = lone()
    proposed(machine, BLOCK)
    assert of(machine.handle(ibft.Validated(0, Hash(b"\1" * 32), False, "bad")), ibft.Blame) == []
    candidate = state_of(machine).candidate
    assert candidate is not None
    assert candidate.vote.header_hash == X
    assert asked_to_sign(machine.handle(ibft.Validated(0, X, True, ""))) == [(VoteKind.PREPARE, 0)]


def test_words_of_the_round_make_its_time_run_too() -> None:
    """Who votes in a round has come as far (IBFT-V8)."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.begin()
    cluster.due()
    cluster.expire(3)
    for seat in (0, 1):
        assert not [timer for timer in cluster[3].timers if timer.startswith("ibft.round/")]
        cluster.puppet(seat, ibft.Ballot(vote=vote(cluster.members, VoteKind.PREPARE, seat, X, round_=1)))
        cluster.pump()
    assert [timer for timer in cluster[3].timers if timer.startswith("ibft.round/")]


def test_a_justification_shows_a_quorum_and_no_more() -> None:
    cluster = Cluster(4, puppets=(0, 2, 3))
    cluster.begin()
    cluster.due()
    for seat in (0, 2, 3):
        cluster.puppet(seat, change(cluster.members, seat, 1))
    cluster.pump()
    shown = [one.message for one in cluster[1].asked(ibft.Broadcast) if isinstance(one.message, ibft.Proposal)]
    assert [len(one.justification.round_changes) for one in shown] == [cluster.members.quorum]


def test_a_straggler_hears_the_decision_sixteen_times() -> None:
    made = answers()
    told = [len(made.to_late(change(MEMBERS, 1, round_), Seat(1), 0)) for round_ in range(1, DECIDED_RESENDS_MAX + 3)]
    assert told == [1] * DECIDED_RESENDS_MAX + [0, 0]
    assert len(made.to_late(change(MEMBERS, 2, 1), Seat(2), 0)) == 1
    assert made.to_late(change(MEMBERS, 2, 1), Seat(2), 0) == [], "the same round again, at once"


def test_a_block_decided_without_having_been_accepted_is_durable_before_the_decision() -> None:
    """Its content came after the certificate: a stop between the two must not leave a decision without its block."""
    _, machine = lone()
    decided = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
    effects = hear(machine, decided, 1)
    assert [one.message for one in of(effects, ibft.SendTo)] == [ibft.Wanted(height=1, header_hash=X)]
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=BLOCK), Seat(1), 0))
    assert of(effects, ibft.Decide) == []
    effects += machine.handle(ibft.Validated(0, X, True, ""))
    written = [type(one.record) for one in of(effects, ibft.Journal)]
    assert written == [ibft.Held, ibft.Settled]
    assert len(of(effects, ibft.Decide)) == 1


def test_a_vote_heard_twice_does_nothing_the_second_time() -> None:
    _, machine = lone()
    proposed(machine, BLOCK)
    machine.handle(ibft.Validated(0, X, True, ""))
    word = ibft.Ballot(vote=vote(MEMBERS, VoteKind.COMMIT, 1, X))
    hear(machine, word, 1)
    assert hear(machine, word, 2) == []


def test_a_carried_block_is_not_judged_by_the_clock_by_its_new_leader() -> None:
    """Q seats prepared it: its time was judged (PROP-4)."""
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    cluster.expire()
    cluster[1].effects.clear()
    cluster.pump()
    assert cluster[1].state.round == 1
    judged = [one.reproposed for one in cluster[1].asked(ibft.Validate)]
    assert False not in judged
    assert [one.message for one in cluster[1].asked(ibft.Broadcast) if isinstance(one.message, ibft.Proposal)]


def test_what_is_no_vote_of_a_decided_height_is_passed_over() -> None:
    cluster, machine = lone()
    proposed(machine, BLOCK)
    machine.handle(ibft.Validated(0, X, True, ""))
    decided = ibft.Decided(commit=commit(MEMBERS, [0, 1, 2], X), header=BLOCK.header)
    hear(machine, decided, 0)
    machine.handle(cluster.begins(2, 3))
    shown = ibft.Prepared(certificate=certificate(MEMBERS, [0, 1, 2], X))
    for message in (decided, shown, ibft.Content(height=1, content=BLOCK)):
        assert of(hear(machine, message, 1), ibft.SendTo) == []
    assert len(of(hear(machine, change(MEMBERS, 1, 1), 1), ibft.SendTo)) == 1


def test_a_certificate_of_less_than_a_quorum_prepares_nobody_though_all_of_it_is_signed() -> None:
    for seats, signers in ((4, [0, 1]), (17, list(range(11)))):
        members = validators(seats)
        cluster, machine = Cluster(seats, all_to_all_max=seats - 1), ibft.Ibft(CHAIN)
        machine.handle(cluster.begins(1, 3))
        block = content(members, 0)
        word = vote(members, VoteKind.PROPOSAL, 0, hash_of(block), attachment=justification_digest(NOTHING))
        hear(machine, ibft.Proposal(vote=word, content=block, justification=NOTHING), 0)
        machine.handle(ibft.Validated(0, hash_of(block), True, ""))
        shown = certificate(members, signers, hash_of(block))
        effects = hear(machine, ibft.Prepared(certificate=shown), 0)
        assert [blame.refusal for blame in of(effects, ibft.Blame)] == [JustificationRefusal.BAD_CERTIFICATE]
        assert asked_to_sign(effects) == []
        assert state_of(machine).prepared is None
        whole = certificate(members, list(range(members.quorum)), hash_of(block))
        assert asked_to_sign(hear(machine, ibft.Prepared(certificate=whole), 0)) == [(VoteKind.COMMIT, 0)]
