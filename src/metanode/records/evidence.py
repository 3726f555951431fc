"""Evidence: proofs of guilt that need nothing but the keys of the accused."""

from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never

from metanode.primitives.bitmap import decode
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash, Seat
from metanode.records.commit import BlsCommit, PreparedCertificate
from metanode.records.vote import Justification, Vote

EVIDENCE_BYTES_MAX: Final = (1 << 16) + (1 << 10)
"""An unjustified proposal carries its justification of at most 64 KiB; the other kinds are below 1 KiB. Eight of them
fit a proposal, one fits a record of the transport."""


class ConflictingVotes(Wire, tag="conflicting-votes"):
    """Two votes of one key of one height and round, of which an honest seat gives only one: of one kind with different
    content, or PROPOSAL, PREPARE, COMMIT of different headers."""

    validators_hash: bytes
    first: Vote
    second: Vote


class Amnesia(Wire, tag="amnesia"):
    """A COMMIT in a round and a ROUND-CHANGE to a later round that hides it, by the same key."""

    validators_hash: bytes
    commit: Vote
    round_change: Vote


class UnjustifiedProposal(Wire, tag="unjustified-proposal"):
    """A signed proposal whose signed-over justification does not justify it."""

    validators_hash: bytes
    proposal: Vote
    justification: Justification


class ConflictingCommits(Wire, tag="conflicting-commits"):
    """Two certificates of the same (height, round) and different headers: every seat in both bitmaps is guilty."""

    validators_hash: bytes
    first: BlsCommit
    second: BlsCommit


class ConflictingCertificates(Wire, tag="conflicting-certificates"):
    """A commit and a prepared certificate, or two prepared ones, of the same (height, round) and different headers:
    every seat in both bitmaps is guilty. Two in all."""

    validators_hash: bytes
    commits: tuple[BlsCommit, ...]
    prepared: tuple[PreparedCertificate, ...]


class ContradictedCommit(Wire, tag="contradicted-commit"):
    """A certificate, and a vote of a seat in its bitmap that hides or contradicts what that seat committed to there."""

    validators_hash: bytes
    commit: BlsCommit
    vote: Vote


class LunaticHeader(Wire, tag="lunatic-header"):
    """A header that says by itself that it is not of the chain, height or set it was voted for in; and one vote for it,
    or one certificate of it."""

    validators_hash: bytes
    header: bytes
    votes: tuple[Vote, ...]
    commits: tuple[BlsCommit, ...]


Evidence: TypeAlias = (
    ConflictingVotes
    | Amnesia
    | UnjustifiedProposal
    | ConflictingCommits
    | ConflictingCertificates
    | ContradictedCommit
    | LunaticHeader
)

EVIDENCE: Final = Decoder[Evidence](Evidence, EVIDENCE_BYTES_MAX)


def evidence_digest(evidence: Evidence) -> Hash:
    """EVID-1. The name of a piece of evidence and the leaf of `evidence_root`."""
    return digest(Tag.EVIDENCE, encode(evidence))


def evidence_height(evidence: Evidence) -> int:
    """The height the accused acted at."""
    match evidence:
        case ConflictingVotes(first=vote) | Amnesia(commit=vote) | UnjustifiedProposal(proposal=vote):
            return vote.height
        case ContradictedCommit(vote=vote):
            return vote.height
        case ConflictingCommits(first=commit):
            return commit.height
        case ConflictingCertificates(commits=commits, prepared=prepared):
            return max(*(c.height for c in commits), *(p.height for p in prepared), 0, 0)
        case LunaticHeader(votes=votes, commits=commits):
            return max(*(vote.height for vote in votes), *(commit.height for commit in commits), 0, 0)


def accused_seats(evidence: Evidence, seats: int) -> tuple[Seat, ...]:
    """EVID-2. Whom it convicts in a set of so many seats, if it is true; of two certificates whoever is in both.

    Form and signatures are not judged here: a seat may be outside the set, and there may be none. Raises `Rejected` on
    a bitmap of another width.
    """
    match evidence:
        case (
            ConflictingVotes(first=vote)
            | Amnesia(commit=vote)
            | UnjustifiedProposal(proposal=vote)
            | ContradictedCommit(vote=vote)
        ):
            return (Seat(vote.seat),)
        case ConflictingCommits(first=first, second=second):
            return _in_all((first.validator_bitmap, second.validator_bitmap), seats)
        case ConflictingCertificates(commits=commits, prepared=prepared):
            bitmaps = [*(c.validator_bitmap for c in commits), *(p.validator_bitmap for p in prepared)]
            return _in_all(bitmaps, seats)
        case LunaticHeader(votes=votes, commits=commits):
            signers = _in_all([commit.validator_bitmap for commit in commits], seats)
            return (*(Seat(vote.seat) for vote in votes), *signers)
        case _:
            assert_never(evidence)


def _in_all(bitmaps: Sequence[bytes], seats: int) -> tuple[Seat, ...]:
    """The seats in every one of these bitmaps; of none nobody."""
    read = [decode(bitmap, seats) for bitmap in bitmaps]
    return tuple(Seat(seat) for seat in (read[0] if read else ()) if all(seat in others for others in read[1:]))
