"""From one height to the next: who signs it, who may speak to us, when its block is due."""

from collections.abc import Sequence

from metanode.chain import ibft, mempool
from metanode.network import bpci, discovery
from metanode.node.desk import NO_SEAT, Desk
from metanode.node.effects import Halt
from metanode.node.pacing import pace
from metanode.primitives.names import Height
from metanode.records.genesis import RULES_VERSION


def begin_height(desk: Desk, replay: Sequence[ibft.Record] = ()) -> None:
    """The block below is applied: IBFT begins the next height, after a start with its own journal. LEDGER-V5: unless it
    is under rules that this program does not know."""
    tip = desk.tip
    if tip.rules_version > RULES_VERSION:
        known = f"this program knows {RULES_VERSION}: install one that knows it"
        desk.emit(Halt(f"rules version {tip.rules_version} is due at height {tip.height + 1}, {known}"))
        return
    desk.court.clear()
    desk.round = 0
    if tip.validators.validators != tip.previous_validators.validators:
        allow_peers(desk)
        _tell_pool(desk)
    desk.tell(
        "ibft",
        ibft.HeightBegins(
            now_ms=desk.now_ms,
            height=Height(tip.height + 1),
            validators=tip.validators,
            previous_validators=tip.previous_validators,
            previous_proposer=tip.header[0].proposer if tip.header else NO_SEAT,
            seat=desk.seat if desk.may_vote and not desk.behind else NO_SEAT,
            round_timeout_ms=tip.parameters.round_timeout_ms,
            round_timeout_max_ms=tip.parameters.round_timeout_max_ms,
            all_to_all_max=tip.parameters.all_to_all_max,
        ),
    )
    for record in replay:
        desk.tell("ibft", ibft.Replayed(record))
    if replay:
        desk.tell("ibft", ibft.Resumed(desk.now_ms))
    pace(desk)


def _tell_pool(desk: Desk) -> None:
    """POOL-9. Connected peers that have become validators, or are none any more; a new one hears what it lacks."""
    before = desk.tip.previous_validators.seats_by_transport_key
    now = desk.tip.validators.seats_by_transport_key
    for peer in desk.peers:
        if (peer in before) != (peer in now):
            desk.tell("pool", mempool.PeerUp(peer, relays=peer in now))


def allow_peers(desk: Desk) -> None:
    """BPCI-A1. Only validators of the next height may speak to us, and as observers those this operator or genesis
    names: who was voted out among them."""
    cluster = desk.chain_id[:16]
    peers = [
        bpci.AllowedPeer(validator.transport_key, cluster, bpci.Role.VALIDATOR)
        for validator in desk.tip.validators.validators
    ]
    known = {peer.key: None for peer in peers}
    peers += [
        bpci.AllowedPeer(key, cluster, bpci.Role.OBSERVER)
        for key in (*desk.settings.observers, *(key for key, _ in desk.settings.bootstrap))
        if key not in known
    ]
    desk.tell("bpci", bpci.AllowPeers(tuple(peers), desk.now_ms))
    desk.tell("discovery", discovery.KnownPeers(tuple(dict.fromkeys(peer.key for peer in peers)), desk.now_ms))
