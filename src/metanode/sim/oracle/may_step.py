"""Which steps a seat may write into its journal: each is checked against what it heard, before it speaks of it."""

from collections.abc import Iterator

from metanode.chain import ibft
from metanode.chain.ibft import Accepted, Held, Locked, Moved, Proposal, Proposed, Settled, Spoke
from metanode.records.commit import certificate_digest
from metanode.records.vote import NO_ROUND, Justification
from metanode.sim.oracle.knowledge import Knowledge
from metanode.sim.oracle.may_decide import may_settle
from metanode.sim.oracle.proofs import PREPARE


def may_step(known: Knowledge, record: ibft.Record) -> Iterator[str]:
    """Why this step is forbidden now: sentences that begin with the rule."""
    if record.height != known.height:
        yield f"IBFT-V7: a step at height {record.height}, not {known.height}"
        return
    if known.settled is not None and not isinstance(record, Spoke | Held):
        yield f"IBFT-C2: {type(record).__name__} after the decision"
    match record:
        case Proposed():
            yield from _may_propose(known, record)
        case Accepted(round=round_, header_hash=header_hash):
            yield from _may_accept(known, round_, header_hash)
        case Locked():
            yield from _may_lock(known, record)
        case Moved():
            yield from _may_move(known, record)
        case Spoke(vote=vote):
            if vote.signature not in known.own:
                yield "IBFT-V4: remembers a word that it has not signed"
        case Settled(commit=commit):
            yield from may_settle(known, commit)
        case Held():
            pass


def _may_propose(known: Knowledge, record: Proposed) -> Iterator[str]:
    """IBFT-P1, P3, P4, P5, P8, P9, V3."""
    round_, value, why = record.round, record.header_hash, record.justification
    if not known.speaking:
        yield "GUARD-9: an observer proposes"
    if known.leader(round_) != known.seat:
        yield f"IBFT-P1: seat {known.leader(round_)} leads round {round_}, not seat {known.seat}"
    if round_ != known.round:
        yield f"IBFT-V3: proposes in round {round_}, and is in round {known.round}"
    before = known.proposed.get(round_)
    if before is not None and before != record:
        yield f"IBFT-P9: another proposal was written down for round {round_}"
    if value not in known.valid and before is None:
        yield "IBFT-P8: its own block was not found valid"
    if value not in known.held:
        yield "IBFT-P9: the block is not durable"
    yield from (f"IBFT-{wrong}" for wrong in _unjustified(known, round_, value, why))


def _unjustified(known: Knowledge, round_: int, value: bytes, why: Justification) -> Iterator[str]:
    """IBFT-P3 … P5. What this seat shows, and whether it heard and checked all of it."""
    for change in why.round_changes:
        if known.all_changes.get(change.signature) != change and change.signature not in known.own:
            yield f"P5: shows a ROUND-CHANGE of seat {change.seat} that it did not hear, or whose certificate is bad"
    if wrong := known.proofs.justified(known.height, round_, value, why, known.members):
        yield wrong


def _may_accept(known: Knowledge, round_: int, value: bytes) -> Iterator[str]:
    """IBFT-P6, R1."""
    if not known.speaking:
        yield "GUARD-9: an observer accepts"
    if round_ != known.round:
        yield f"IBFT-P6: accepts in round {round_}, and is in round {known.round}"
    if known.accepted:
        if known.accepted != value:
            yield f"IBFT-P6: a second value in round {round_}"
        return
    proposal = known.proposals.get(round_)
    if not isinstance(proposal, Proposal) or proposal.vote.header_hash != value:
        yield f"IBFT-P6: no justified proposal of the leader of round {round_} has this value"
    if value not in known.valid:
        yield "IBFT-R1: the block was not found valid"
    if value not in known.held:
        yield "IBFT-R1: the block is not durable"


def _may_lock(known: Knowledge, record: Locked) -> Iterator[str]:
    """IBFT-R2. A quorum of PREPAREs, for what was accepted, in this round, all of them heard. Who was an observer till
    now may have seen them in an earlier round, for a block that is valid here (GUARD-9)."""
    certificate = record.certificate
    round_, value = certificate.round, certificate.header_hash
    if not known.speaking:
        yield "GUARD-9: an observer locks"
    if known.prepared is not None and known.prepared == certificate:
        return
    if known.observed and round_ < known.round:
        if known.prepared is not None and round_ <= known.prepared.round:
            yield f"IBFT-P7: goes back to round {round_}, being prepared in round {known.prepared.round}"
        if not (value in known.valid or value in known.vouched) or value not in known.held:
            yield "IBFT-R1: the block was not found valid, or is not durable"
    elif round_ != known.round or value != known.accepted:
        yield f"IBFT-R2: prepared in round {round_} what was not accepted in round {known.round}"
    if not known.proofs.prepared(certificate, known.members, known.height):
        yield "IBFT-R2: what it wrote down is no certificate of a quorum"
    if certificate != known.shown.get(round_) and known.tally.get((PREPARE, round_, value), 0) < known.quorum:
        heard = known.tally.get((PREPARE, round_, value), 0)
        yield f"IBFT-R2: {heard} PREPAREs were heard, a quorum is {known.quorum}"


def _may_move(known: Knowledge, record: Moved) -> Iterator[str]:
    """IBFT-V1, V2, V7, P6. Out of time, behind f + 1 others, or after a justified proposal; never back."""
    round_ = record.round
    if record.announced and not known.speaking:
        yield "GUARD-9: an observer announces a round"
    if round_ == known.round and record.announced and known.observed:
        return  # GUARD-9: a seat that was an observer till now says where it is
    if round_ <= known.round:
        yield f"IBFT-V7: from round {known.round} to round {round_}"
    if known.ran_out == known.round and round_ == known.round + 1:
        if known.speaking and not record.announced:
            yield f"IBFT-V1: leaves round {known.round}, whose time ran out, without a word"
        return
    if known.round < round_ <= supported(known):
        return  # of what came at once the first words may have moved it less far
    if record.announced:
        yield f"IBFT-V2: announces round {round_}; its time has not run out, and f + 1 others are not there"
    elif round_ not in known.taken_up:
        yield f"IBFT-P6: enters round {round_} without a justified proposal of it"


def supported(known: Knowledge) -> int:
    """IBFT-V2. The lowest of the f + 1 furthest rounds beyond this one; -1 where fewer are beyond."""
    ahead = sorted((c.vote.round for c in known.furthest.values() if c.vote.round > known.round), reverse=True)
    return ahead[known.liars] if len(ahead) > known.liars else -1


def may_show(known: Knowledge, prepared_round: int, value: bytes, attachment: bytes) -> Iterator[str]:
    """IBFT-P7, V1. What a ROUND-CHANGE says was prepared: the highest certificate that was written down, or it would
    say something else after a stop."""
    locked = known.prepared
    if locked is None:
        if prepared_round != NO_ROUND:
            yield "IBFT-V1: shows a certificate that it did not write down"
    elif (prepared_round, value, attachment) != (locked.round, locked.header_hash, certificate_digest((locked,))):
        yield f"IBFT-P7: hides that it was prepared in round {locked.round}"
