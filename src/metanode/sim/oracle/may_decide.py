"""What a seat may call final, and what it must."""

from collections.abc import Iterator

from metanode.chain import ibft
from metanode.records.commit import BlsCommit
from metanode.records.header import read_header
from metanode.sim.oracle.knowledge import Knowledge
from metanode.sim.oracle.proofs import COMMIT


def may_settle(known: Knowledge, commit: BlsCommit) -> Iterator[str]:
    """IBFT-C1. A quorum of COMMITs of one round for one value, all of them heard, or the certificate itself; and the
    block was found valid here."""
    if commit.height != known.height:
        yield f"IBFT-C1: a certificate of height {commit.height} at height {known.height}"
    seats = known.proofs.final(commit, known.members)
    if not seats:
        yield "IBFT-C1: what it calls final has no certificate of a quorum"
    if commit not in known.told:
        table = known.votes.get((COMMIT, commit.round), {})
        unheard = [s for s in seats if s not in table or table[s].header_hash != commit.header_hash]
        if unheard:
            yield f"IBFT-C1: of seats {unheard} no COMMIT of round {commit.round} for this value was heard"
    if commit.header_hash not in known.valid:
        yield "IBFT-C1: the block was not found valid here"


def may_decide(known: Knowledge, effect: ibft.Decide) -> Iterator[str]:
    """IBFT-C1, C2. Only what was settled, which is durable; once."""
    if known.settled is None:
        yield "IBFT-C2: decides what is not durable"
        return
    if known.decided:
        yield "IBFT-C2: decides twice"
    header = read_header(effect.content.header)
    place = header.height, header.hash, effect.height, effect.round, effect.header_hash
    settled = known.settled
    if place != (known.height, settled.header_hash, settled.height, settled.round, settled.header_hash):
        yield "IBFT-C1: decides another block than the one that was settled"
    if settled.header_hash not in known.valid:
        yield "IBFT-C1: the block was not found valid here"


def must_decide(known: Knowledge) -> Iterator[str]:
    """IBFT-C1. As soon as a certificate is there, of whatever round: decide, or get the block and have it judged."""
    if known.decided:
        return
    for value, round_ in known.certified.items():
        if value not in known.wanted and value not in known.judging:
            here = "valid here" if value in known.valid else "not asked for"
            yield f"IBFT-C1: a quorum committed in round {round_} to a block that is {here}, and it does not decide"


def may_improve(known: Knowledge, commit: BlsCommit) -> Iterator[str]:
    """IBFT-C3. Of the same block and round, and still a certificate."""
    settled = known.settled
    same = settled is not None and (settled.round, settled.header_hash) == (commit.round, commit.header_hash)
    if not same or not known.proofs.final(commit, known.members):
        yield "IBFT-C3: improves a certificate into one that is none, or of another block"
