"""After a fork: votes kept by several nodes are laid side by side, and whoever contradicts himself is named."""

from collections.abc import Iterable

from metanode.primitives.names import Seat
from metanode.records.evidence import Amnesia, ConflictingVotes
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Vote, VoteKind


def find_guilty(votes: Iterable[Vote], validators: ValidatorSet) -> tuple[ConflictingVotes | Amnesia, ...]:
    """EVID-7. Of the votes of one height, at most one proof a seat, in seat order; each stands by itself.

    Where two headers of a height were committed, the votes of both sides and the justifications of every round above 0
    convict at least f+1 seats: the earliest round whose justified value differs rests on Q ROUND-CHANGEs, which meet
    the first Q COMMITs in f+1 seats, and each of those hid its commit or voted twice. The signatures are checked by
    whoever collects the votes.
    """
    first: dict[tuple[int, int, int], Vote] = {}
    proofs: dict[Seat, ConflictingVotes | Amnesia] = {}
    hash_ = validators.hash
    for vote in votes:
        known = first.setdefault((vote.kind, vote.round, vote.seat), vote)
        if _content(known) != _content(vote):
            proofs.setdefault(Seat(vote.seat), ConflictingVotes(validators_hash=hash_, first=known, second=vote))
    commits = [vote for vote in first.values() if vote.kind == VoteKind.COMMIT]
    changes = [vote for vote in first.values() if vote.kind == VoteKind.ROUND_CHANGE]
    for commit in commits:
        for change in changes:
            hides = change.prepared_round == NO_ROUND or change.prepared_round < commit.round
            if change.seat == commit.seat and change.round > commit.round and hides:
                evidence = Amnesia(validators_hash=hash_, commit=commit, round_change=change)
                proofs.setdefault(Seat(commit.seat), evidence)
    return tuple(proofs[seat] for seat in sorted(proofs))


def _content(vote: Vote) -> tuple[bytes, int, bytes]:
    return vote.header_hash, vote.prepared_round, vote.attachment
