"""What the pool asks for."""

from typing import assert_never

from metanode.chain import mempool
from metanode.network.bpci import Punish, Stream
from metanode.node import effects as out
from metanode.node.blocks import finish_building
from metanode.node.desk import Desk
from metanode.node.pacing import pace
from metanode.node.talk import Letter, send
from metanode.primitives.codec import encode


def carry(desk: Desk, effect: mempool.Effect) -> None:
    """One effect of the pool."""
    match effect:
        case mempool.CheckSignatures(token, items):
            desk.emit(out.CheckSignatures("pool", token, items, urgent=False))
        case mempool.Outcome(request, items):
            desk.emit(out.BatchAnswer(request, tuple((i.identity, i.code, i.detail, i.known) for i in items)))
        case mempool.Gossip(peers, batch):
            message = encode(batch)
            for peer in peers:
                send(desk, peer, Stream.TRANSACTIONS, Letter.POOL, message)
        case mempool.Selected(transactions):
            finish_building(desk, transactions)
        case mempool.Found():
            desk.tell("assembly", effect)
        case mempool.Evicted(items):
            for identity, code, detail in items:
                desk.dropped(identity, code, detail)
            desk.note("evicted", count=len(items))
        case mempool.Blame(peer, refusal, detail):
            desk.blame(peer, refusal, detail)
            desk.tell("bpci", Punish(peer, f"{refusal.value}: {detail}", desk.now_ms))
        case mempool.Shed(peer, count):
            desk.note("shed", peer=peer.hex()[:16], count=count)
        case mempool.Waiting(ready):
            desk.ready = ready
            pace(desk)
        case _ as never:
            assert_never(never)


def hear(desk: Desk, peer: bytes, data: bytes) -> None:
    """A peer's batch. Raises `Rejected`."""
    desk.tell("pool", mempool.Gossiped(desk.now_ms, peer, mempool.BATCHES.decode(data)))
