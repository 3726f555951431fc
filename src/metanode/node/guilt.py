"""Evidence waiting to be carried by a block, and spread among the validators until one does."""

from typing import Final

from metanode.chain.evidence import evidence_claims
from metanode.ledger.queries import validators_by_hash as kept_validators
from metanode.ledger.queries import would_convict
from metanode.network.bpci import Punish, Stream
from metanode.node.desk import Desk, Suspicion
from metanode.node.effects import CheckAggregates, CheckSignatures
from metanode.node.talk import Letter, broadcast
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash
from metanode.records.evidence import EVIDENCE, Evidence, evidence_digest
from metanode.records.proposal import CONTENT_EVIDENCE_MAX
from metanode.records.validators import ValidatorSet

KNOWN_MAX: Final = 4_096
"""Names of evidence remembered, so that it is not looked at again; the oldest is forgotten."""
CHECKING_MAX: Final = 16
"""Pieces of peers under check at once; more are not looked at, their senders will say them again."""


def validators_by_hash(desk: Desk, validators_hash: bytes) -> ValidatorSet | None:
    """The set the accused belong to: of this height, of the one below, or one kept in the state."""
    for validators in (desk.tip.validators, desk.tip.previous_validators):
        if validators.hash == validators_hash:
            return validators
    return kept_validators(desk.ledger, validators_hash)


def accuse(desk: Desk, evidence: Evidence) -> None:
    """Evidence whose signatures are checked: keep it for a block, tell the other validators."""
    name = evidence_digest(evidence)
    if name in desk.evidence_known or not _is_news(desk, evidence):
        return
    desk.evidence_known[name] = True
    if len(desk.evidence_known) > KNOWN_MAX:
        del desk.evidence_known[next(iter(desk.evidence_known))]
    desk.evidence = (*desk.evidence, evidence)
    desk.note("evidence", crime=type(evidence).__name__)
    broadcast(desk, Stream.GOSSIP, Letter.EVIDENCE, encode(evidence), without=())


def _is_news(desk: Desk, evidence: Evidence) -> bool:
    """EVID-8. Whether it convicts anybody beyond those whom what waits convicts already: so no more pieces wait than
    there are seats to be guilty, and nobody's flood of them keeps others out."""
    accused = {key: True for waiting in desk.evidence for key in _accused(desk, waiting)}
    return any(key not in accused for key in _accused(desk, evidence))


def _accused(desk: Desk, evidence: Evidence) -> tuple[bytes, ...]:
    """Whom it would convict in the next block."""
    return would_convict(desk.ledger, evidence, desk.tip.height + 1, max(desk.now_ms, desk.tip.timestamp_ms))


def due_evidence(desk: Desk) -> tuple[Evidence, ...]:
    """What our next block carries."""
    return desk.evidence[:CONTENT_EVIDENCE_MAX]


def drop(desk: Desk, names: dict[Hash, bool]) -> None:
    """These cannot be in a block."""
    desk.evidence = tuple(e for e in desk.evidence if evidence_digest(e) not in names)


def review(desk: Desk) -> None:
    """EVID-8. A block is final: what convicts nobody any more need not wait."""
    desk.evidence = tuple(waiting for waiting in desk.evidence if _accused(desk, waiting))


def hear(desk: Desk, peer: bytes, data: bytes) -> None:
    """A peer's evidence: check it before believing it. Raises `Rejected`."""
    evidence = EVIDENCE.decode(data)
    if evidence_digest(evidence) not in desk.evidence_known:
        take_up(desk, peer, evidence)


def take_up(desk: Desk, peer: bytes, evidence: Evidence) -> tuple[bytes, ...]:
    """EVID-8. Have the signatures checked of what would convict somebody, if there is time; whom, none where it is not
    taken up. `peer`: who is punished if it is false; nobody where it came by the API. Raises `Rejected` on what cannot
    convict."""
    validators = validators_by_hash(desk, evidence.validators_hash)
    if validators is None or len(desk.suspicions) >= CHECKING_MAX or not _is_news(desk, evidence):
        return ()
    claims = evidence_claims(evidence, validators, desk.chain_id)
    desk.suspicion_token += 1
    token = desk.suspicion_token
    desk.suspicions[token] = Suspicion(peer, evidence, bool(claims.signatures) + bool(claims.aggregates))
    if claims.signatures:
        desk.emit(CheckSignatures("guilt", token, tuple(claims.signatures), urgent=True))
    if claims.aggregates:
        desk.emit(CheckAggregates("guilt", token, tuple(claims.aggregates)))
    return _accused(desk, evidence)


def checked(desk: Desk, token: int, verdicts: tuple[bool, ...]) -> None:
    """The signatures of a peer's evidence were checked."""
    suspicion = desk.suspicions.get(token)
    if suspicion is None:
        return
    if not all(verdicts):
        del desk.suspicions[token]
        peer = suspicion.peer
        desk.note("blame", peer=peer.hex()[:16], reason="evidence.false", detail="a signature does not verify")
        if peer:
            desk.tell("bpci", Punish(peer, "false evidence", desk.now_ms))
        return
    suspicion.waits -= 1
    if not suspicion.waits:
        del desk.suspicions[token]
        accuse(desk, suspicion.evidence)
