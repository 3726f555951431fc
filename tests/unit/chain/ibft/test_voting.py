"""Propose, prepare, commit, decide: R1 … R3, C1 … C3, and shares that are not what they seem."""

import pytest
from tests.unit.chain.ibft.cluster import Cluster, of, only
from tests.unit.chain.ibft.counterfeit import CHAIN, aggregate, commit, content, validators, vote

from metanode.chain import ibft
from metanode.chain.ibft import IbftRefusal
from metanode.primitives.names import NO_HASH, Hash, Height, Seat
from metanode.records.commit import commit_seats
from metanode.records.evidence import Amnesia, ConflictingCommits, ConflictingVotes
from metanode.records.header import read_header
from metanode.records.proposal import ContentRefusal, ProposalContent
from metanode.records.vote import Justification, VoteKind


def hash_of(block: ProposalContent) -> Hash:
    return read_header(block.header).hash


def fresh(cluster: Cluster, seat: int, block: ProposalContent, round_: int = 0) -> ibft.Proposal:
    word = vote(cluster.members, VoteKind.PROPOSAL, seat, hash_of(block), round_=round_)
    return ibft.Proposal(vote=word, content=block, justification=Justification(round_changes=(), certificates=()))


def ballot(cluster: Cluster, kind: VoteKind, seat: int, hash_: Hash, *, round_: int = 0) -> ibft.Ballot:
    return ibft.Ballot(vote=vote(cluster.members, kind, seat, hash_, round_=round_))


def three_puppets() -> tuple[Cluster, ProposalContent, Hash]:
    """Seat 3 is real, the others are spoken for; seat 0 leads round 0."""
    cluster = Cluster(4, puppets=(0, 1, 2))
    cluster.begin()
    block = content(cluster.members, 0)
    return cluster, block, hash_of(block)


def kinds(cluster: Cluster, seat: int = 3) -> list[VoteKind]:
    return [VoteKind(v.kind) for v in cluster[seat].signed]


def test_prepares_before_the_proposal_count() -> None:
    """Words that overtake the proposal are kept for it."""
    cluster, block, x = three_puppets()
    for seat in (0, 1, 2):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, x))
    cluster.pump()
    assert kinds(cluster) == []
    cluster.puppet(0, fresh(cluster, 0, block))
    cluster.pump()
    assert kinds(cluster) == [VoteKind.PREPARE, VoteKind.COMMIT]


def test_commits_before_a_quorum_of_prepares_do_not_prepare() -> None:
    """Unverified or not, a COMMIT is no PREPARE: two COMMITs and two PREPAREs of four make nobody commit.
    Unverified COMMITs counted as prepared: celo-org/celo-blockchain#1445."""
    cluster, block, x = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1):
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x))
    cluster.puppet(0, ballot(cluster, VoteKind.PREPARE, 0, x))
    cluster.pump()
    assert kinds(cluster) == [VoteKind.PREPARE]
    cluster.puppet(2, ballot(cluster, VoteKind.COMMIT, 2, x))
    cluster.pump()
    assert cluster[3].decided[1].header_hash == x, "three COMMITs decide without our own"
    assert kinds(cluster) == [VoteKind.PREPARE]


def test_every_step_is_durable_before_it_is_signed() -> None:
    cluster = Cluster(4).start().pump()
    order = [
        type(e.record).__name__ if isinstance(e, ibft.Journal) else VoteKind(e.vote.kind).name
        for e in cluster[0].effects
        if isinstance(e, ibft.Journal | ibft.Sign)
    ]
    assert order == [
        *("Held", "Proposed", "PROPOSAL", "Spoke", "Accepted", "PREPARE", "Spoke", "Locked", "COMMIT"),
        *("Spoke", "Settled"),
    ]


@pytest.mark.parametrize("round_", [0, 1, 5])
def test_a_quorum_of_commits_of_any_single_round_decides(round_: int) -> None:
    """Past, current or future: here seat 3 stands in round 1.
    Engines that look at the current round only never decide here."""
    cluster, block, x = three_puppets()
    cluster.due()
    cluster.puppet(0, fresh(cluster, 0, block))
    cluster.pump()
    cluster.expire(3)
    for seat in (0, 1, 2):
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x, round_=round_))
    cluster.pump()
    decided = cluster[3].decided[1]
    assert (decided.round, decided.header_hash) == (round_, x)
    assert commit_seats(decided.commit, cluster.members) == (0, 1, 2)


def test_commits_of_different_rounds_do_not_add_up() -> None:
    cluster, block, x = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat, round_ in ((0, 0), (1, 0), (2, 1)):
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x, round_=round_))
    cluster.pump()
    assert cluster[3].decided == {}


def test_a_seal_twice_counts_once() -> None:
    """Seals counted without looking whose they are make a quorum of one seat."""
    cluster, block, x = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1, 1, 1):
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x))
    cluster.pump()
    assert cluster[3].decided == {}
    assert cluster[3].state.buffer(VoteKind.COMMIT, 0, x).ask() == ()


def test_a_decision_on_a_block_never_seen_fetches_it_from_those_who_committed() -> None:
    cluster, block, x = three_puppets()
    for seat in (0, 1, 2):
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x))
    cluster.pump()
    wanted = [(r, m) for s, r, m in cluster.sent if isinstance(m, ibft.Wanted)]
    assert wanted == [(0, ibft.Wanted(height=1, header_hash=x))]
    other = content(cluster.members, 0, "another")
    cluster.puppet(0, ibft.Content(height=1, content=other))
    cluster.pump()
    assert cluster[3].decided == {}
    assert cluster[3].blamed() == [(0, IbftRefusal.UNWANTED)]
    cluster.puppet(1, ibft.Content(height=1, content=block))
    cluster.pump()
    assert cluster[3].decided[1].content == block
    assert [e.reproposed for e in cluster[3].asked(ibft.Validate)] == [True]


def test_sections_that_are_not_the_headers_are_asked_for_elsewhere() -> None:
    cluster, block, x = three_puppets()
    machine = ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 3))
    effects = machine.handle(ibft.Received(0, fresh(cluster, 0, block), Seat(1)))
    (check,) = of(effects, ibft.CheckSignatures)
    effects = machine.handle(ibft.SignaturesChecked(0, check.token, (True,)))
    assert [e.source for e in of(effects, ibft.Validate)] == [0]
    effects = machine.handle(ibft.Validated(0, x, valid=False, refusal="assembly.wrong-root", foreign=True))
    assert of(effects, ibft.Blame) == [ibft.Blame(Seat(1), IbftRefusal.UNFIT_BLOCK, "assembly.wrong-root")]
    assert [e.seat for e in of(effects, ibft.SendTo)] == [0], "the leader, whose proposal the other had in its hands"
    effects = machine.handle(ibft.Received(0, ibft.Content(height=1, content=block), Seat(0)))
    assert [e.reproposed for e in of(effects, ibft.Validate)] == [False], "its time is still judged"
    effects = machine.handle(ibft.Validated(0, x, valid=True))
    assert [e.vote.kind for e in of(effects, ibft.Sign)] == [VoteKind.PREPARE]


def test_a_block_judged_by_its_time_while_it_became_certified_is_judged_again_without() -> None:
    cluster, block, x = three_puppets()
    machine = ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 3))
    check = only(machine.handle(ibft.Received(0, fresh(cluster, 0, block), Seat(0))), ibft.CheckSignatures)
    machine.handle(ibft.SignaturesChecked(0, check.token, (True,)))
    effects = []
    for seat in (0, 1, 2):
        check = only(
            machine.handle(ibft.Received(0, ballot(cluster, VoteKind.COMMIT, seat, x), Seat(seat))),
            ibft.CheckSignatures,
        )
        effects = machine.handle(ibft.SignaturesChecked(0, check.token, (True,)))
    (shares,) = of(effects, ibft.CheckShares)
    assert machine.handle(ibft.SharesChecked(0, shares.token, aggregate(shares.keys, shares.message), ())) == []
    effects = machine.handle(ibft.Validated(0, x, valid=False, refusal="block.too-early"))
    assert [e.reproposed for e in of(effects, ibft.Validate)] == [True]
    effects = machine.handle(ibft.Validated(0, x, valid=False, refusal="block.wrong-results"))
    assert effects == [ibft.Diverged(Height(1), x, "block.wrong-results")]


def test_equivocated_prepares_do_not_hide_a_quorum() -> None:
    """A liar says X to us first and Y later; the honest quorum for X does not need him, and he is convicted.
    The first word of a liar hid a quorum: circlefin/malachite#309."""
    cluster, block, x = three_puppets()
    y = hash_of(content(cluster.members, 0, "Y"))
    cluster.puppet(2, ballot(cluster, VoteKind.PREPARE, 2, y))
    cluster.puppet(2, ballot(cluster, VoteKind.PREPARE, 2, x))
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, x))
    cluster.pump()
    assert kinds(cluster) == [VoteKind.PREPARE, VoteKind.COMMIT]
    (evidence,) = cluster[3].evidence()
    assert isinstance(evidence, ConflictingVotes)
    assert (evidence.first.header_hash, evidence.second.header_hash) == (y, x)


def test_the_second_word_of_a_seat_counts_for_nothing() -> None:
    """It said Y, then X: with it X would have a quorum of PREPAREs."""
    cluster, block, x = three_puppets()
    y = hash_of(content(cluster.members, 0, "Y"))
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat, hash_ in ((1, x), (2, y), (2, x)):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, hash_))
    cluster.pump()
    assert kinds(cluster) == [VoteKind.PREPARE]
    assert len(cluster[3].evidence()) == 1
    cluster.puppet(0, ballot(cluster, VoteKind.PREPARE, 0, x))
    cluster.pump()
    assert kinds(cluster) == [VoteKind.PREPARE, VoteKind.COMMIT]


def test_a_third_word_of_the_same_liar_is_not_passed_on() -> None:
    cluster, _, _ = three_puppets()
    for word in ("a", "b", "c", "d"):
        hash_ = hash_of(content(cluster.members, 0, word))
        cluster.puppet(2, ballot(cluster, VoteKind.PREPARE, 2, hash_))
    cluster.pump()
    assert len(cluster[3].evidence()) == 1
    assert len(cluster[3].state.votes[VoteKind.PREPARE, 0]) == 1


def test_two_proposals_of_one_round_convict_the_leader() -> None:
    cluster, block, x = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    cluster.puppet(0, fresh(cluster, 0, content(cluster.members, 0, "Y")))
    cluster.pump()
    assert cluster[3].state.accepted == x
    assert [e.first.kind for e in cluster[3].conflicts()] == [VoteKind.PROPOSAL]


@pytest.mark.parametrize("proposal_first", [True, False])
def test_who_prepares_another_block_is_shown_the_proposal_once(proposal_first: bool) -> None:
    """IBFT-M5. Found by the storm equivocating_proposer, 4 validators, seed 0: nobody held both proposals."""
    cluster, block, x = three_puppets()
    shown = fresh(cluster, 0, block)
    other = ballot(cluster, VoteKind.PREPARE, 2, hash_of(content(cluster.members, 0, "Y")))
    for seat, message in ((0, shown), (2, other)) if proposal_first else ((2, other), (0, shown)):
        cluster.puppet(seat, message)
        cluster.pump()
    cluster.puppet(2, other)
    cluster.puppet(1, ballot(cluster, VoteKind.PREPARE, 1, x))
    cluster.pump()
    assert cluster[3].asked(ibft.SendTo) == [ibft.SendTo(Seat(2), shown)]


@pytest.mark.parametrize("commit_first", [True, False])
def test_a_round_change_that_hides_a_commit_convicts_in_whatever_order(commit_first: bool) -> None:
    cluster, _, x = three_puppets()
    word = ballot(cluster, VoteKind.COMMIT, 2, x)
    change = vote(cluster.members, VoteKind.ROUND_CHANGE, 2, NO_HASH, round_=1)
    hidden = ibft.RoundChange(vote=change, certificates=())
    for message in (word, hidden) if commit_first else (hidden, word):
        cluster.puppet(2, message)
    cluster.pump()
    assert cluster[3].evidence() == [
        Amnesia(validators_hash=cluster.members.hash, commit=word.vote, round_change=change)
    ]


def test_commits_for_different_blocks_in_different_rounds_convict_nobody() -> None:
    cluster, _, x = three_puppets()
    y = hash_of(content(cluster.members, 1, "Y"))
    cluster.puppet(2, ballot(cluster, VoteKind.COMMIT, 2, x))
    cluster.puppet(2, ballot(cluster, VoteKind.COMMIT, 2, y, round_=2))
    cluster.pump()
    assert cluster[3].evidence() == []


def test_a_bad_share_is_blamed_and_the_others_decide() -> None:
    cluster, block, x = three_puppets()
    cluster.due()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1, 2):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, x))
    bad = vote(cluster.members, VoteKind.COMMIT, 0, x, seal=bytes(96))
    cluster.puppet(0, ibft.Ballot(vote=bad))
    cluster.puppet(1, ballot(cluster, VoteKind.COMMIT, 1, x))
    cluster.pump()
    assert cluster[3].blamed() == [(0, IbftRefusal.BAD_SHARE)]
    assert cluster[3].decided == {}, "ours and one good one are no quorum"
    cluster.puppet(2, ballot(cluster, VoteKind.COMMIT, 2, x))
    cluster.pump()
    assert commit_seats(cluster[3].decided[1].commit, cluster.members) == (1, 2, 3)


def test_cancelling_shares_are_a_good_sum_and_evidence_of_nothing() -> None:
    """The sum verifies although two shares alone do not: finality holds, nobody is blamed, no bitmap is evidence."""
    cluster, block, x = three_puppets()
    machine = ibft.Ibft(CHAIN)
    machine.handle(cluster.begins(1, 3))
    check = only(machine.handle(ibft.Received(0, fresh(cluster, 0, block), Seat(0))), ibft.CheckSignatures)
    machine.handle(ibft.SignaturesChecked(0, check.token, (True,)))
    machine.handle(ibft.Validated(0, x, valid=True))
    for seat in (0, 1, 2):
        word = vote(cluster.members, VoteKind.COMMIT, seat, x, seal=bytes([seat]) * 96)
        check = only(machine.handle(ibft.Received(0, ibft.Ballot(vote=word), Seat(seat))), ibft.CheckSignatures)
        effects = machine.handle(ibft.SignaturesChecked(0, check.token, (True,)))
    (shares,) = of(effects, ibft.CheckShares)
    effects = machine.handle(ibft.SharesChecked(0, shares.token, aggregate(shares.keys, shares.message), ()))
    assert [type(e) for e in effects if isinstance(e, ibft.Decide | ibft.Blame | ibft.Accuse)] == [ibft.Decide]


def test_late_commits_are_credited_when_asked_for() -> None:
    """Late seals were dropped, and their seats looked dead: celo-org/celo-blockchain#1782."""
    cluster, block, x = three_puppets()
    cluster.due()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, x))
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x))
    cluster.pump()
    assert commit_seats(cluster[3].decided[1].commit, cluster.members) == (0, 1, 3)
    cluster.tell(cluster[3], ibft.CreditLate(0))
    assert cluster[3].asked(ibft.Improved) == [], "nobody came late yet"
    cluster.begin(2)
    cluster.puppet(2, ballot(cluster, VoteKind.COMMIT, 2, x))
    cluster.pump()
    cluster.tell(cluster[3], ibft.CreditLate(0))
    (improved,) = cluster[3].asked(ibft.Improved)
    assert commit_seats(improved.commit, cluster.members) == (0, 1, 2, 3)


def test_a_late_commit_with_a_bad_share_leaves_the_certificate() -> None:
    cluster, block, x = three_puppets()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, x))
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x))
    cluster.puppet(2, ibft.Ballot(vote=vote(cluster.members, VoteKind.COMMIT, 2, x, seal=bytes(96))))
    cluster.pump()
    cluster.tell(cluster[3], ibft.CreditLate(0))
    assert cluster[3].asked(ibft.Improved) == []
    assert (2, IbftRefusal.BAD_SHARE) in cluster[3].blamed()


def test_no_vote_after_the_decision() -> None:
    """Decided on others' COMMITs before our own PREPARE quorum: nothing more is signed, whatever comes."""
    cluster, block, x = three_puppets()
    cluster.due()
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1, 2):
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x))
    cluster.pump()
    for seat in (0, 1, 2):
        cluster.puppet(seat, ballot(cluster, VoteKind.PREPARE, seat, x))
    for seat in (0, 1):
        change = vote(cluster.members, VoteKind.ROUND_CHANGE, seat, NO_HASH, round_=1)
        cluster.puppet(seat, ibft.RoundChange(vote=change, certificates=()))
    cluster.pump()
    assert kinds(cluster) == [VoteKind.PREPARE]
    assert cluster[3].timers == {}


def test_a_second_certificate_of_one_height_stops_the_node() -> None:
    cluster, block, x = three_puppets()
    y = content(cluster.members, 0, "Y")
    other = commit(cluster.members, [0, 1, 2], hash_of(y))
    cluster.puppet(0, fresh(cluster, 0, block))
    for seat in (0, 1, 2):
        cluster.puppet(seat, ballot(cluster, VoteKind.COMMIT, seat, x))
    cluster.pump()
    cluster.begin(2)
    cluster.puppet(0, ibft.Decided(commit=other, header=y.header))
    cluster.pump()
    assert cluster[3].asked(ibft.Diverged) == [ibft.Diverged(Height(1), hash_of(y), "two certificates of one height")]
    assert [type(e) for e in cluster[3].evidence()] == [ConflictingCommits]


def test_above_16_seats_prepares_carry_shares_and_certificates_are_one_aggregate() -> None:
    cluster = Cluster(17)
    cluster.links = lambda s, r, m: not (isinstance(m, ibft.Ballot) and m.vote.kind == VoteKind.COMMIT)
    cluster.start().pump()
    x = cluster[0].state.accepted
    prepared = cluster[0].state.prepared
    assert prepared is not None
    assert (prepared.kind, [len(p) for p in prepared.proof]) == (2, [96])
    cluster.links = lambda s, r, m: True
    cluster.expire().pump()
    assert cluster.agreed() == x


def test_above_16_seats_a_bad_prepare_share_is_blamed_and_worked_around() -> None:
    cluster = Cluster(17, puppets=(16,))
    cluster.begin()
    block = content(cluster.members, 0, "1/0")
    bad = vote(cluster.members, VoteKind.PREPARE, 16, hash_of(block), seal=bytes(96))
    cluster.puppet(16, ibft.Ballot(vote=bad))
    cluster.pump()
    cluster.due()
    cluster.pump()
    assert cluster.all_decided()
    assert (16, IbftRefusal.BAD_SHARE) in cluster[3].blamed()


def test_what_is_not_from_a_seat_or_not_of_its_kind_is_refused() -> None:
    cluster, _, x = three_puppets()
    members = cluster.members
    wider = validators(7)
    change = vote(members, VoteKind.ROUND_CHANGE, 1, NO_HASH, round_=1)
    other_chain = content(members, 0, chain_id=NO_HASH)
    cases: list[tuple[ibft.Message, object]] = [
        (ibft.Ballot(vote=vote(wider, VoteKind.COMMIT, 5, x)), "justification.not-a-seat"),
        (ibft.Ballot(vote=change), IbftRefusal.WRONG_KIND),
        (ibft.Ballot(vote=vote(members, VoteKind.PREPARE, 1, x, prepared_round=0)), IbftRefusal.WRONG_KIND),
        (ibft.RoundChange(vote=vote(members, VoteKind.PREPARE, 1, x), certificates=()), None),
        (fresh(cluster, 1, content(members, 1)), IbftRefusal.NOT_THE_LEADER),
        (fresh(cluster, 0, content(members, 2)), IbftRefusal.WRONG_HEADER),
        (ibft.Decided(commit=commit(members, [0, 1, 2], x), header=other_chain.header), IbftRefusal.WRONG_HEADER),
    ]
    for message, _ in cases:
        cluster.puppet(1, message)
    cluster.pump()
    blamed = [refusal for _, refusal in cluster[3].blamed()]
    assert len(blamed) == len(cases)
    assert [b for b, (_, want) in zip(blamed, cases, strict=True) if want is not None and b != want] == []
    assert cluster[3].state.votes == {}


def test_forged_envelopes_are_blamed_on_whoever_delivered_them() -> None:
    cluster, _, x = three_puppets()
    word = vote(cluster.members, VoteKind.PREPARE, 0, x, height=2)
    forged = type(word)(**{**{f: getattr(word, f) for f in word.__struct_fields__}, "height": 1})
    cluster.puppet(2, ibft.Ballot(vote=forged))
    cluster.pump()
    assert cluster[3].blamed() == [(2, IbftRefusal.BAD_SIGNATURE)]
    assert cluster[3].state.votes == {}


def test_a_commit_by_f_plus_1_seats_decides_nothing() -> None:
    """Headers with f + 1 seals were taken: Consensys-Incorporated/quorum#1324."""
    cluster, block, x = three_puppets()
    cluster.puppet(0, ibft.Decided(commit=commit(cluster.members, [0, 1], x), header=block.header))
    cluster.pump()
    assert [str(r) for _, r in cluster[3].blamed()] == ["commit.no-quorum"]
    good = commit(cluster.members, [0, 1, 2], x)
    forged = type(good)(**{**{f: getattr(good, f) for f in good.__struct_fields__}, "aggregate_signature": bytes(96)})
    cluster.puppet(0, ibft.Decided(commit=forged, header=block.header))
    cluster.pump()
    assert cluster[3].blamed()[1:] == [(0, IbftRefusal.BAD_SIGNATURE)]
    assert cluster[3].decided == {}


def test_content_of_a_wrong_shape_is_refused() -> None:
    cluster, block, _ = three_puppets()
    bent = type(block)(**{**{f: getattr(block, f) for f in block.__struct_fields__}, "leaves": b"\x01" * 64})
    cluster.puppet(0, ibft.Proposal(vote=fresh(cluster, 0, block).vote, content=bent, justification=NOTHING))
    cluster.pump()
    assert cluster[3].blamed() == [(0, ContentRefusal.WRONG_SHAPE)]


NOTHING = Justification(round_changes=(), certificates=())
