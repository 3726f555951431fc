"""Proofs of guilt in words, and the files they are written to."""

from pathlib import Path
from typing import assert_never

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.showing import short
from metanode.cli.failure import CliRefusal, Failure
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.evidence import (
    Amnesia,
    ConflictingCertificates,
    ConflictingCommits,
    ConflictingVotes,
    ContradictedCommit,
    Evidence,
    LunaticHeader,
    UnjustifiedProposal,
)
from metanode.records.vote import NO_ROUND, Vote, VoteKind

MEANINGS = {
    "conflicting-votes": "said two things of which an honest validator says one",
    "amnesia": "denied in a later round what it had committed to",
    "unjustified-proposal": "proposed what the round changes it showed do not allow",
    "conflicting-commits": "made two headers of one height and round final",
    "conflicting-certificates": "prepared one header and prepared or committed another in one round",
    "contradicted-commit": "contradicted a certificate that it had signed",
    "lunatic-header": "voted for a header that is of another chain, height or set",
    "no-longer-kept": "the block that carried it is no longer kept by this node",
}
"""Each kind of evidence in words for people."""


def shown_words(evidence: Evidence) -> tuple[str, ...]:
    """What the proof lays side by side, a line each."""
    match evidence:
        case ConflictingVotes(first=first, second=second):
            return _vote(first), _vote(second)
        case Amnesia(commit=commit, round_change=change):
            return _vote(commit), _vote(change)
        case UnjustifiedProposal(proposal=proposal, justification=why):
            return _vote(proposal), f"on {len(why.round_changes)} ROUND-CHANGEs, {len(why.certificates)} certificates"
        case ConflictingCommits(first=one, second=two):
            return _certificate(one), _certificate(two)
        case ConflictingCertificates(commits=commits, prepared=prepared):
            return (*map(_certificate, commits), *map(_certificate, prepared))
        case ContradictedCommit(commit=made, vote=vote):
            return _certificate(made), _vote(vote)
        case LunaticHeader(votes=votes, commits=commits):
            return (*map(_vote, votes), *map(_certificate, commits))
        case _:
            assert_never(evidence)


def _vote(vote: Vote) -> str:
    kind = VoteKind(vote.kind).name.replace("_", "-")
    place = f"seat {vote.seat} · height {vote.height} · round {vote.round}"
    if vote.kind != VoteKind.ROUND_CHANGE:
        return f"{kind:<12} {place} · {short(vote.header_hash.hex(), 16)}"
    shown = "nothing prepared" if vote.prepared_round == NO_ROUND else f"prepared in round {vote.prepared_round}"
    header = "" if vote.prepared_round == NO_ROUND else f" · {short(vote.header_hash.hex(), 16)}"
    return f"{kind:<12} {place} · {shown}{header}"


def _certificate(certificate: BlsCommit | PreparedCertificate) -> str:
    kind = "final" if isinstance(certificate, BlsCommit) else "prepared"
    signers = sum(byte.bit_count() for byte in certificate.validator_bitmap)
    place = f"by {signers} seats · height {certificate.height} · round {certificate.round}"
    return f"{kind:<12} {place} · {short(certificate.header_hash.hex(), 16)}"


def write_file(path: Path, data: bytes) -> None:
    """Write a file the command line named. Raises `Failure`."""
    try:
        path.write_bytes(data)
    except OSError as error:
        message = f"{path}: {error.strerror}"
        fix = "-o names another place"
        raise Failure(CliRefusal.FILE_NOT_WRITABLE, ExitStatus.NOT_ALLOWED, message, fix=fix) from None
