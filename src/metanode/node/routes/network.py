"""What the transport and discovery ask for, and letters to the rooms they are for."""

from typing import Final, assert_never

from metanode.chain import mempool, proposal, sync
from metanode.network import bpci, discovery
from metanode.node import effects as out
from metanode.node import guilt
from metanode.node.desk import Desk
from metanode.node.routes import bodies, consensus, pool, synchronise
from metanode.node.talk import Letter, seat_of, send
from metanode.primitives.refusal import Rejected

KNOWN: Final = frozenset(bytes([letter]) for letter in Letter)
"""First bytes of letters that this version opens."""


def carry(desk: Desk, effect: bpci.Effect) -> None:
    """One effect of the transport."""
    match effect:
        case bpci.Transmit(link, data):
            desk.lines.said(link, len(data))
            desk.emit(out.Transmit(link, data))
        case bpci.Close(link, reason):
            desk.emit(out.CloseLink(link, reason.value))
        case bpci.Compute(token, operation):
            desk.emit(out.Compute("bpci", token, operation))
        case bpci.PeerUp(peer, link, outbound):
            desk.lines.rose(peer, link)
            _rose(desk, peer, outbound=outbound)
        case bpci.PeerDown(peer, reason):
            _fell(desk, peer, reason.value)
        case bpci.Delivered(peer, _, messages):
            _delivered(desk, peer, messages)
        case bpci.Witnessed():
            pass  # kept by the transport until evidence of traffic is asked for
        case bpci.Blame(peer, link, reason, detail):
            desk.note("blame", peer=peer.hex()[:16], link=link, reason=reason.value, detail=detail)
        case bpci.Dropped(peer, stream, count):
            desk.note("dropped", peer=peer.hex()[:16], stream=stream.name.lower(), count=count)
        case bpci.RoundTrip(peer, took_ms):
            desk.lines.measured(peer, took_ms)
        case _ as never:
            assert_never(never)


def carry_discovery(desk: Desk, effect: discovery.DiscoveryEffect) -> None:
    """One effect of discovery."""
    match effect:
        case discovery.Dial(peer, address):
            if peer not in desk.cut_peers:
                desk.emit(out.Dial(peer, address))
        case discovery.Send(peer, data):
            send(desk, peer, bpci.Stream.GOSSIP, Letter.DISCOVERY, data)
        case discovery.Mistrust(peer, reason, detail):
            desk.blame(peer, reason, detail)
        case bpci.Compute(token, operation):
            desk.emit(out.Compute("discovery", token, operation))
        case _ as never:
            assert_never(never)


def _rose(desk: Desk, peer: bytes, *, outbound: bool) -> None:
    desk.peers[peer] = desk.now_ms
    desk.heard_ms[peer] = desk.now_ms
    desk.note("peer_up", peer=peer.hex()[:16], outbound=int(outbound), peers=len(desk.peers))
    desk.tell("discovery", discovery.PeerRose(peer, desk.now_ms))
    desk.tell("pool", mempool.PeerUp(peer, relays=seat_of(desk, peer) >= 0))
    desk.tell("assembly", proposal.PeerUp(peer))
    desk.tell("sync", sync.PeerUp(peer))


def _fell(desk: Desk, peer: bytes, reason: str) -> None:
    desk.peers.pop(peer, None)
    desk.heights.pop(peer, None)
    desk.lines.fell(peer)
    desk.note("peer_down", peer=peer.hex()[:16], reason=reason, peers=len(desk.peers))
    desk.tell("discovery", discovery.PeerFell(peer, desk.now_ms))
    desk.tell("pool", mempool.PeerDown(peer))
    desk.tell("assembly", proposal.PeerDown(peer))
    desk.tell("sync", sync.PeerDown(peer))


def _delivered(desk: Desk, peer: bytes, messages: tuple[bytes, ...]) -> None:
    if peer in desk.cut_peers:
        return
    desk.heard_ms[peer] = desk.now_ms
    for message in messages:
        try:
            _open(desk, peer, message)
        except Rejected as rejected:
            desk.blame(peer, rejected.reason, rejected.detail)
            desk.tell("bpci", bpci.Punish(peer, str(rejected), desk.now_ms))
            break
    strange = sum(message[:1] not in KNOWN for message in messages)
    if strange:
        desk.note("unknown_letter", peer=peer.hex()[:16], count=strange)


def _open(desk: Desk, peer: bytes, message: bytes) -> None:
    """A letter goes to its room; an unknown kind is of a later version, and is let be, like what this operator does not
    want to hear."""
    kind, data = message[:1], message[1:]
    match kind[0] if kind else 0:
        case Letter.IBFT:
            consensus.hear(desk, seat_of(desk, peer), data)
        case Letter.POOL:
            pool.hear(desk, peer, data)
        case Letter.BODIES:
            bodies.hear(desk, peer, data)
        case Letter.SYNC:
            synchronise.hear(desk, peer, data)
        case Letter.EVIDENCE:
            guilt.hear(desk, peer, data)
        case Letter.DISCOVERY if desk.settings.discovery:
            desk.tell("discovery", discovery.Received(peer, data, desk.now_ms))
        case _:
            pass  # counted by the batch: a flood of them must not become a flood of notes
