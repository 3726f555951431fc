"""Why a height takes, or took, more rounds, as this node can show it: signed words, and apart what it says itself."""

from typing import Final, NamedTuple

import msgspec

from metanode.api.errors import ApiRefusal
from metanode.api.guilt import TranscriptGet, TranscriptView
from metanode.node.desk import Desk
from metanode.node.forensics import fitting, latest, latest_of, notes_of
from metanode.node.requests.exports import steps_to_set
from metanode.node.requests.finding import block_at, set_at
from metanode.node.requests.validators import is_reachable
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH
from metanode.primitives.refusal import Rejected
from metanode.records.commit import PreparedCertificate
from metanode.records.evidence import Evidence, evidence_height
from metanode.records.transcript import (
    NODE_NAME_MAX,
    NOTHING_NOTED,
    TRANSCRIPT_WORDS_BYTES_MAX,
    Certified,
    LateWord,
    Link,
    Notes,
    Said,
    Transcript,
    transcript_digest,
)
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Vote, VoteKind

CARRIED_WITHIN: Final = 8
"""Blocks above a height that are looked through for evidence of it: what was found while it was agreed on is in one of
the next."""


class _Made(NamedTuple):
    """What there is of a height."""

    votes: tuple[Vote, ...]
    certificates: tuple[PreparedCertificate, ...]
    complete: bool
    round: int
    speaks: bool
    notes: Notes


def transcript_get(desk: Desk, asked: TranscriptGet) -> TranscriptView:
    """STALL-1. The height that is open (0), or one of the past."""
    height = asked.height or desk.tip.height + 1
    if height > desk.tip.height + 1:
        raise Rejected(ApiRefusal.BEYOND_HEAD, f"height {height}, the open one is {desk.tip.height + 1}")
    is_open = height > desk.tip.height
    final = () if is_open else _certified(desk, height)
    made = _open(desk) if is_open else _past(desk, height, final[0].commit.round)
    validators = set_at(desk, height)
    unsealed = Transcript(
        version=1,
        chain_id=desk.chain_id,
        set_changes=steps_to_set(desk, height),
        height=height,
        below=_certified(desk, height - 1) if height > 1 else (),
        final=final,
        votes=made.votes,
        certificates=made.certificates,
        evidence=_evidence(desk, height, validators),
        complete=made.complete,
        said=_said(desk, validators, made),
        whole=NO_HASH,
    )
    told = msgspec.structs.replace(unsealed, whole=transcript_digest(unsealed))
    return TranscriptView(
        height=height,
        open=is_open,
        node=told.said.node,
        round=told.said.round,
        votes=len(told.votes),
        complete=told.complete,
        file=encode(told).hex(),
    )


def _certified(desk: Desk, height: int) -> tuple[Certified, ...]:
    """A final header with its certificate: of the tip also where its block is not kept yet."""
    tip = desk.tip
    if height == tip.height:
        return (Certified(header=tip.header[0].encoded, commit=tip.commit[0]),)
    filed = block_at(desk, height)
    return (Certified(header=filed.header.encoded, commit=filed.commit),)


def _open(desk: Desk) -> _Made:
    """Of the height that is agreed on now."""
    account = desk.account()
    if account is None or account.height != desk.tip.height + 1:
        return _Made((), (), complete=True, round=0, speaks=False, notes=NOTHING_NOTED)
    votes, complete = latest(account.votes, TRANSCRIPT_WORDS_BYTES_MAX)
    known = sorted(account.certificates, key=lambda one: -one.round)
    certificates, _ = fitting(known, TRANSCRIPT_WORDS_BYTES_MAX)
    return _Made(
        votes,
        tuple(certificates),
        complete=complete and len(certificates) == len(known),
        round=account.round,
        speaks=account.speaks,
        notes=_of_shown(account.notes, votes, [o for o in account.overdue if o.at_ms >= account.notes.began_ms]),
    )


def _past(desk: Desk, height: int, round_: int) -> _Made:
    """Of a final height: what was kept, if it needed more than one round."""
    votes, complete = latest_of(desk, height, TRANSCRIPT_WORDS_BYTES_MAX)
    account = desk.account()
    overdue = account.overdue if account is not None else ()
    of_height = [one for one in overdue if one.height == height and one.kind == VoteKind.PROPOSAL]
    notes = _of_shown(notes_of(desk, height), votes, of_height)
    return _Made(votes, (), complete=complete, round=round_, speaks=desk.may_vote, notes=notes)


def _of_shown(notes: Notes, votes: tuple[Vote, ...], overdue: list[LateWord]) -> Notes:
    """Only what was noted of votes that are shown, and what came when the height was over."""
    shown = {(vote.kind, vote.round, vote.seat): True for vote in votes}
    arrivals = tuple(one for one in notes.arrivals if (one.kind, one.round, one.seat) in shown)
    return msgspec.structs.replace(notes, arrivals=arrivals, late=(*notes.late, *overdue))


def _evidence(desk: Desk, height: int, validators: ValidatorSet) -> tuple[Evidence, ...]:
    """What convicts somebody of this height: it waits for a block, or one of the next carried it."""
    found = list(desk.evidence)
    for above in range(height, min(height + CARRIED_WITHIN, desk.tip.height) + 1):
        filed = desk.shelf.block(above)
        found += filed.body.evidence if filed is not None else ()
    of_height = [one for one in found if evidence_height(one) == height and one.validators_hash == validators.hash]
    shown, _ = fitting(list(dict.fromkeys(of_height))[: len(validators)], TRANSCRIPT_WORDS_BYTES_MAX)
    return tuple(shown)


def _silence(desk: Desk, *, speaks: bool) -> str:
    """Why this node does not vote, in words; empty where it does, or has no seat to vote from."""
    if desk.seat < 0 or (speaks and desk.may_vote and not desk.behind):
        return ""
    if not desk.may_vote:
        return "its journal or sign guard is not to be trusted"
    return "it is catching up" if desk.behind else "it asks its peers first what its key has signed"


def _said(desk: Desk, validators: ValidatorSet, made: _Made) -> Said:
    ours = validators.seats_by_vote_key.get(desk.settings.vote_key, -1)
    name = desk.settings.name or (validators[ours].name if ours >= 0 else desk.settings.transport_key.hex()[:16])
    links = tuple(
        Link(
            seat=seat,
            connected=is_reachable(desk, one.transport_key),
            heard_ms=desk.heard_ms.get(one.transport_key, 0),
            height=desk.heights.get(one.transport_key, 0),
        )
        for seat, one in enumerate(validators.validators)
        if seat != ours
    )
    return Said(
        node=name[:NODE_NAME_MAX],
        seat=ours,
        at_ms=desk.now_ms,
        tip=desk.tip.height,
        round=made.round,
        silence=_silence(desk, speaks=made.speaks),
        waiting=tuple(desk.court.open),
        links=links,
        notes=made.notes,
    )
