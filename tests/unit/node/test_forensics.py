"""What is kept for forensics: only what f liars cannot make, and only for the evidence period."""

import msgspec
import pytest
from tests.unit.ledger.test_conviction import a_vote
from tests.unit.node.requests.world import Chain

from metanode.chain import ibft
from metanode.node import forensics
from metanode.node.effects import WriteStore
from metanode.node.forensics import KEPT_HEIGHTS, keep_for_forensics
from metanode.node.rows import KEPT, height_key
from metanode.primitives.names import Height
from metanode.records.vote import Vote


def votes(*rounds: int) -> tuple[Vote, ...]:
    """Of seat 0, 1, …, in these rounds."""
    return tuple(msgspec.structs.replace(a_vote(seat), round=round_) for seat, round_ in enumerate(rounds))


def kept(chain: Chain, cast: tuple[Vote, ...]) -> list[dict[bytes, bytes | None]]:
    """The rows written for the height below."""
    chain.effects()
    height = Height(chain.desk.tip.height)
    keep_for_forensics(chain.desk, ibft.Keep(height, chain.desk.tip.previous_validators.hash, cast, ()))
    written = [dict(effect.rows) for effect in chain.effects() if isinstance(effect, WriteStore)]
    for rows in written:
        chain.rows.write(rows)
    return written


def test_one_liar_ahead_of_all_fills_no_disk() -> None:
    """Found by review: a vote of round 1 in each height had every node keep all votes of it, for ever."""
    chain = Chain()
    chain.final()
    assert kept(chain, votes(0, 0, 0, 1)) == []
    (rows,) = kept(chain, votes(0, 0, 1, 1))
    row = KEPT_HEIGHTS.decode(rows[height_key(KEPT, 1)] or b"")
    assert (row.votes, row.timestamp_ms) == (votes(0, 0, 1, 1), chain.desk.tip.timestamp_ms)


def test_what_is_older_than_the_evidence_period_goes() -> None:
    chain = Chain()
    chain.final()
    kept(chain, votes(1, 1, 1, 1))
    chain.final()
    assert height_key(KEPT, 1) not in kept(chain, votes(1, 1, 1, 1))[0]
    old = KEPT_HEIGHTS.decode(chain.rows.get(height_key(KEPT, 1)) or b"")
    period = chain.desk.tip.parameters.evidence_period_ms
    aged = msgspec.structs.replace(old, timestamp_ms=chain.desk.tip.timestamp_ms - period - 1)
    chain.rows.write({height_key(KEPT, 1): msgspec.msgpack.encode(aged)})
    assert kept(chain, votes(1, 1, 1, 1))[0][height_key(KEPT, 1)] is None


def test_a_height_that_stood_still_for_days_keeps_its_earliest_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row beyond what may be read again would end the node when its evidence period is over."""
    chain = Chain()
    chain.final()
    cast = votes(7, 3, 5, 1)
    monkeypatch.setattr(forensics, "KEPT_BYTES_MAX", sum(len(msgspec.msgpack.encode(vote)) for vote in cast[:2]))
    (rows,) = kept(chain, cast)
    row = KEPT_HEIGHTS.decode(rows[height_key(KEPT, 1)] or b"")
    assert [vote.round for vote in row.votes] == [1, 3]
