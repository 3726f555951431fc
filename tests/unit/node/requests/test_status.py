"""What a node says of itself."""

from dataclasses import replace

import pytest
from tests.unit.ledger.world import START_MS, address, key, make_genesis
from tests.unit.node.requests.world import Chain

from metanode import __version__
from metanode.api.node import (
    GenesisView,
    Light,
    MempoolStatus,
    NamedAccount,
    NodeStatus,
    Nothing,
    ParameterPage,
    ParameterView,
)
from metanode.node.requests.traffic_light import Observed, further_faults, light, still_ms
from metanode.primitives.codec import encode
from metanode.records.address import show_address
from metanode.records.calls import CoinTransfer
from metanode.records.genesis import dump_toml, genesis_hash
from metanode.records.parameters import REASONS, Parameters

WELL = Observed(
    booted=True,
    development=True,
    height=9,
    reachable=4,
    total=4,
    quorum=3,
    missing=(),
    syncing=False,
    height_of_peers=9,
    mute=False,
    fault="",
    idle_ms=100,
    still_ms=17_000,
    pool_percent=0,
)


@pytest.mark.parametrize(
    ("changes", "colour", "reason", "fix"),
    [
        ({}, "green", "4/4 validators, final", ""),
        ({"booted": False}, "red", "the node has not recovered yet", "wait until /ready says 200"),
        (
            {"reachable": 2, "missing": ("c", "d")},
            "red",
            "2/4 validators, 3 are needed: no block can become final",
            "bpi testnet heal",
        ),
        (
            {"reachable": 2, "missing": ("c", "d"), "development": False},
            "red",
            "2/4 validators, 3 are needed: no block can become final",
            "start or reconnect c, d",
        ),
        (
            {"idle_ms": 17_001},
            "red",
            "blocks stand still: none for 17 s, at most 17 s are due",
            "bpi doctor stall tells why",
        ),
        (
            {"idle_ms": 60_000, "reachable": 3, "missing": ("d",), "development": False},
            "red",
            "blocks stand still: none for 60 s, at most 17 s are due",
            "start or reconnect d",
        ),
        (
            {"syncing": True, "idle_ms": 60_000, "height_of_peers": 700},
            "yellow",
            "catching up: height 9 of 700",
            "wait until it has caught up",
        ),
        (
            {"reachable": 3, "missing": ("d",)},
            "yellow",
            "3/4 validators, still final, no further fault tolerated",
            "bpi testnet heal",
        ),
        (
            {"reachable": 6, "total": 7, "quorum": 5, "missing": ("d",), "development": False},
            "yellow",
            "6/7 validators, still final, 1 further fault tolerated",
            "start or reconnect d",
        ),
        (
            {"reachable": 9, "total": 13, "quorum": 7, "missing": ("a", "b", "c", "d"), "development": False},
            "yellow",
            "9/13 validators, still final, 2 further faults tolerated",
            "start or reconnect a, b, c and 1 more",
        ),
        ({"fault": "latency"}, "yellow", "4/4 validators, a fault is pretended: latency", "bpi testnet heal"),
        (
            {"mute": True},
            "yellow",
            "4/4 validators, but this one does not vote: its journal or sign guard is not to be trusted yet",
            "read its log: a damaged journal is left by starting it again, a lost guard by bpi node vouch",
        ),
        (
            {"pool_percent": 90},
            "yellow",
            "4/4 validators, final, but 90% of the pool is full",
            "submit less, or offer higher fees",
        ),
    ],
)
def test_the_light(changes: dict[str, object], colour: str, reason: str, fix: str) -> None:
    assert light(replace(WELL, **changes)) == Light(colour=colour, reason=reason, fix=fix)  # type: ignore[arg-type]


def test_blocks_stand_still_after_the_empty_period_and_four_doubling_rounds() -> None:
    assert still_ms(Parameters()) == 5_000 + 800 + 1_600 + 3_200 + 6_400
    assert still_ms(Parameters(round_timeout_max_ms=1_000)) == 5_000 + 800 + 3 * 1_000


def test_further_faults() -> None:
    assert [further_faults(reachable, 3) for reachable in (4, 3, 2, 0)] == [1, 0, -1, -1]


def test_status_of_a_validator_with_two_peers() -> None:
    chain = Chain()
    chain.wait_in_pool(chain.transaction("alice", CoinTransfer(coin="BPI", to=address("bob"), amount=b"\x2a")))
    last = chain.final()
    chain.desk.peers = {key("validator-1 transport"): 5, key("validator-2 transport"): 6}
    chain.desk.now_ms = last.header.timestamp_ms + 300
    chain.desk.round = 1
    status = chain.ask("node.status", Nothing())
    assert status == NodeStatus(
        chain_id=genesis_hash(chain.genesis).hex(),
        chain_name="test",
        development=True,
        node="validator-0",
        seat=0,
        version=__version__,
        rules_version=1,
        height=1,
        block_hash=last.header.hash.hex(),
        last_block_ms=START_MS + 1_000,
        last_block_age_ms=300,
        round=1,
        syncing=False,
        peers_connected=2,
        peers_known=3,
        validators_total=4,
        validators_reachable=3,
        quorum=3,
        faults_tolerated=1,
        further_faults_tolerated=0,
        pool_transactions=1,
        pool_bytes=chain.pool.status().bytes,
        started_ms=START_MS,
        now_ms=START_MS + 1_300,
        light=Light(
            colour="yellow",
            reason="3/4 validators, still final, no further fault tolerated",
            fix="bpi testnet heal",
        ),
    )
    assert status.pool_bytes > 0


def test_a_peer_cut_off_by_a_pretended_fault_is_not_reachable() -> None:
    chain = Chain()
    chain.desk.peers = {key(f"validator-{seat} transport"): 5 for seat in (1, 2, 3)}
    chain.desk.cut_peers = (key("validator-3 transport"),)
    assert chain.ask("node.status", Nothing()).validators_reachable == 3


def test_an_observer_counts_only_others() -> None:
    chain = Chain(node=9)
    chain.desk.peers = {key(f"validator-{seat} transport"): 5 for seat in range(4)}
    status = chain.ask("node.status", Nothing())
    assert (status.seat, status.node) == (-1, key("validator-9 transport").hex()[:16])
    assert (status.validators_reachable, status.light.colour) == (4, "green")


def test_a_node_is_called_what_its_operator_calls_it() -> None:
    """`name`. Found by review: only the log did."""
    chain = Chain()
    assert chain.ask("node.status", Nothing()).node == "validator-0"
    chain.desk.settings = replace(chain.desk.settings, name="lighthouse")
    assert chain.ask("node.status", Nothing()).node == "lighthouse"


def test_a_validator_that_must_not_vote_says_so() -> None:
    chain = Chain()
    chain.desk.peers = {key(f"validator-{seat} transport"): 5 for seat in (1, 2, 3)}
    chain.desk.may_vote = False
    assert "does not vote" in chain.ask("node.status", Nothing()).light.reason


def test_genesis() -> None:
    genesis = make_genesis()
    assert Chain(genesis).ask("genesis.get", Nothing()) == GenesisView(
        chain_id=genesis_hash(genesis).hex(),
        name="test",
        development=True,
        rules_version=1,
        fee_coin="BPI",
        accounts=tuple(
            NamedAccount(name=name, address=show_address(address(name)))
            for name in ("operator-0", "operator-1", "operator-2", "operator-3", "alice", "bob", "carol")
        ),
        encoded=encode(genesis).hex(),
        toml=dump_toml(genesis),
    )


def test_parameters() -> None:
    page = Chain(make_genesis(parameters=Parameters(fee_min=7))).ask("parameters.get", Nothing())
    assert [item.name for item in page.items] == list(REASONS)
    fee_min = next(item for item in page.items if item.name == "fee_min")
    assert fee_min == ParameterView(
        name="fee_min",
        value=7,
        least=0,
        greatest=1 << 62,
        reason="0 in development; above it, flooding costs money",
    )
    assert page == ParameterPage(height=0, rules_version=1, items=page.items)


def test_mempool() -> None:
    chain = Chain()
    chain.wait_in_pool(chain.transaction("alice", CoinTransfer(coin="BPI", to=address("bob"), amount=b"\x2a")))
    chain.desk.refused("pool.full", 1)
    chain.desk.refused("pool.full", 2)
    status = chain.pool.status()
    assert chain.ask("mempool.status", Nothing()) == MempoolStatus(
        transactions=1,
        transactions_max=50_000,
        bytes=status.bytes,
        bytes_max=64 << 20,
        senders=1,
        oldest_ms=START_MS,
        accepted=1,
        evicted=0,
        refused={"pool.full": 3},
    )
