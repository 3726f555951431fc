"""Which words a seat may sign and send, and to whom: given the steps it wrote down and what it heard."""

from collections.abc import Iterator

from metanode.chain import ibft
from metanode.chain.ibft import Ballot, Content, Decided, Prepared, Proposal, RoundChange, Wanted
from metanode.records.vote import Vote, justification_digest
from metanode.sim.oracle.knowledge import Knowledge
from metanode.sim.oracle.may_step import may_show
from metanode.sim.oracle.numbers import again_ms, timeout_ms
from metanode.sim.oracle.proofs import COMMIT, PREPARE, PROPOSAL, ROUND_CHANGE, has_share, word

ROUND_TIMER = "ibft.round/"
"""Timers of this name are the round's own."""
SLOW_TIMER = "ibft.resend/"
"""Timers of this name send again."""
DECISIONS_MAX = 16
"""IBFT-M3. A peer hears a decision so often while one height lasts."""


def may_sign(known: Knowledge, effect: ibft.Sign) -> Iterator[str]:
    """IBFT-R1, R2, R3, P9, V1, C2. Whatever is signed was written down before; one word for each step."""
    vote = effect.vote
    if not known.speaking:
        yield "GUARD-8: signs, and may not vote (yet) in this height"
    if known.settled is not None:
        yield "IBFT-C2: signs after the decision"
    place = effect.chain_id, effect.validators_hash, vote.height, vote.seat
    if place != (known.proofs.chain_id, known.members.hash, known.height, known.seat):
        yield "IBFT-M1: signs for another chain, set, height or seat"
    if vote.round != known.round:
        yield f"IBFT-V7: signs for round {vote.round}, and is in round {known.round}"
    due = known.proofs.seal_message(vote.kind, vote, known.members) if has_share(vote.kind, known.count) else b""
    if effect.seal_message != due:
        yield "BLS-B10: the share is over other bytes, or there is one too many or too few"
    if known.asked.setdefault((vote.kind, vote.round), word(vote)) != word(vote):
        yield "IBFT-M2: signs a second word for one step"
    yield from _written(known, vote)


def _written(known: Knowledge, vote: Vote) -> Iterator[str]:
    """The step that this word shows is durable."""
    locked = known.prepared
    if vote.kind == PROPOSAL:
        step = known.proposed.get(vote.round)
        if step is None or (step.header_hash, justification_digest(step.justification)) != word(vote)[::2]:
            yield "IBFT-P9: signs a proposal that it did not write down"
    elif vote.kind == PREPARE and vote.header_hash != known.accepted:
        yield "IBFT-R1: signs a PREPARE before it wrote down that it accepted"
    elif vote.kind == COMMIT and (
        locked is None or (locked.round, locked.header_hash) != (vote.round, vote.header_hash)
    ):
        yield "IBFT-R2: signs a COMMIT before it wrote down that it is prepared"
    elif vote.kind == ROUND_CHANGE:
        if not known.announced:
            yield "IBFT-V1: signs a ROUND-CHANGE before it wrote down that it moved"
        yield from may_show(known, vote.prepared_round, vote.header_hash, vote.attachment)


def may_broadcast(known: Knowledge, message: ibft.Message) -> Iterator[str]:
    """IBFT-V4. Its own signed words, now or once more."""
    leader = known.collects and known.seat == known.leader(0)
    if isinstance(message, Prepared) and not (leader and known.prepared == message.certificate):
        yield "IBFT-L2: shows a certificate, and is not the leader of a large set who was prepared by it"
    if not isinstance(message, Proposal | Ballot | RoundChange):
        return
    if isinstance(message, Ballot) and known.by_leader and not known.resumed:
        yield "IBFT-L1: a vote goes to all, and only the leader should hear it"
    if known.own.get(message.vote.signature) != message.vote:
        yield "IBFT-M4: sends to all what it has not signed itself"
    elif isinstance(message, RoundChange) and not known.proofs.round_change(message, known.members, known.height):
        yield "IBFT-P3: sends a ROUND-CHANGE without the certificate that it was signed over"
    elif isinstance(message, Proposal) and justification_digest(message.justification) != message.vote.attachment:
        yield "IBFT-M1: sends a proposal with another justification than it was signed over"


def may_send(known: Knowledge, effect: ibft.SendTo) -> Iterator[str]:
    """IBFT-M5, V4, V5. To one seat: its own words, its leader's proposal to who prepares another value, answers."""
    message, seat = effect.message, effect.seat
    match message:
        case Proposal(vote=vote):
            if known.own.get(vote.signature) == vote:
                return
            table = known.votes.get((PREPARE, vote.round), {})
            other = seat in table and table[seat].header_hash != vote.header_hash
            if known.proposals.get(vote.round) != message or not other:
                yield f"IBFT-M5: sends seat {seat}, who prepares the same or nothing, a proposal of another"
            if known.passed.setdefault((vote.round, seat), False):
                yield f"IBFT-M5: shows seat {seat} the proposal of round {vote.round} twice"
            known.passed[vote.round, seat] = True
        case RoundChange(vote=vote):
            if known.own.get(vote.signature) != vote or vote.round != known.round:
                yield "IBFT-V5: answers with a ROUND-CHANGE that is not its own of this round"
        case Ballot(vote=vote):
            if known.own.get(vote.signature) != vote or seat != known.leader(known.round):
                yield "IBFT-L1: a vote to one seat, which is not the leader, or of another seat"
            if not known.by_leader:
                yield "IBFT-L3: a vote to the leader alone, where it should go to all"
        case Wanted() | Content() | Decided() | _:
            pass


def may_relay(known: Knowledge, effect: ibft.Relay) -> Iterator[str]:
    """IBFT-M4. In trouble, in a small set: words of this round, or ahead as far as votes are kept, of their author."""
    message = effect.message
    assert isinstance(message, Proposal | Ballot | RoundChange), "only votes are passed on"
    vote = message.vote
    if not known.in_trouble or not known.speaking:
        yield "IBFT-M4: passes on while no round has failed"
    if vote.round < known.round or not known.proofs.signed(vote, known.members) or vote.seat != effect.seat:
        yield "IBFT-M4: passes on what is over, or what its author did not sign"


def may_set_timer(known: Knowledge, effect: ibft.SetTimer) -> Iterator[str]:
    """IBFT-V1, V4, V6, V8. The round's own time, once a quorum is there; the slow timer."""
    base = timeout_ms(known.timeout_ms, known.timeout_max_ms, known.round)
    if effect.timer.startswith(ROUND_TIMER):
        if effect.delay_ms != base:
            yield f"IBFT-V6: round {known.round} takes {effect.delay_ms} ms, not {base}"
        if not known.speaking:
            yield "IBFT-V1: an observer's time runs"
        if known.round and known.round not in known.taken_up and known.here() < known.quorum:
            yield f"IBFT-V8: the time of round {known.round} runs while {known.here()} seats are known to be there"
        if not (known.block_due or known.resumed or known.round or 0 in known.taken_up):
            yield "IBFT-V1: the time of round 0 runs before a block is due"
    elif effect.timer.startswith(SLOW_TIMER):
        due = again_ms(base, known.seat if known.speaking else -1, known.count)
        if effect.delay_ms != due:
            yield f"IBFT-V4: sends again after {effect.delay_ms} ms, not {due}"


def may_build(known: Knowledge, effect: ibft.Build) -> Iterator[str]:
    """IBFT-V3, P4. The leader, once a block is due; above round 0 once a quorum changed rounds and prepared nothing."""
    if not known.speaking or not known.leads or effect.round != known.round:
        yield "IBFT-P1: builds a block, and does not lead"
    free = len(known.free.get(known.round, {}))
    if known.round and free < known.quorum:
        yield f"IBFT-P4: begins afresh while {free} ROUND-CHANGEs show nothing prepared"
    if known.round == 0 and not known.block_due:
        yield "IBFT-V1: builds before a block is due"
