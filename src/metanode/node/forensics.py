"""What is kept off chain for the evidence period, so that a fork can be laid at the feet of those who made it."""

from itertools import islice
from typing import Final

from metanode.chain import ibft
from metanode.node.desk import Desk
from metanode.node.effects import WriteStore
from metanode.node.rows import KEPT, height_key
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.records.vote import Justification, Vote


class KeptHeight(Wire):
    """Votes and justifications of one height that needed more than one round; the time of its block."""

    version: int
    height: int
    timestamp_ms: int
    validators_hash: bytes
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]


KEPT_HEIGHTS: Final = Decoder[KeptHeight](KeptHeight, 64 << 20)
"""Votes of 64 rounds of the largest set stay below this."""


FORGOTTEN_MAX: Final = 4
"""Old heights looked at whenever one is kept: more than come to be."""


def keep_for_forensics(desk: Desk, kept: ibft.Keep) -> None:
    """EVID-7. A height is kept for the evidence period where more seats went beyond round 0 than may lie: fewer could
    fill every disk with heights that need no forensics."""
    beyond = {vote.seat: True for vote in kept.votes if vote.round}
    if len(beyond) > desk.tip.previous_validators.faults:
        rows = _forgotten(desk)
        row = KeptHeight(
            version=1,
            height=kept.height,
            timestamp_ms=desk.tip.timestamp_ms,
            validators_hash=kept.validators_hash,
            votes=kept.votes,
            justifications=kept.justifications,
        )
        rows[height_key(KEPT, kept.height)] = encode(row)
        desk.emit(WriteStore(kept.height, rows))


def _forgotten(desk: Desk) -> dict[bytes, bytes | None]:
    """The oldest heights kept, those whose evidence period is over, to be deleted."""
    horizon_ms = desk.tip.timestamp_ms - desk.tip.parameters.evidence_period_ms
    oldest = islice(desk.rows.scan(KEPT), FORGOTTEN_MAX)
    return {key: None for key, value in oldest if KEPT_HEIGHTS.decode(value).timestamp_ms < horizon_ms}
