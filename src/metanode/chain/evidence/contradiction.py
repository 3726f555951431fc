"""Which words of one seat cannot both be those of an honest one: the one place that says so."""

from typing import Final

from metanode.primitives.bitmap import decode as decode_bitmap
from metanode.primitives.names import Hash
from metanode.records.commit import BlsCommit
from metanode.records.header import Header
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Vote, VoteKind

VALUE_KINDS: Final = (VoteKind.PROPOSAL, VoteKind.PREPARE, VoteKind.COMMIT)
"""Words for the one value that a seat accepts in a round (IBFT-P6)."""


def conflict(first: Vote, second: Vote) -> bool:
    """EVID-3. Two words of one seat in one (height, round): of one kind with another content, or for two values."""
    if (first.seat, first.height, first.round) != (second.seat, second.height, second.round):
        return False
    if first.kind == second.kind:
        return _content(first) != _content(second)
    both = first.kind in VALUE_KINDS and second.kind in VALUE_KINDS
    return both and first.header_hash != second.header_hash


def forgets(commit: Vote, change: Vote) -> bool:
    """EVID-4. A COMMIT and a ROUND-CHANGE of one seat, to a later round, that does not show what was committed."""
    kinds = (commit.kind, change.kind) == (VoteKind.COMMIT, VoteKind.ROUND_CHANGE)
    same = (commit.seat, commit.height) == (change.seat, change.height)
    return kinds and same and _hides(commit.round, commit.header_hash, change)


def contradicts(commit: BlsCommit, vote: Vote, validators: ValidatorSet) -> bool:
    """EVID-9. A vote of a seat in the bitmap of a certificate that hides its COMMIT (EVID-4), or is for another value
    in that round (EVID-3). Raises `Rejected` on a bitmap that is none."""
    if vote.height != commit.height or vote.seat not in decode_bitmap(commit.validator_bitmap, len(validators)):
        return False
    if vote.kind == VoteKind.ROUND_CHANGE:
        return _hides(commit.round, commit.header_hash, vote)
    return vote.kind in VALUE_KINDS and vote.round == commit.round and vote.header_hash != commit.header_hash


def lunatic(header: Header, height: int, validators: ValidatorSet, chain_id: Hash) -> bool:
    """EVID-11. Whether a header voted for at this height by this set says that it belongs elsewhere."""
    belongs = (header.chain_id, header.height, header.validators_hash) == (chain_id, height, validators.hash)
    return not belongs or header.proposer >= len(validators)


def _hides(round_: int, header_hash: bytes, change: Vote) -> bool:
    """Who committed this in that round was prepared with it then, or later with something else."""
    if change.round <= round_:
        return False
    shown = change.prepared_round
    return shown == NO_ROUND or shown < round_ or (shown == round_ and change.header_hash != header_hash)


def _content(vote: Vote) -> tuple[bytes, int, bytes]:
    return vote.header_hash, vote.prepared_round, vote.attachment
