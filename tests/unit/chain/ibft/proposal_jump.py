"""The counter-example against engines that forget what they prepared when a justified proposal lifts them up.

Seven validators, f = 2, Q = 5; D1 and D2 lie. Round 0: H, A, B prepare X; H alone hears five COMMITs, decides X and is
cut off. A, C, E and the liars change to round 1, A shows its certificate, E proposes X again. B, whose timer still runs
in round 0, is lifted to round 1 by that proposal. The PREPAREs of round 1 are lost and A is cut off. In round 2 D1
leads and has the ROUND-CHANGEs of B, C, E, D1 and D2. Only B's can show that X was prepared: if B has forgotten it, D1
may propose Y, and five seats make Y final beside X.

Run as a program it prints how that ends: with the sign guard, and with bare keys.
"""

import sys

from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import content, vote

from metanode.chain import ibft
from metanode.primitives.names import NO_HASH
from metanode.records.header import read_header
from metanode.records.proposal import ProposalContent
from metanode.records.vote import Justification, Vote, VoteKind, justification_digest

H, E, D1, A, B, C, D2 = range(7)
"""At height 1 seat r leads round r."""
LIARS = (D1, D2)


def first_round(*, guarded: bool) -> Cluster:
    """Round 0: PREPAREs reach H, A and B; COMMITs reach H alone, which decides X."""
    cluster = Cluster(7, puppets=LIARS, guarded=guarded)

    def links(_: int, receiver: int, message: ibft.Message) -> bool:
        if isinstance(message, ibft.Ballot):
            return receiver in (H, A, B) if message.vote.kind == VoteKind.PREPARE else receiver == H
        return True

    cluster.links = links
    cluster.start().pump()
    x = cluster[H].state.accepted
    for liar in LIARS:
        cluster.puppet(liar, ibft.Ballot(vote=vote(cluster.members, VoteKind.COMMIT, liar, x)), [H])
    return cluster.pump()


def jump(cluster: Cluster) -> None:
    """Round 1: H is cut off, A too but for its ROUND-CHANGE; E's proposal lifts B, whose timer still runs."""

    def links(sender: int, receiver: int, message: ibft.Message) -> bool:
        if H in (sender, receiver) or isinstance(message, ibft.Ballot):
            return False
        return receiver == E if isinstance(message, ibft.RoundChange) else receiver != A

    cluster.links = links
    cluster.expire(A, C, E)
    for liar in LIARS:
        cluster.puppet(liar, ibft.RoundChange(vote=_nothing_prepared(cluster, liar, 1), certificates=()), [E])
    cluster.pump()


def lie(cluster: Cluster) -> None:
    """Round 2: B, C and E change rounds; D1 proposes Y over whatever they show, and both liars vote for it."""
    members = cluster.members
    cluster.links = lambda sender, receiver, _: not {H, A} & {sender, receiver}
    cluster.expire(B, C, E).pump()
    shown = {m.vote.seat: m.vote for _, r, m in cluster.sent if isinstance(m, ibft.RoundChange) and r == D1}
    changes = [shown[seat] for seat in (B, C, E) if seat in shown and shown[seat].round == 2]
    why = Justification(
        round_changes=(*changes, *(_nothing_prepared(cluster, liar, 2) for liar in LIARS)), certificates=()
    )
    y = block_y(cluster)
    hash_y = read_header(y.header).hash
    word = vote(members, VoteKind.PROPOSAL, D1, hash_y, round_=2, attachment=justification_digest(why))
    cluster.puppet(D1, ibft.Proposal(vote=word, content=y, justification=why), [B, C, E])
    for kind in (VoteKind.PREPARE, VoteKind.COMMIT):
        for liar in LIARS:
            cluster.puppet(liar, ibft.Ballot(vote=vote(members, kind, liar, hash_y, round_=2)), [B, C, E])
    cluster.pump()


def block_y(cluster: Cluster) -> ProposalContent:
    """The block of the liars."""
    return content(cluster.members, D1, "Y")


def _nothing_prepared(cluster: Cluster, liar: int, round_: int) -> Vote:
    return vote(cluster.members, VoteKind.ROUND_CHANGE, liar, NO_HASH, round_=round_)


def play(*, guarded: bool) -> Cluster:
    """All three rounds."""
    cluster = first_round(guarded=guarded)
    jump(cluster)
    lie(cluster)
    return cluster


def ending(cluster: Cluster) -> str:
    """Who decided what, and whether that is one thing."""
    names = dict(zip((H, E, D1, A, B, C, D2), ("H", "E", "D1", "A", "B", "C", "D2"), strict=True))
    decided: dict[bytes, list[str]] = {}
    for seat, player in cluster.players.items():
        if 1 in player.decided:
            decided.setdefault(player.decided[1].header_hash, []).append(names[seat])
    x = cluster[H].decided[1].header_hash
    told = "; ".join(f"{' '.join(seats)} decided {'X' if hash_ == x else 'Y'}" for hash_, seats in decided.items())
    refused = "; ".join(f"the guard of {names[s]} refused" for s, p in cluster.players.items() if p.refused)
    return ", ".join(part for part in ("FORK" if len(decided) > 1 else "one value", told, refused) if part)


if __name__ == "__main__":
    for guard in (True, False):
        sys.stdout.write(f"{'guarded' if guard else 'bare keys'}: {ending(play(guarded=guard))}\n")
