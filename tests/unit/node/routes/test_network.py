"""Letters of peers on their way to the rooms."""

from tests.unit.node.requests.world import Chain

from metanode.network.bpci import Delivered, Stream
from metanode.node.effects import Note
from metanode.node.routes import network


def test_a_flood_of_unknown_letters_is_one_note() -> None:
    """Found by the journey of a lying validator: every letter was a line in the log."""
    chain = Chain()
    network.carry(chain.desk, Delivered(bytes([7]) * 32, Stream.GOSSIP, (b"\xc8junk", b"", b"\xc9") * 100))
    assert chain.effects() == [Note("unknown_letter", {"peer": "07" * 8, "count": 300})]
    assert list(chain.desk.internal) == []
