"""Proofs of guilt: what waits for a block, and what blocks have carried."""

from typing import Final, NamedTuple

from metanode.api.node import EvidenceList, EvidencePage, EvidenceView
from metanode.chain.evidence import culprits
from metanode.ledger.queries import convictions
from metanode.node.desk import Desk
from metanode.node.requests.finding import read_number
from metanode.primitives.codec import encode
from metanode.records.evidence import Evidence, evidence_digest, evidence_height
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


def _accused(desk: Desk, evidence: Evidence) -> tuple[str, ...]:
    validators = desk.shelf.validators(evidence_height(evidence))
    if validators is None or validators.hash != evidence.validators_hash:
        return ()
    return tuple(validators[seat].name for seat in culprits(evidence, validators))


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
