"""What the assembly of bodies asks for."""

from typing import assert_never

from metanode.chain import mempool, proposal
from metanode.network.bpci import Punish, Stream
from metanode.node import effects as out
from metanode.node import judging
from metanode.node.desk import Desk
from metanode.node.talk import Letter, send, send_to_seat
from metanode.primitives.codec import encode


def carry(desk: Desk, effect: proposal.Effect) -> None:
    """One effect of the assembly."""
    match effect:
        case mempool.Lookup():
            desk.tell("pool", effect)
        case proposal.AskSeat(seat, message):
            send_to_seat(desk, seat, Stream.CONSENSUS, Letter.BODIES, encode(message))
        case proposal.AskPeer(peer, message):
            send(desk, peer, Stream.CONSENSUS, Letter.BODIES, encode(message))
        case proposal.Answer(peer, messages):
            send(desk, peer, Stream.SYNC, Letter.BODIES, *(encode(message) for message in messages))
        case proposal.CheckSignatures(token, items):
            desk.emit(out.CheckSignatures("assembly", token, items, urgent=True))
        case proposal.Complete(header_hash, body, transactions):
            judging.assembled(desk, header_hash, body, transactions)
        case proposal.Unfit(header_hash, refusal, detail):
            judging.refuse(desk, header_hash, refusal, detail)
        case proposal.Blame(peer, refusal, detail):
            desk.blame(peer, refusal, detail)
            desk.tell("bpci", Punish(peer, f"{refusal.value}: {detail}", desk.now_ms))
        case _ as never:
            assert_never(never)


def hear(desk: Desk, peer: bytes, data: bytes) -> None:
    """A peer's question or answer about bodies. Raises `Rejected`."""
    desk.tell("assembly", proposal.Received(desk.now_ms, peer, proposal.MESSAGES.decode(data)))
