"""Votes by way of the leader: few messages while all goes well, everybody to everybody as soon as it does not."""

from collections import Counter

import pytest
from tests.unit.chain.ibft import counterfeit
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.test_attacks import hear

from metanode.chain import ibft
from metanode.chain.ibft import IbftRefusal
from metanode.chain.ibft.state import NO_JUSTIFICATION
from metanode.primitives.names import Seat
from metanode.records.commit import PreparedCertificate
from metanode.records.header import read_header
from metanode.records.vote import VoteKind, justification_digest

SIZES = [4, 7, 17, 25]
"""Below seventeen certificates are lists of envelopes, from there on aggregates."""


def collected(seats: int, puppets: tuple[int, ...] = ()) -> Cluster:
    return Cluster(seats, puppets, all_to_all_max=seats - 1)


def kinds(cluster: Cluster) -> Counter[str]:
    """What went over the links, by kind."""
    return Counter(
        VoteKind(message.vote.kind).name if isinstance(message, ibft.Ballot) else type(message).__name__
        for _, _, message in cluster.sent
    )


def shown(cluster: Cluster) -> PreparedCertificate:
    return next(m.certificate for _, _, m in cluster.sent if isinstance(m, ibft.Prepared))


@pytest.mark.parametrize("seats", SIZES)
def test_five_messages_a_seat(seats: int) -> None:
    cluster = collected(seats).start().pump()
    assert cluster.all_decided()
    cluster.agreed()
    others = seats - 1
    assert kinds(cluster) == {
        "Proposal": others, "PREPARE": others, "Prepared": others, "COMMIT": others, "Decided": others,
    }  # fmt: skip
    for player in cluster.players.values():
        assert player.blamed() == []
        assert player.timers == {}


@pytest.mark.parametrize("seats", SIZES)
def test_up_to_the_parameter_everybody_tells_everybody(seats: int) -> None:
    cluster = Cluster(seats, all_to_all_max=seats).start().pump()
    others = seats - 1
    assert kinds(cluster) == {"Proposal": others, "PREPARE": seats * others, "COMMIT": seats * others}


@pytest.mark.parametrize("seats", SIZES)
@pytest.mark.parametrize("withheld", [ibft.Prepared, ibft.Decided])
def test_a_leader_that_keeps_what_it_heard_costs_half_a_timeout(seats: int, withheld: type[ibft.Message]) -> None:
    cluster = collected(seats)
    cluster.links = lambda sender, _, message: not (sender == 0 and isinstance(message, withheld))
    cluster.start().pump()
    assert not any(1 in cluster[seat].decided for seat in range(1, seats))
    cluster.run(750)
    assert cluster.all_decided()
    assert {p.decided[1].round for p in cluster.players.values()} == {0}
    cluster.agreed()


@pytest.mark.parametrize("seats", SIZES)
def test_a_leader_that_dies_after_its_proposal_costs_half_a_timeout(seats: int) -> None:
    cluster = collected(seats)
    cluster.links = lambda sender, receiver, _: receiver != 0
    cluster.start()
    cluster.pump()
    cluster.kill(0)
    cluster.links = lambda *_: True
    cluster.run(750)
    assert cluster.all_decided()
    assert {p.decided[1].round for p in cluster.living()} == {0}


@pytest.mark.parametrize("seats", SIZES)
def test_after_a_dead_leader_everybody_tells_everybody(seats: int) -> None:
    cluster = collected(seats)
    cluster.kill(0)
    cluster.start()
    cluster.run(1_800)
    assert cluster.all_decided()
    assert {p.decided[1].round for p in cluster.living()} == {1}
    assert kinds(cluster)["Prepared"] == 0


@pytest.mark.parametrize("seats", SIZES)
def test_a_certificate_that_comes_before_the_proposal_is_kept_for_it(seats: int) -> None:
    cluster = collected(seats)
    last = seats - 1
    cluster.links = lambda sender, receiver, message: not (receiver == last and isinstance(message, ibft.Proposal))
    cluster.start().pump()
    assert [vote.kind for vote in cluster[last].signed] == []
    proposal = next(m for _, _, m in cluster.sent if isinstance(m, ibft.Proposal))
    cluster.links = lambda *_: True
    cluster.tell(cluster[last], ibft.Received(cluster.now_ms, proposal, Seat(0)))
    cluster.pump()
    assert cluster.all_decided()


@pytest.mark.parametrize("seats", SIZES)
def test_a_forged_certificate_prepares_nobody_and_blames_who_brought_it(seats: int) -> None:
    model = collected(seats).start().pump()
    real = shown(model)
    cluster = collected(seats)
    cluster.links = lambda sender, _, message: not isinstance(message, ibft.Prepared) or sender == 2
    cluster.start().pump()
    proof = tuple(bytes([part[0] ^ 1]) + part[1:] for part in real.proof)
    forged = PreparedCertificate(
        version=1, kind=real.kind, height=1, round=0, header_hash=real.header_hash,
        validator_bitmap=real.validator_bitmap, proof=proof,
    )  # fmt: skip
    cluster.say(2, [1], ibft.Prepared(certificate=forged))
    cluster.pump()
    assert [vote.kind for vote in cluster[1].signed] == [VoteKind.PREPARE]
    assert [refusal for seat, refusal in cluster[1].blamed() if seat == 2] in (
        [IbftRefusal.BAD_CERTIFICATE],
        [IbftRefusal.BAD_SIGNATURE],
    )
    cluster.say(2, [1], ibft.Prepared(certificate=real))
    cluster.pump()
    assert [vote.kind for vote in cluster[1].signed] == [VoteKind.PREPARE, VoteKind.COMMIT]


def test_a_certificate_of_another_round_or_height_prepares_nobody() -> None:
    cluster = collected(4)
    cluster.links = lambda _, __, message: not isinstance(message, ibft.Prepared | ibft.Decided)
    cluster.start().pump()
    real = shown(collected(4).start().pump())
    for change in ({"round": 1}, {"round": 7}):
        fields = {name: getattr(real, name) for name in real.__struct_fields__}
        wrong = PreparedCertificate(**{**fields, **change})
        cluster.tell(cluster[1], ibft.Received(0, ibft.Prepared(certificate=wrong), Seat(2)))
    assert [vote.kind for vote in cluster[1].signed] == [VoteKind.PREPARE]


def test_a_liar_cannot_lock_two_halves_on_two_values() -> None:
    """A leader of two faces gets a quorum for neither, whatever it shows: shares are of one value."""
    cluster = collected(7, puppets=(0,)).start()
    for face, half in (("left", [1, 2, 3]), ("right", [4, 5, 6])):
        content, why = counterfeit.content(cluster.members, 0, face), NO_JUSTIFICATION
        name = read_header(content.header).hash
        word = counterfeit.vote(cluster.members, VoteKind.PROPOSAL, 0, name, attachment=justification_digest(why))
        cluster.puppet(0, ibft.Proposal(vote=word, content=content, justification=why), half)
    cluster.pump()
    assert not any(vote.kind is VoteKind.COMMIT for p in cluster.players.values() for vote in p.signed)
    cluster.run(4_000)
    assert cluster.all_decided()
    cluster.agreed()


def test_above_round_0_a_vote_goes_to_everybody_at_once() -> None:
    """IBFT-L3. Nobody sent again yet: it is the round that counts, and nobody shows anybody what it summed."""
    cluster = collected(17)
    cluster.links = lambda sender, _, message: not (sender == 0 and isinstance(message, ibft.Proposal))
    cluster.start().pump()
    assert kinds(cluster) == {}
    cluster.expire().pump()
    assert cluster.all_decided()
    assert [player.state.fell_back for player in cluster.players.values()] == [False] * 17
    everybody = 17 * 16
    assert kinds(cluster) == {"RoundChange": everybody, "Proposal": 16, "PREPARE": everybody, "COMMIT": everybody}


def test_commits_to_a_block_never_seen_are_shown_to_nobody() -> None:
    """IBFT-L2. A certificate is shown with its header; who lacks that asks for the block."""
    cluster = collected(4, puppets=(0, 1, 2)).start()
    name = read_header(counterfeit.content(cluster.members, 0).header).hash
    for seat in (0, 1, 2):
        word = counterfeit.vote(cluster.members, VoteKind.COMMIT, seat, name)
        cluster.puppet(seat, ibft.Ballot(vote=word))
    cluster.pump()
    assert kinds(cluster) == {"COMMIT": 3, "Wanted": 1}


def test_a_certificate_that_is_of_no_use_is_not_even_checked() -> None:
    """IBFT-L2. Of another round; a second one; one of the round in which this seat is prepared."""
    members, machine = collected(4).members, ibft.Ibft(counterfeit.CHAIN)
    machine.handle(collected(4).begins(1, 3))
    block = counterfeit.content(members, 0)

    def shown(seats: list[int], round_: int = 0) -> list[ibft.Effect]:
        made = counterfeit.certificate(members, seats, read_header(block.header).hash, round_=round_)
        return hear(machine, ibft.Prepared(certificate=made), 0)

    assert shown([0, 1, 2], round_=1) == []
    assert [type(one) for one in shown([0, 1, 2])] == [ibft.CheckSignatures]
    assert shown([0, 1, 3]) == [], "one is kept for the proposal"
    machine = ibft.Ibft(counterfeit.CHAIN)
    machine.handle(collected(4).begins(1, 3))
    name = read_header(block.header).hash
    why = justification_digest(NO_JUSTIFICATION)
    word = counterfeit.vote(members, VoteKind.PROPOSAL, 0, name, attachment=why)
    hear(machine, ibft.Proposal(vote=word, content=block, justification=NO_JUSTIFICATION), 0)
    machine.handle(ibft.Validated(0, name, valid=True))
    for seat in (0, 1, 2):
        hear(machine, ibft.Ballot(vote=counterfeit.vote(members, VoteKind.PREPARE, seat, name)), seat)
    assert shown([0, 1, 3]) == []
    machine.handle(ibft.TimerFired(0, "ibft.round/1/0"))
    assert [type(one) for one in shown([0, 1, 2], round_=1)] == [ibft.CheckSignatures], "prepared in a lower round only"
