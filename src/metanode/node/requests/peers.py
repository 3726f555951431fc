"""The other nodes this one knows."""

from metanode.api.node import Nothing, PeerPage, PeerView
from metanode.node.desk import Desk
from metanode.node.talk import seat_of


def known_peers(desk: Desk) -> dict[bytes, str]:
    """Every other node that may speak to us, or does, with the first address known of it: connected ones first."""
    addresses = {v.transport_key: v.addresses[0] if v.addresses else "" for v in desk.tip.validators.validators}
    for key, address in desk.settings.bootstrap:
        addresses[key] = addresses.get(key) or address
    known = {key: addresses.get(key, "") for key in (*desk.peers, *addresses, *desk.settings.observers)}
    known.pop(desk.settings.transport_key, None)
    return known


def _view(desk: Desk, peer: bytes, address: str) -> PeerView:
    seat, line = seat_of(desk, peer), desk.lines.of(peer)
    return PeerView(
        name=desk.tip.validators[seat].name if seat >= 0 else peer.hex()[:16],
        transport_key=peer.hex(),
        seat=seat,
        address=address,
        connected=peer in desk.peers,
        inbound=line.inbound,
        since_ms=desk.peers.get(peer, 0),
        last_heard_ms=desk.heard_ms.get(peer, 0),
        round_trip_ms=line.round_trip_ms,
        height=desk.heights.get(peer, 0),
        bytes_in=line.bytes_in,
        bytes_out=line.bytes_out,
    )


def peer_list(desk: Desk, _: Nothing) -> PeerPage:
    """The peers, connected ones first. Bounded by the set and the operator's own list."""
    return PeerPage(items=tuple(_view(desk, peer, address) for peer, address in known_peers(desk).items()))
