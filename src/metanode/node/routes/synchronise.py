"""What sync asks for, and blocks that come by it instead of by consensus."""

from typing import assert_never

from metanode.chain import ibft, sync
from metanode.chain.light import Trusted
from metanode.ledger import BlockInput
from metanode.ledger.state import covers_all
from metanode.network.bpci import Punish, Stream
from metanode.node import effects as out
from metanode.node.blocks import import_final, keep
from metanode.node.desk import NO_SEAT, Candidate, Desk
from metanode.node.heights import begin_height
from metanode.node.snapshots import StateSnapshots, install, verify_piece
from metanode.node.talk import Letter, send
from metanode.primitives.codec import encode
from metanode.primitives.names import Millis, Seat


def make(desk: Desk) -> sync.Sync:
    """The room, at the tip the store holds."""
    tip = desk.tip
    trusted = Trusted(
        chain_id=desk.chain_id,
        height=tip.height,
        hash=tip.hash,
        timestamp_ms=Millis(tip.timestamp_ms),
        validators=tip.validators,
        header=tip.header,
        trusting_period_ms=tip.parameters.trusting_period_ms,
    )
    # Whoever has a log of blocks executes them again: that is better than taking over a snapshot.
    fresh = desk.settings.snapshot_sync and tip.height == 0 and desk.archive.last == 0
    return sync.Sync(
        trusted,
        desk.archive,
        snapshots=StateSnapshots(desk),
        take=sync.StateCheck(verify_piece, covers_all) if fresh else None,
    )


def carry(desk: Desk, effect: sync.Effect) -> None:
    """One effect of sync."""
    match effect:
        case sync.Send(peers, message):
            data = encode(message)
            for peer in peers:
                send(desk, peer, Stream.SYNC, Letter.SYNC, data)
        case sync.CheckCommits(token, items):
            desk.emit(out.CheckAggregates("sync", token, items))
        case sync.Import():
            _import(desk, effect)
        case sync.Install():
            install(desk, effect)
        case sync.Behind(height):
            desk.behind = True
            desk.note("behind", target=height, height=desk.tip.height)
        case sync.CaughtUp(height):
            desk.behind = False
            desk.note("caught_up", height=height)
            desk.tell("ibft", ibft.Seated(desk.now_ms, desk.seat if desk.may_vote else NO_SEAT))
        case sync.Blame(peer, refusal, detail):
            desk.blame(peer, refusal, detail)
            desk.tell("bpci", Punish(peer, f"{refusal.value}: {detail}", desk.now_ms))
        case _ as never:
            assert_never(never)


def _import(desk: Desk, block: sync.Import) -> None:
    """SYNC: a quorum made it final; executing it here must give what it says, or this node computes wrongly."""
    header = block.header
    if header.height != desk.tip.height + 1 or header.parent_hash != desk.tip.hash:
        return
    candidate = desk.candidates.get(header.hash)
    if candidate is None:
        execution = desk.ledger.execute(
            desk.tip.hash,
            BlockInput(header.height, header.timestamp_ms, header.proposer, block.body.evidence, block.transactions),
        )
        results = (execution.state_root, execution.receipts_root, execution.validators.hash)
        if results != (header.state_root, header.receipts_root, header.next_validators_hash):
            desk.emit(out.Halt(f"block {header.height} is final, but executing it here gives other results"))
            return
        candidate = Candidate(header, block.body, execution.transactions, execution)
        keep(desk, candidate)
    import_final(desk, candidate, block.commit)
    begin_height(desk)


def hint(desk: Desk, seat: Seat, height: int) -> None:
    """A validator speaks of a height above ours."""
    validators = desk.tip.validators
    if 0 <= seat < len(validators):
        desk.heights[validators[seat].transport_key] = height
        desk.tell("sync", sync.Hint(validators[seat].transport_key, height))


def hear(desk: Desk, peer: bytes, data: bytes) -> None:
    """A peer's message. Raises `Rejected`."""
    desk.tell("sync", sync.Received(desk.now_ms, peer, sync.MESSAGES.decode(data)))
