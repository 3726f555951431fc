"""Whom evidence names: never somebody honest, whatever proof it is."""

from collections.abc import Iterator

from metanode.records.evidence import Evidence, accused_seats
from metanode.records.validators import ValidatorSet
from metanode.records.vote import Vote


def framed(evidence: Evidence, members: ValidatorSet, honest: frozenset[bytes]) -> Iterator[str]:
    """EVID-2. The honest seats (by their vote keys) that a piece of evidence would convict."""
    for seat in accused_seats(evidence, len(members)):
        if members[seat].vote_key in honest:
            yield f"EVID-2: {type(evidence).__name__} against seat {seat}, who did nothing wrong"


def accused_word(evidence: Evidence) -> Vote | None:
    """The vote for which its sender is accused, the later one where there are two."""
    for name in ("second", "round_change", "proposal", "vote"):
        found = getattr(evidence, name, None)
        if isinstance(found, Vote):
            return found
    votes = getattr(evidence, "votes", ())
    return votes[0] if votes else None
