"""Judging a proposed block: its certificate, its evidence, its body; then everything by executing it."""

from typing import Final

from metanode.chain import ibft
from metanode.chain.bls import commit_claim
from metanode.chain.evidence import evidence_claims
from metanode.chain.proposal import FOREIGN, Assemble, Forget, check_header
from metanode.ledger import WORK_AUTHORIZATION, BlockInput
from metanode.node.blocks import keep, vouch
from metanode.node.desk import Candidate, Desk, Judgement
from metanode.node.effects import CheckAggregates, CheckSignatures
from metanode.node.guilt import validators_by_hash
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import Body, KnownTransaction
from metanode.records.commit import BlsCommit
from metanode.records.evidence import Evidence
from metanode.records.header import read_header
from metanode.records.proposal import ProposalContent

JUDGED_MAX: Final = 16
"""Blocks judged at once: one a round; of more the oldest is turned away."""


class BlockRefusal(Refusal):
    """Why a proposed block is invalid, beyond what `proposal` and the ledger say."""

    WRONG_PARENT_COMMIT = "block.wrong-parent-commit"
    """The certificate it carries is not a valid one of its parent."""
    BAD_EVIDENCE = "block.bad-evidence"
    """A piece of evidence it carries proves nothing."""
    WRONG_RESULTS = "block.wrong-results"
    """Executing it gives another state, other receipts or another set than its header says."""
    INADMISSIBLE = "block.inadmissible"
    """It carries a transaction or evidence that may not be in it."""
    GIVEN_UP = "block.given-up"
    """Its body did not come while many other blocks were proposed at this height."""


def judge(desk: Desk, request: ibft.Validate) -> None:
    """PROP: begin to judge, or answer at once what is known already."""
    header_hash = request.header_hash
    candidate = desk.candidates.get(header_hash)
    if candidate is not None and _is_content_of(candidate, request.content):
        vouch(desk, header_hash)
        return
    if header_hash in desk.court.open:
        return
    try:
        judgement = Judgement(request, read_header(request.content.header))
        _check_against_tip(desk, judgement)
    except Rejected as rejected:
        if rejected.reason in FOREIGN:
            # PROP-6: the header may be fine, its sections were swapped: IBFT blames the deliverer and asks on.
            code = rejected.reason.value
            desk.tell("ibft", ibft.Validated(desk.now_ms, header_hash, valid=False, refusal=code, foreign=True))
            return
        refuse(desk, header_hash, rejected.reason, rejected.detail)
        return
    _make_room(desk)
    desk.court.open[header_hash] = judgement
    _ask_certificate(desk, judgement)
    for evidence in request.content.evidence:
        if header_hash in desk.court.open:
            _ask_evidence(desk, judgement, evidence)
    if header_hash in desk.court.open:
        judgement.waits += 1
        signatures_max = desk.tip.parameters.block_work_max // WORK_AUTHORIZATION
        desk.tell("assembly", Assemble(desk.now_ms, request.content, header_hash, request.source, signatures_max))


def _is_content_of(candidate: Candidate, content: ProposalContent) -> bool:
    """PROP-6. What is passed on later under this header must be what was executed here."""
    body, leaves = candidate.body, b"".join(known.leaf for known in candidate.transactions)
    carried = content.leaves, content.last_commit, content.evidence
    return carried == (leaves, body.last_commit, body.evidence)


def _make_room(desk: Desk) -> None:
    """Of too many blocks under judgement the oldest that no quorum is known to have prepared is turned away; should one
    be certified after all, IBFT has it judged again."""
    opened = desk.court.open
    if len(opened) >= JUDGED_MAX:
        for name in [name for name, judgement in opened.items() if not judgement.request.reproposed][:1]:
            refuse(desk, name, BlockRefusal.GIVEN_UP, f"{len(opened)} wait for their bodies, it is the oldest")


def _check_against_tip(desk: Desk, judgement: Judgement) -> None:
    tip = desk.tip
    check_header(
        judgement.header,
        judgement.request.content,
        version=tip.rules_version,
        chain_id=desk.chain_id,
        height=tip.height + 1,
        parent_hash=tip.hash,
        parent_timestamp_ms=tip.timestamp_ms,
        frontier=tip.frontier,
        validators=tip.validators,
        parameters=tip.parameters,
        now_ms=desk.now_ms,
        reproposed=judgement.request.reproposed,
    )


def _ask_certificate(desk: Desk, judgement: Judgement) -> None:
    """BLS-B7. Any valid certificate of the parent will do; ours is known, another is checked once."""
    tip, carried = desk.tip, judgement.request.content.last_commit
    if (not carried and tip.height == 0) or carried == tip.commit:
        return
    header_hash = judgement.request.header_hash
    try:
        claim = _parent_claim(desk, carried)
    except Rejected as rejected:
        refuse(desk, header_hash, BlockRefusal.WRONG_PARENT_COMMIT, rejected.detail)
        return
    judgement.waits += 1
    desk.emit(CheckAggregates("court", desk.court.token(header_hash), (claim,)))


def _parent_claim(desk: Desk, carried: tuple[BlsCommit, ...]) -> tuple[tuple[bytes, ...], bytes, bytes]:
    tip = desk.tip
    if len(carried) != 1 or carried[0].height != tip.height or carried[0].header_hash != tip.hash:
        raise Rejected(BlockRefusal.WRONG_PARENT_COMMIT, "none, or of another block")
    return commit_claim(carried[0], tip.previous_validators, desk.chain_id)


def _ask_evidence(desk: Desk, judgement: Judgement, evidence: Evidence) -> None:
    header_hash = judgement.request.header_hash
    validators = validators_by_hash(desk, evidence.validators_hash)
    if validators is None:
        refuse(desk, header_hash, BlockRefusal.BAD_EVIDENCE, "of a set that is not, or no longer, known")
        return
    try:
        claims = evidence_claims(evidence, validators, desk.chain_id)
    except Rejected as rejected:
        refuse(desk, header_hash, BlockRefusal.BAD_EVIDENCE, rejected.detail)
        return
    if claims.signatures:
        judgement.waits += 1
        token = desk.court.token(header_hash)
        desk.emit(CheckSignatures("court", token, claims.signatures, urgent=True))
    if claims.aggregates:
        judgement.waits += 1
        desk.emit(CheckAggregates("court", desk.court.token(header_hash), claims.aggregates))


def checked(desk: Desk, token: int, verdicts: tuple[bool, ...], reason: BlockRefusal) -> None:
    """Signatures or aggregates of a block under judgement were checked."""
    header_hash = desk.court.tokens.pop(token, None)
    judgement = desk.court.open.get(header_hash) if header_hash is not None else None
    if judgement is None:
        return
    if not all(verdicts):
        refuse(desk, judgement.request.header_hash, reason, "a signature does not verify")
        return
    _answered(desk, judgement)


def assembled(desk: Desk, header_hash: Hash, body: Body, transactions: tuple[KnownTransaction, ...]) -> None:
    """The body is here, and belongs to the header."""
    judgement = desk.court.open.get(header_hash)
    if judgement is not None:
        judgement.assembled.append((body, transactions))
        _answered(desk, judgement)


def _answered(desk: Desk, judgement: Judgement) -> None:
    judgement.waits -= 1
    if judgement.waits == 0:
        _try(desk, judgement)


def _try(desk: Desk, judgement: Judgement) -> None:
    """Final includes its results: execute to the end on a discardable overlay, compare every root, then vouch."""
    header = judgement.header
    body, transactions = judgement.assembled[0]
    execution = desk.ledger.execute(
        desk.tip.hash,
        BlockInput(header.height, header.timestamp_ms, header.proposer, body.evidence, transactions),
    )
    refused = execution.refused_transactions + execution.refused_evidence
    if refused:
        refuse(desk, header.hash, BlockRefusal.INADMISSIBLE, f"{refused[0].reason}: {refused[0].detail}")
        return
    results = (execution.state_root, execution.receipts_root, execution.validators.hash)
    if results != (header.state_root, header.receipts_root, header.next_validators_hash):
        refuse(desk, header.hash, BlockRefusal.WRONG_RESULTS, "state, receipts or next set differ")
        return
    del desk.court.open[header.hash]
    keep(desk, Candidate(header, body, execution.transactions, execution))
    vouch(desk, header.hash)


def refuse(desk: Desk, header_hash: Hash, reason: Refusal, detail: str) -> None:
    """The block is invalid: IBFT hears why, the body is not waited for any longer."""
    if desk.court.open.pop(header_hash, None) is not None:
        desk.tell("assembly", Forget(header_hash))
    desk.note("block_refused", reason=reason.value, detail=detail)
    desk.tell("ibft", ibft.Validated(desk.now_ms, header_hash, valid=False, refusal=reason.value))
