"""Letters of peers on their way to the rooms."""

from dataclasses import replace

from tests.unit.node.requests.world import Chain

from metanode.chain import ibft
from metanode.chain.ibft import IbftRefusal
from metanode.network.bpci import Delivered, Punish, Stream
from metanode.node.effects import Note
from metanode.node.routes import consensus, network
from metanode.node.talk import Letter, broadcast, send
from metanode.primitives.codec import encode
from metanode.primitives.names import Seat
from metanode.records.vote import NO_ROUND, Vote, VoteKind


def test_a_flood_of_unknown_letters_is_one_note() -> None:
    """Found by the journey of a lying validator: every letter was a line in the log."""
    chain = Chain()
    network.carry(chain.desk, Delivered(bytes([7]) * 32, Stream.GOSSIP, (b"\xc8junk", b"", b"\xc9") * 100))
    assert chain.effects() == [Note("unknown_letter", {"peer": "07" * 8, "count": 300})]
    assert list(chain.desk.internal) == []


def test_who_does_not_want_to_learn_addresses_hears_none() -> None:
    """`network.discovery`."""
    chain = Chain()
    letter = bytes([Letter.DISCOVERY]) + b"word"
    for wanted in (True, False):
        chain.desk.settings = replace(chain.desk.settings, discovery=wanted)
        network.carry(chain.desk, Delivered(bytes([7]) * 32, Stream.GOSSIP, (letter,)))
        assert [room for room, _ in chain.desk.internal] == ["discovery"] * wanted
        chain.desk.internal.clear()


def test_nothing_is_said_to_a_peer_that_is_away() -> None:
    """Found by the journey of killed validators: every word to a dead one was a warning in the log."""
    chain = Chain()
    near, away = (one.transport_key for one in chain.desk.tip.validators.validators[1:3])
    chain.desk.peers[near] = 1
    broadcast(chain.desk, Stream.CONSENSUS, Letter.IBFT, b"word", without=())
    assert [event.peer for _, event in chain.desk.internal] == [near]
    chain.desk.internal.clear()
    send(chain.desk, away, Stream.CONSENSUS, Letter.IBFT, b"word")
    assert (list(chain.desk.internal), chain.effects()) == ([], [])


def test_who_brings_forged_votes_is_not_listened_to_for_a_while() -> None:
    """Found by review: checking them costs more than forging them, and nothing ended it."""
    chain = Chain()
    validators = chain.desk.tip.validators.validators
    for seat, refusal in ((2, IbftRefusal.BAD_SIGNATURE), (1, IbftRefusal.FLOODING), (-1, IbftRefusal.BAD_SIGNATURE)):
        consensus.carry(chain.desk, ibft.Blame(Seat(seat), refusal, "forged"))
    assert list(chain.desk.internal) == [("bpci", Punish(validators[2].transport_key, "forged", chain.desk.now_ms))]


def test_a_peer_that_votes_has_the_block_below_and_one_that_boasts_is_not_believed() -> None:
    """Found by a look at `bpi status`: a peer's height was 0 until it had once been ahead of us."""
    chain = Chain()
    chain.final()
    keys = [one.transport_key for one in chain.desk.tip.validators.validators]

    def hear(origin: int, seat: int, height: int) -> int:
        word = Vote(
            version=1,
            kind=VoteKind.PREPARE,
            height=height,
            round=0,
            seat=seat,
            header_hash=bytes(32),
            prepared_round=NO_ROUND,
            attachment=bytes(32),
            seal=b"",
            signature=bytes(64),
        )
        message = ibft.Ballot(vote=word)
        consensus.hear(chain.desk, Seat(origin), encode(message))
        return chain.desk.heights.get(keys[seat], 0)

    assert hear(1, 2, 2) == 0, "somebody else says so"
    assert hear(2, 2, 2) == 1
    assert hear(2, 2, 1) == 1, "an old word"
    assert hear(3, 3, 99) == 0, "sync asks whether that is true"
    assert hear(-1, 1, 2) == 0, "no validator's link"
