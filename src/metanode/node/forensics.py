"""What is kept off chain for the evidence period, so that a fork can be laid at the feet of those who made it."""

from itertools import islice
from typing import Final, NamedTuple, TypeVar

from metanode.chain import ibft
from metanode.node.desk import Desk
from metanode.node.effects import WriteStore
from metanode.node.rows import KEPT, NOTED, height_key
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.names import NO_HASH
from metanode.records.transcript import NOTES, NOTHING_NOTED, Notes
from metanode.records.vote import Justification, Vote

Item = TypeVar("Item", bound=Wire)


class KeptHeight(Wire):
    """Votes and justifications of one height that needed more than one round; the time of its block."""

    version: int
    height: int
    timestamp_ms: int
    validators_hash: bytes
    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]


KEPT_BYTES_MAX: Final = 32 << 20
"""Of one height: votes of 64 rounds of the largest set, or justifications of some hundred. A height that stands still
for days keeps its earliest rounds: in them a fork begins."""
KEPT_HEIGHTS: Final = Decoder[KeptHeight](KeptHeight, 2 * KEPT_BYTES_MAX)


NOTHING_KEPT: Final = KeptHeight(
    version=1, height=0, timestamp_ms=0, validators_hash=NO_HASH, votes=(), justifications=()
)
"""Of a height that needed one round only, or is older than the evidence period."""


class Given(NamedTuple):
    """What is shown of a height; `complete`: everything that is kept."""

    votes: tuple[Vote, ...]
    justifications: tuple[Justification, ...]
    complete: bool


def kept_of(desk: Desk, height: int, bytes_max: int) -> Given:
    """FORK-1. What is kept of a height, justifications and the lowest rounds first, as far as it fits so many bytes."""
    row = desk.rows.get(height_key(KEPT, height))
    kept = KEPT_HEIGHTS.decode(row) if row is not None else NOTHING_KEPT
    return _earliest(kept.votes, kept.justifications, bytes_max)


def latest_of(desk: Desk, height: int, bytes_max: int) -> tuple[tuple[Vote, ...], bool]:
    """STALL-1. The votes kept of a height, those in its justifications among them, the latest rounds first as far as
    they fit; and whether these are all."""
    row = desk.rows.get(height_key(KEPT, height))
    kept = KEPT_HEIGHTS.decode(row) if row is not None else NOTHING_KEPT
    return latest((*kept.votes, *(vote for why in kept.justifications for vote in why.round_changes)), bytes_max)


def latest(votes: tuple[Vote, ...], bytes_max: int) -> tuple[tuple[Vote, ...], bool]:
    """STALL-1. What fits of these, without doubles, the latest rounds first; in the order they were said."""
    known = sorted(dict.fromkeys(votes), key=lambda vote: (-vote.round, vote.kind, vote.seat))
    shown, _ = fitting(known, bytes_max)
    return tuple(sorted(shown, key=lambda vote: (vote.round, vote.kind, vote.seat))), len(shown) == len(known)


def notes_of(desk: Desk, height: int) -> Notes:
    """STALL-1. What was noted of a height beside the votes that are kept."""
    row = desk.rows.get(height_key(NOTED, height))
    return NOTES.decode(row) if row is not None else NOTHING_NOTED


def _earliest(votes: tuple[Vote, ...], whys: tuple[Justification, ...], bytes_max: int) -> Given:
    by_round = sorted(whys, key=lambda why: why.round_changes[0].round if why.round_changes else 0)
    shown_whys, left = fitting(by_round, bytes_max)
    shown_votes, _ = fitting(sorted(votes, key=lambda vote: (vote.round, vote.kind, vote.seat)), left)
    complete = (len(shown_votes), len(shown_whys)) == (len(votes), len(whys))
    return Given(tuple(shown_votes), tuple(shown_whys), complete)


def fitting(items: list[Item], bytes_left: int) -> tuple[list[Item], int]:
    """The first of them that fit, and what is left."""
    for place, item in enumerate(items):
        bytes_left -= len(encode(item))
        if bytes_left < 0:
            return items[:place], 0
    return items, bytes_left


FORGOTTEN_MAX: Final = 4
"""Old heights looked at whenever one is kept: more than come to be."""


def keep_for_forensics(desk: Desk, kept: ibft.Keep) -> None:
    """EVID-7. A height is kept for the evidence period where more seats went beyond round 0 than may lie: fewer could
    fill every disk with heights that need no forensics."""
    beyond = {vote.seat: True for vote in kept.votes if vote.round}
    if len(beyond) > desk.tip.previous_validators.faults:
        rows = _forgotten(desk)
        given = _earliest(kept.votes, kept.justifications, KEPT_BYTES_MAX)
        row = KeptHeight(
            version=1,
            height=kept.height,
            timestamp_ms=desk.tip.timestamp_ms,
            validators_hash=kept.validators_hash,
            votes=given.votes,
            justifications=given.justifications,
        )
        rows[height_key(KEPT, kept.height)] = encode(row)
        rows[height_key(NOTED, kept.height)] = encode(kept.notes)
        desk.emit(WriteStore(kept.height, rows))


def _forgotten(desk: Desk) -> dict[bytes, bytes | None]:
    """The oldest heights kept, those whose evidence period is over, to be deleted."""
    horizon_ms = desk.tip.timestamp_ms - desk.tip.parameters.evidence_period_ms
    oldest = islice(desk.rows.scan(KEPT), FORGOTTEN_MAX)
    over = [key for key, value in oldest if KEPT_HEIGHTS.decode(value).timestamp_ms < horizon_ms]
    return {space + key[len(KEPT) :]: None for key in over for space in (KEPT, NOTED)}
