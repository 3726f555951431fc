"""The counter-example against engines that forget what they prepared when a justified proposal lifts them up."""

from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import certificate, content, vote

from metanode.chain import ibft
from metanode.primitives.names import Hash
from metanode.records.commit import certificate_digest
from metanode.records.header import read_header
from metanode.records.proposal import ProposalContent
from metanode.records.vote import Justification, VoteKind, justification_digest

E, A, B, C, H, D1, D2 = 1, 2, 3, 4, 0, 5, 6
"""Seat 0 leads round 0, seat 1 leads round 1, and so on; D1 and D2 lie."""


def test_prepared_survives_proposal_jump() -> None:
    cluster = Cluster(7, puppets=(D1, D2))
    members = cluster.members

    def round_0(sender: int, receiver: int, message: ibft.Message) -> bool:
        """The proposal reaches all, PREPAREs only H, A and B; COMMITs only H."""
        if isinstance(message, ibft.Ballot):
            return receiver in (H, A, B) if message.vote.kind == VoteKind.PREPARE else receiver == H
        return True

    cluster.links = round_0
    cluster.start().pump()
    x = cluster[H].state.accepted
    for liar in (D1, D2):
        cluster.puppet(liar, ibft.Ballot(vote=vote(members, VoteKind.PREPARE, liar, x)), [H, A, B])
        cluster.puppet(liar, ibft.Ballot(vote=vote(members, VoteKind.COMMIT, liar, x)), [H])
    cluster.pump()
    assert cluster[H].decided[1].header_hash == x
    assert [s for s in (A, B, C, E) if VoteKind.COMMIT in [v.kind for v in cluster[s].signed]] == [A, B]

    # H is cut off. A, C, E give up on round 0; B's timer still runs. The liars say they prepared nothing.
    def round_1(sender: int, receiver: int, message: ibft.Message) -> bool:
        if H in (sender, receiver):
            return False
        if isinstance(message, ibft.RoundChange):
            return receiver == E
        if isinstance(message, ibft.Ballot):
            return False
        return receiver != A

    cluster.links = round_1
    cluster.expire(A, C, E)
    for liar in (D1, D2):
        empty = ibft.RoundChange(vote=vote(members, VoteKind.ROUND_CHANGE, liar, bytes(32), round_=1), certificates=())
        cluster.puppet(liar, empty, [E])
    cluster.pump()
    jumped = cluster[B].state
    assert (jumped.round, jumped.accepted) == (1, x), "B was lifted to round 1 by E's proposal of X"
    assert jumped.prepared is not None
    assert (jumped.prepared.round, jumped.prepared.header_hash) == (0, x), "and still knows that it prepared X"

    # Round 2: A is cut off too. B's ROUND-CHANGE carries X, so D1 cannot justify Y.
    cluster.links = lambda sender, receiver, message: not {H, A} & {sender, receiver}
    cluster.expire(B, C, E)
    cluster.pump()
    shown = [m for _, _, m in cluster.sent if isinstance(m, ibft.RoundChange) and (m.vote.seat, m.vote.round) == (B, 2)]
    assert shown
    assert all(m.vote.prepared_round == 0 and m.vote.header_hash == x for m in shown)

    y = content(members, A, "Y")
    hash_y = read_header(y.header).hash
    changes = [cluster[s].state.own[VoteKind.ROUND_CHANGE].vote for s in (B, C, E)]
    lies = [vote(members, VoteKind.ROUND_CHANGE, liar, bytes(32), round_=2) for liar in (D1, D2)]
    forged = Justification(round_changes=(*changes, *lies), certificates=())
    _propose(cluster, A, hash_y, y, forged, round_=2)
    cluster.pump()
    assert all(hash_y not in cluster[s].state.contents for s in (B, C, E))

    # With everybody back, X is carried on, and all agree with H.
    cluster.links = lambda sender, receiver, message: True
    cluster.run(20_000)
    assert cluster.all_decided()
    assert cluster.agreed() == x


def _propose(
    cluster: Cluster, seat: int, hash_: Hash, block: ProposalContent, why: Justification, *, round_: int
) -> None:
    """Seat A, which leads round 2, is played by the liars here: its key has leaked."""
    attachment = justification_digest(why)
    word = vote(cluster.members, VoteKind.PROPOSAL, seat, hash_, round_=round_, attachment=attachment)
    cluster.puppet(seat, ibft.Proposal(vote=word, content=block, justification=why), [B, C, E])


def test_two_proven_values_of_one_round_are_an_alarm() -> None:
    """Beyond f liars two certificates of one round can exist: every seat in both is accused."""
    cluster = Cluster(4, puppets=(1, 2, 3)).start().pump()
    members = cluster.members
    for seat, word in ((1, "X"), (2, "Y")):
        hash_ = read_header(content(members, 0, word).header).hash
        proof = certificate(members, [1, 2, 3], hash_)
        digest = certificate_digest((proof,))
        change = vote(members, VoteKind.ROUND_CHANGE, seat, hash_, round_=1, prepared_round=0, attachment=digest)
        cluster.puppet(seat, ibft.RoundChange(vote=change, certificates=(proof,)), [0])
    cluster.pump()
    assert sorted(e.first.seat for e in cluster[0].conflicts()) == [1, 2, 3]
