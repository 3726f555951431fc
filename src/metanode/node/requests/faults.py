"""Pretended faults, on development chains only: one at a time, until it is cleared."""

from typing import assert_never

from metanode.api.errors import ApiRefusal
from metanode.api.node import FaultSet, FaultView, Nothing
from metanode.node.desk import Desk
from metanode.node.effects import SetFault
from metanode.node.requests.peers import known_peers
from metanode.primitives.refusal import Rejected


def _check_development(desk: Desk) -> None:
    if not desk.genesis.development:
        raise Rejected(ApiRefusal.DEVELOPMENT_ONLY, f"the genesis of {desk.genesis.name!r} does not say development")


def _keys(desk: Desk, names: tuple[str, ...]) -> tuple[bytes, ...]:
    """The transport keys of these validators, without our own. Raises `Rejected` with `NOT_FOUND`."""
    by_name = {v.name: v.transport_key for v in desk.tip.validators.validators}
    for name in names:
        if name not in by_name:
            raise Rejected(ApiRefusal.NOT_FOUND, f"no validator {name!r}")
    keys = dict.fromkeys(by_name[name] for name in names)
    return tuple(key for key in keys if key != desk.settings.transport_key)


def fault_set(desk: Desk, asked: FaultSet) -> FaultView:
    """Pretend a fault instead of the one before. A paused node hears and tells no peer; its public port still answers,
    so that the fault can be cleared."""
    _check_development(desk)
    if asked.kind != "partition" and asked.peers:
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, "peers: only of a partition")
    if asked.kind != "latency" and asked.value_ms:
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, "value_ms: only of latency")
    match asked.kind:
        case "pause":
            cut = tuple(known_peers(desk))
        case "partition":
            if not asked.peers:
                raise Rejected(ApiRefusal.INVALID_ARGUMENTS, "peers: a partition needs the names of those cut off")
            cut = _keys(desk, asked.peers)
        case "latency":
            if not asked.value_ms:
                raise Rejected(ApiRefusal.INVALID_ARGUMENTS, "value_ms: latency needs at least 1")
            cut = ()
        case _:
            assert_never(asked.kind)
    return _pretend(desk, cut, asked.kind, asked.peers, asked.value_ms)


def fault_clear(desk: Desk, _: Nothing) -> FaultView:
    """Heal what is pretended."""
    _check_development(desk)
    return _pretend(desk, (), "", (), 0)


def _pretend(desk: Desk, cut: tuple[bytes, ...], kind: str, peers: tuple[str, ...], value_ms: int) -> FaultView:
    desk.cut_peers = cut
    desk.fault = (kind, peers, value_ms)
    desk.emit(SetFault(kind, cut, value_ms))
    return FaultView(kind=kind, peers=peers, value_ms=value_ms)
