"""The node itself: status, genesis, parameters, pool."""

from metanode import __version__
from metanode.api.node import (
    GenesisView,
    MempoolStatus,
    NamedAccount,
    NodeStatus,
    Nothing,
    ParameterPage,
    ParameterView,
)
from metanode.chain.mempool import Mempool
from metanode.node.desk import Desk
from metanode.node.requests.peers import known_peers
from metanode.node.requests.traffic_light import Observed, further_faults, light, still_ms
from metanode.node.requests.validators import is_reachable
from metanode.node.talk import seat_of
from metanode.primitives.codec import encode
from metanode.records.address import show_address
from metanode.records.genesis import dump_toml
from metanode.records.parameters import REASONS


def node_status(desk: Desk, pool: Mempool, _: Nothing) -> NodeStatus:
    """One node's view of the chain, judged by the traffic light."""
    tip, validators, waiting = desk.tip, desk.tip.validators, pool.status()
    missing = tuple(v.name for v in validators.validators if not is_reachable(desk, v.transport_key))
    reachable = len(validators) - len(missing)
    age_ms = max(0, desk.now_ms - tip.timestamp_ms)
    observed = Observed(
        booted=desk.booted,
        development=desk.genesis.development,
        height=tip.height,
        reachable=reachable,
        total=len(validators),
        quorum=validators.quorum,
        missing=missing,
        syncing=desk.behind,
        height_of_peers=max((h for peer, h in desk.heights.items() if seat_of(desk, peer) >= 0), default=0),
        mute=desk.seat >= 0 and not desk.may_vote,
        fault=desk.fault[0],
        idle_ms=max(0, desk.now_ms - max(tip.timestamp_ms, desk.started_ms)),
        still_ms=still_ms(tip.parameters),
        pool_percent=max(
            100 * waiting.transactions // pool.limits.count_max, 100 * waiting.bytes // pool.limits.bytes_max
        ),
    )
    return NodeStatus(
        chain_id=desk.chain_id.hex(),
        chain_name=desk.genesis.name,
        development=desk.genesis.development,
        node=desk.settings.name or _own_name(desk),
        seat=desk.seat,
        version=__version__,
        rules_version=tip.rules_version,
        height=tip.height,
        block_hash=tip.hash.hex(),
        last_block_ms=tip.timestamp_ms,
        last_block_age_ms=age_ms,
        round=desk.round,
        syncing=desk.behind,
        peers_connected=len(desk.peers),
        peers_known=len(known_peers(desk)),
        validators_total=len(validators),
        validators_reachable=reachable,
        quorum=validators.quorum,
        faults_tolerated=validators.faults,
        further_faults_tolerated=further_faults(reachable, validators.quorum),
        pool_transactions=waiting.transactions,
        pool_bytes=waiting.bytes,
        started_ms=desk.started_ms,
        now_ms=desk.now_ms,
        light=light(observed),
    )


def _own_name(desk: Desk) -> str:
    return desk.tip.validators[desk.seat].name if desk.seat >= 0 else desk.settings.transport_key.hex()[:16]


def genesis_get(desk: Desk, _: Nothing) -> GenesisView:
    """What everyone agreed on at the start."""
    genesis = desk.genesis
    return GenesisView(
        chain_id=desk.chain_id.hex(),
        name=genesis.name,
        development=genesis.development,
        rules_version=genesis.rules_version,
        fee_coin=genesis.fee_coin,
        accounts=tuple(NamedAccount(name=a.name, address=show_address(a.address)) for a in genesis.accounts),
        encoded=encode(genesis).hex(),
        toml=dump_toml(genesis),
    )


def parameters_get(desk: Desk, _: Nothing) -> ParameterPage:
    """Every parameter as it is for the next height, with its range and reason."""
    values = desk.tip.parameters
    return ParameterPage(
        height=desk.tip.height,
        rules_version=desk.tip.rules_version,
        items=tuple(
            ParameterView(name=name, value=getattr(values, name), least=least, greatest=greatest, reason=reason)
            for name, (least, greatest, reason) in REASONS.items()
        ),
    )


def mempool_status(desk: Desk, pool: Mempool, _: Nothing) -> MempoolStatus:
    """What waits in this node's pool."""
    status = pool.status()
    return MempoolStatus(
        transactions=status.transactions,
        transactions_max=pool.limits.count_max,
        bytes=status.bytes,
        bytes_max=pool.limits.bytes_max,
        senders=status.senders,
        oldest_ms=status.oldest_ms,
        accepted=status.accepted,
        evicted=status.evicted,
        refused=dict(desk.refusals),
    )
