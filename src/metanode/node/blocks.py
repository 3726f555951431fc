"""Blocks on their way: built, judged, decided, applied. The ledger says what they do, `proposal` what they must be."""

from typing import Final

from metanode.chain import ibft
from metanode.chain.mempool import BlockFinal, FoundInadmissible, Select
from metanode.chain.proposal import Hold, Release, block_timestamp, build_header
from metanode.chain.sync import Applied
from metanode.ledger import AdmissionRefusal, BlockInput, Execution, Refused
from metanode.node.applied import accounts_written, rows_of_block
from metanode.node.desk import Candidate, Desk, Tip
from metanode.node.effects import AppendBlock, JournalCheckpoint, PublishFinal, WriteStore
from metanode.node.guilt import drop, due_evidence, review
from metanode.node.settings import CHECKPOINT_BLOCKS, CHECKPOINT_BYTES
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Round
from metanode.records.block import BLOCK_BYTES_MAX, Body, KnownTransaction, final_block
from metanode.records.commit import BlsCommit
from metanode.records.evidence import evidence_digest
from metanode.records.header import HEADER_BYTES, Header
from metanode.records.proposal import proposal_content

IBFT_RECORD: Final = b"i"
"""First byte of a journal record of IBFT; the rest is its own."""
BODY_RECORD: Final = b"b"
"""First byte of a journal record that holds a block's header and body."""
CANDIDATES_MAX: Final = 16
"""Undecided blocks of one height kept with their bodies: one a round."""


class BodyRecord(Wire):
    """A body that was found valid: durable before the PREPARE that says so."""

    header: bytes
    body: Body


BODY_RECORDS: Final = Decoder[BodyRecord](BodyRecord, BLOCK_BYTES_MAX + HEADER_BYTES + 64)


def start_building(desk: Desk, height: int, round_: int) -> None:
    """IBFT leads and wants a block: what the pool gives next is for it."""
    parameters = desk.tip.parameters
    desk.building = (height, round_)
    desk.tell(
        "pool",
        Select(
            now_ms=desk.now_ms,
            timestamp_ms=block_timestamp(desk.tip.timestamp_ms, desk.now_ms),
            bytes_max=parameters.block_bytes_max,
            count_max=parameters.block_transactions_max,
            work_max=parameters.block_work_max,
        ),
    )


def finish_building(desk: Desk, transactions: tuple[KnownTransaction, ...]) -> None:
    """Execute what the pool selected, leave out what is not admissible, and hand the block to IBFT."""
    height, round_ = desk.building
    if height != desk.tip.height + 1 or desk.seat < 0:
        return
    candidate = _execute(desk, block_timestamp(desk.tip.timestamp_ms, desk.now_ms), transactions)
    keep(desk, candidate)
    leaves = [known.leaf for known in candidate.transactions]
    content = proposal_content(candidate.header, leaves, candidate.body.last_commit, candidate.body.evidence)
    desk.tell("ibft", ibft.Built(desk.now_ms, Height(height), Round(round_), content))


def _execute(desk: Desk, timestamp_ms: int, transactions: tuple[KnownTransaction, ...]) -> Candidate:
    """A block of ours: run it, take what was included, make its header."""
    tip = desk.tip
    evidence = due_evidence(desk)
    execution = desk.ledger.execute(
        tip.hash,
        BlockInput(Height(tip.height + 1), Millis(timestamp_ms), desk.seat, evidence, transactions),
    )
    _tell_refused(desk, transactions, execution.refused_transactions)
    if execution.refused_evidence:
        refused = {r.index for r in execution.refused_evidence}
        drop(desk, {evidence_digest(evidence[i]): True for i in refused})
        evidence = tuple(e for i, e in enumerate(evidence) if i not in refused)
    included = execution.transactions
    body = Body(
        version=1,
        last_commit=tip.commit,
        evidence=evidence,
        transactions=tuple(known.encoded for known in included),
    )
    header = build_header(
        version=tip.rules_version,
        chain_id=desk.chain_id,
        height=Height(tip.height + 1),
        timestamp_ms=Millis(timestamp_ms),
        proposer=desk.seat,
        parent_hash=tip.hash,
        frontier=tip.frontier,
        body=body,
        leaves=[known.leaf for known in included],
        state_root=execution.state_root,
        receipts_root=execution.receipts_root,
        validators_hash=tip.validators.hash,
        next_validators_hash=execution.validators.hash,
    )
    return Candidate(header, body, included, execution)


def _tell_refused(desk: Desk, transactions: tuple[KnownTransaction, ...], refused: tuple[Refused, ...]) -> None:
    """The pool forgets what is inadmissible by itself; a full block and a missing predecessor are nobody's fault."""
    innocent = (AdmissionRefusal.BLOCK_FULL, AdmissionRefusal.NONCE_AHEAD)
    items = tuple(
        (transactions[r.index].identity, r.reason.value, r.detail) for r in refused if r.reason not in innocent
    )
    if items:
        desk.tell("pool", FoundInadmissible(desk.now_ms, items))


def keep(desk: Desk, candidate: Candidate) -> None:
    """Remember an executed block of the next height. The one this seat is locked on stays, however many rounds follow:
    it is what may still be decided (IBFT-P7)."""
    desk.ledger.adopt(candidate.header.hash, candidate.execution)
    desk.candidates[candidate.header.hash] = candidate
    while len(desk.candidates) > CANDIDATES_MAX:
        del desk.candidates[next(name for name in desk.candidates if name != desk.locked)]


def vouch(desk: Desk, header_hash: Hash) -> None:
    """IBFT-R1. The body is durable; only now IBFT hears that the block is good."""
    candidate = desk.candidates[header_hash]
    if header_hash not in desk.journalled:
        desk.tell("assembly", Hold(header_hash, candidate.header.height, candidate.transactions))
    _journal_body(desk, candidate)
    desk.tell("ibft", ibft.Validated(desk.now_ms, header_hash, valid=True, refusal=""))


def _journal_body(desk: Desk, candidate: Candidate) -> None:
    if candidate.header.hash not in desk.journalled:
        desk.journalled[candidate.header.hash] = True
        desk.journal(BODY_RECORD + encode(BodyRecord(header=candidate.header.encoded, body=candidate.body)))


def decide(desk: Desk, header_hash: Hash, commit: BlsCommit) -> None:
    """IBFT decided, and journalled that it did: apply the block it validated here before."""
    apply(desk, desk.candidates[header_hash], commit, append=True)
    _checkpoint(desk)


def import_final(desk: Desk, candidate: Candidate, commit: BlsCommit) -> None:
    """DISK-7. A block that came by sync is journalled like one decided here: until the next checkpoint store and block
    log are not synced, and a power cut may leave either ahead of the other."""
    _journal_body(desk, candidate)
    desk.journal(IBFT_RECORD + encode(ibft.Settled(height=candidate.header.height, commit=commit)))
    apply(desk, candidate, commit, append=True)
    _checkpoint(desk)


def apply(desk: Desk, candidate: Candidate, commit: BlsCommit, *, append: bool) -> None:
    """A final block becomes the tip: log, store, tell everybody. The journal already holds what makes it final."""
    header = candidate.header
    desk.ledger.adopt(header.hash, candidate.execution)  # it forgets undecided blocks, too
    execution = desk.ledger.commit(header.hash)
    old, desk.tip = desk.tip, _next_tip(desk.tip, header, commit, execution)
    if append:
        desk.emit(AppendBlock(header.height, encode(final_block(header, commit, candidate.body))))
    desk.emit(WriteStore(header.height, rows_of_block(desk.tip, old, execution)))
    desk.candidates.clear()
    desk.journalled.clear()
    desk.locked, desk.applied_ms = NO_HASH, desk.now_ms
    identities = tuple(known.identity for known in candidate.transactions)
    desk.emit(PublishFinal(header.height, header.encoded, commit, header.timestamp_ms, identities, execution.receipts))
    _tell_rooms(desk, candidate)
    review(desk)
    desk.note(
        "final",
        height=header.height,
        round=commit.round,
        transactions=len(identities),
        bytes=sum(len(t) for t in candidate.body.transactions),
        age_ms=desk.now_ms - header.timestamp_ms,
    )


def _next_tip(old: Tip, header: Header, commit: BlsCommit, execution: Execution) -> Tip:
    """The tip after a block."""
    return Tip(
        height=header.height,
        hash=header.hash,
        timestamp_ms=header.timestamp_ms,
        header=(header,),
        commit=(commit,),
        frontier=old.frontier.append(header.hash),
        previous_validators=old.validators,
        validators=execution.validators,
        parameters=execution.parameters,
        rules_version=execution.rules_version,
        history=old.frontier,
    )


def _tell_rooms(desk: Desk, candidate: Candidate) -> None:
    """The pool forgets what is final, the assembly its bodies, sync where we were."""
    header, execution, now_ms = candidate.header, candidate.execution, desk.now_ms
    touched = tuple(accounts_written(execution.writes))
    desk.tell(
        "pool",
        BlockFinal(now_ms, header.height, header.timestamp_ms, candidate.transactions, touched, execution.parameters),
    )
    desk.tell("assembly", Release(header.height))
    votes = desk.may_vote and desk.seat >= 0
    desk.tell(
        "sync", Applied(now_ms, header.height, header.hash, header.timestamp_ms, execution.validators, votes=votes)
    )


def _checkpoint(desk: Desk) -> None:
    """DISK-7. From time to time blocks and state are made durable and the journal begins anew, empty: what it held
    concerns heights that are final and stored."""
    desk.blocks_since_checkpoint += 1
    if desk.blocks_since_checkpoint >= CHECKPOINT_BLOCKS or desk.journal_bytes >= CHECKPOINT_BYTES:
        desk.blocks_since_checkpoint = 0
        desk.journal_bytes = 0
        desk.emit(JournalCheckpoint(()))
