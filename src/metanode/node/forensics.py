"""What is kept off chain for the evidence period, so that a fork can be laid at the feet of those who made it."""

from typing import Final

from metanode.chain import ibft
from metanode.node.desk import Desk
from metanode.node.effects import WriteStore
from metanode.node.rows import KEPT, height_key
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.records.vote import Justification, Vote


class KeptHeight(Wire):
    """Votes and justifications of one height that needed more than one round."""

    version: int
    height: int
    validators_hash: bytes
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]


KEPT_HEIGHTS: Final = Decoder[KeptHeight](KeptHeight, 64 << 20)
"""Votes of 64 rounds of the largest set stay below this."""


def keep_for_forensics(desk: Desk, kept: ibft.Keep) -> None:
    """EVID: heights decided in round 0 leave nothing that evidence would need; others are kept."""
    if any(vote.round for vote in kept.votes):
        row = KeptHeight(
            version=1,
            height=kept.height,
            validators_hash=kept.validators_hash,
            votes=kept.votes,
            justifications=kept.justifications,
        )
        desk.emit(WriteStore(kept.height, {height_key(KEPT, kept.height): encode(row)}))
