"""What a seat owes by the end of a turn, when nothing more follows from what happened: the rules that oblige."""

from collections.abc import Iterator

from metanode.chain.ibft import Proposal
from metanode.records.vote import NO_ROUND
from metanode.sim.oracle.knowledge import Knowledge
from metanode.sim.oracle.may_decide import must_decide
from metanode.sim.oracle.may_step import supported
from metanode.sim.oracle.proofs import COMMIT, PREPARE, PROPOSAL, ROUND_CHANGE


def must(known: Knowledge) -> Iterator[str]:
    """Everything that is due and was not done."""
    yield from must_decide(known)
    if known.settled is not None or known.decided:
        return
    beyond = supported(known)
    if beyond >= 0:
        yield f"IBFT-V2: f + 1 seats are in round {beyond} or beyond, and it stays in round {known.round}"
    higher = [round_ for round_, proposal in known.proposals.items() if round_ > known.round and proposal]
    if higher:
        yield f"IBFT-P6: a justified proposal of round {max(higher)} is there, and it stays in round {known.round}"
    if known.ran_out == known.round:
        yield f"IBFT-V1: the time of round {known.round} ran out, and it stays there"
    if is_due(known):
        if not known.slow_timer:
            yield "IBFT-V4: nothing will be sent again"
        if known.speaking and not known.round_timer and _runs(known):
            yield f"IBFT-V8: a quorum is in round {known.round}, and its time does not run"
    if known.speaking:
        yield from _must_speak(known)


def is_due(known: Knowledge) -> bool:
    """IBFT-V1. Whether a block is due, was proposed, or was fought for already."""
    return known.block_due or known.resumed or known.round > 0 or known.round in known.taken_up


def _runs(known: Knowledge) -> bool:
    """IBFT-V8."""
    return known.round == 0 or known.round in known.taken_up or known.here() >= known.quorum


def _must_speak(known: Knowledge) -> Iterator[str]:
    """IBFT-R1, R2, V3, P9, V1. The last word that is due in this round was asked for; whatever is due next, too."""
    proposal, round_ = known.proposals.get(known.round), known.round
    value = proposal.vote.header_hash if isinstance(proposal, Proposal) else b""
    if value and not known.accepted and value in known.valid and value not in known.judging:
        yield f"IBFT-R1: the proposal of round {round_} is justified and valid, and it does not accept"
    locked = known.prepared is not None and known.prepared.round == round_
    shown = known.shown.get(round_)
    told = shown is not None and shown.header_hash == known.accepted
    enough = told or known.tally.get((PREPARE, round_, known.accepted), 0) >= known.quorum
    if known.accepted and not locked and enough:
        yield f"IBFT-R2: a quorum prepared in round {round_}, and it does not commit"
    if known.leads:
        yield from _must_lead(known)
    steps = (
        (COMMIT, locked, "IBFT-R2: is prepared"),
        (PREPARE, bool(known.accepted), "IBFT-R1: has accepted"),
        (PROPOSAL, round_ in known.proposed, "IBFT-P9: has written down a proposal"),
        (ROUND_CHANGE, known.announced, "IBFT-V1: has moved"),
    )
    last = next((step for step in steps if step[1]), None)
    if last is not None and (last[0], round_) not in known.asked and is_due(known):
        yield f"{last[2]} in round {round_}, and does not say so"


def _must_lead(known: Knowledge) -> Iterator[str]:
    """IBFT-P2, V3. The leader of round 0 builds when a block is due; of another one, once a quorum is there."""
    if known.round in known.proposed or known.built == known.round or known.accepted:
        return
    changes = known.changes.get(known.round, {})
    if known.round == 0:
        if known.block_due:
            yield "IBFT-P2: a block is due, and the leader does not build one"
    elif len(changes) >= known.quorum:
        shown = [c.vote for c in changes.values() if c.vote.prepared_round != NO_ROUND]
        highest = max(shown, key=lambda vote: vote.prepared_round, default=None)
        on_its_way = highest is not None and (
            highest.header_hash in known.wanted or highest.header_hash in known.judging
        )
        if not on_its_way:
            yield f"IBFT-V3: {len(changes)} seats changed to round {known.round}, and its leader does not propose"
