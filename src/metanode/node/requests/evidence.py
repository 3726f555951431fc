"""Proofs of guilt: what waits for a block, what blocks carried, what is handed in; and what is kept of a height."""

from typing import Final, NamedTuple

from metanode.api.errors import ApiRefusal
from metanode.api.guilt import (
    EvidenceExport,
    EvidenceFileView,
    EvidenceSubmit,
    EvidenceTaken,
    EvidenceTestimony,
    TestimonyView,
)
from metanode.api.node import EvidenceList, EvidencePage, EvidenceView
from metanode.ledger.queries import convictions
from metanode.node.desk import Desk
from metanode.node.forensics import kept_of
from metanode.node.guilt import take_up, validators_by_hash
from metanode.node.requests.exports import steps_to_set
from metanode.node.requests.finding import block_at, height_asked, read_number
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.evidence import EVIDENCE, Evidence, accused_seats, evidence_digest, evidence_height
from metanode.records.evidence_file import TESTIMONY_BYTES_MAX, Testimony, evidence_file
from metanode.records.receipt_file import SetChangeStep
from metanode.records.validators import ValidatorSet
from metanode.records.vote import HEIGHT_MAX

CONVICTIONS_MAX: Final = 10_000
"""Convictions looked at: each cost somebody a seat, so that there are few."""
WAITING: Final = HEIGHT_MAX
"""In a cursor: no block carries it yet."""
KIND_GONE: Final = "no-longer-kept"
"""The kind of evidence whose block this node no longer keeps."""


class _Line(NamedTuple):
    """One line of the list, which descends: by the height of the block that carried it, then by digest."""

    height: int
    digest: str


def _lines(desk: Desk) -> list[_Line]:
    """What waits, and what convicted somebody, the latest first."""
    waiting = [_Line(WAITING, evidence_digest(evidence).hex()) for evidence in desk.evidence]
    carried = [_Line(one.height, one.evidence.hex()) for one in convictions(desk.ledger, CONVICTIONS_MAX)]
    return sorted(dict.fromkeys((*waiting, *carried)), reverse=True)


def _set_of(desk: Desk, evidence: Evidence) -> ValidatorSet | None:
    """The set of the accused: of the height they acted at, or one that signed another."""
    validators = desk.shelf.validators(evidence_height(evidence))
    if validators is not None and validators.hash == evidence.validators_hash:
        return validators
    return validators_by_hash(desk, evidence.validators_hash)


def _accused(desk: Desk, evidence: Evidence) -> tuple[str, ...]:
    validators = _set_of(desk, evidence)
    if validators is None:
        return ()
    return tuple(validators[seat].name for seat in accused_seats(evidence, len(validators)))


def _view(desk: Desk, evidence: Evidence, included_height: int) -> EvidenceView:
    return EvidenceView(
        digest=evidence_digest(evidence).hex(),
        kind=str(evidence.__struct_config__.tag),
        height=evidence_height(evidence),
        accused=_accused(desk, evidence),
        included_height=included_height,
        encoded=encode(evidence).hex(),
    )


def _find(desk: Desk, line: _Line) -> EvidenceView:
    if line.height == WAITING:
        held, included_height = desk.evidence, 0
    else:
        filed = desk.shelf.block(line.height)
        held, included_height = filed.body.evidence if filed is not None else (), line.height
    for evidence in held:
        if evidence_digest(evidence).hex() == line.digest:
            return _view(desk, evidence, included_height)
    return EvidenceView(
        digest=line.digest, kind=KIND_GONE, height=0, accused=(), included_height=included_height, encoded=""
    )


def evidence_list(desk: Desk, asked: EvidenceList) -> EvidencePage:
    """What waits for a block comes first, then what blocks carried, the latest first."""
    lines = _lines(desk)
    if asked.cursor:
        before = _read_cursor(asked.cursor)
        lines = [line for line in lines if line < before]
    page = lines[: asked.limit]
    more = f"{page[-1].height}:{page[-1].digest}" if len(lines) > len(page) else ""
    return EvidencePage(items=tuple(_find(desk, line) for line in page), next=more)


def _read_cursor(cursor: str) -> _Line:
    height, _, digest = cursor.partition(":")
    return _Line(read_number(height), digest)


def _steps(desk: Desk, validators_hash: bytes) -> tuple[SetChangeStep, ...]:
    """The way from genesis to a set. Raises `Rejected` where no kept set has this hash, or the way is too long."""
    for height in reversed(desk.shelf.set_changes(desk.tip.height + 1)):
        validators = desk.shelf.validators(height)
        if validators is not None and validators.hash == validators_hash:
            return steps_to_set(desk, height)
    raise Rejected(ApiRefusal.PRUNED, f"the set {validators_hash.hex()[:64]} is not known here")


def evidence_export(desk: Desk, asked: EvidenceExport) -> EvidenceFileView:
    """EVID-13. The file of evidence that waits or was carried by a block."""
    line = next((one for one in _lines(desk) if one.digest == asked.digest), None)
    if line is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"no evidence {asked.digest} waits here or is in a block")
    view = _find(desk, line)
    if not view.encoded:
        raise Rejected(ApiRefusal.PRUNED, f"block {line.height} carried it")
    evidence = EVIDENCE.decode(bytes.fromhex(view.encoded))
    file = evidence_file(desk.chain_id, _steps(desk, evidence.validators_hash), evidence)
    return EvidenceFileView(
        digest=view.digest, kind=view.kind, height=view.height, accused=view.accused, file=encode(file).hex()
    )


def evidence_testimony(desk: Desk, asked: EvidenceTestimony) -> TestimonyView:
    """FORK-1. What this node says of a final height."""
    height = height_asked(desk, asked.height)
    filed = block_at(desk, height)
    given = kept_of(desk, height, TESTIMONY_BYTES_MAX)
    told = Testimony(
        version=1,
        chain_id=desk.chain_id,
        set_changes=_steps(desk, filed.header.validators_hash),
        header=filed.header.encoded,
        commit=filed.commit,
        votes=given.votes,
        justifications=given.justifications,
        complete=given.complete,
    )
    return TestimonyView(
        height=height,
        hash=filed.header.hash.hex(),
        round=filed.commit.round,
        votes=len(given.votes),
        justifications=len(given.justifications),
        complete=given.complete,
        file=encode(told).hex(),
    )


def evidence_submit(desk: Desk, asked: EvidenceSubmit) -> EvidenceTaken:
    """EVID-8. Somebody's proof: if it would convict anybody, its signatures are checked, and then it waits for a
    block."""
    evidence = EVIDENCE.decode(bytes.fromhex(asked.encoded))
    keys = take_up(desk, b"", evidence)
    if not keys:
        raise Rejected(ApiRefusal.CONFLICT, "it convicts nobody who is not convicted or accused already, or is too old")
    names = {v.vote_key: v.name for v in (_set_of(desk, evidence) or desk.tip.validators).validators}
    return EvidenceTaken(digest=evidence_digest(evidence).hex(), accused=tuple(names.get(key, "?") for key in keys))
