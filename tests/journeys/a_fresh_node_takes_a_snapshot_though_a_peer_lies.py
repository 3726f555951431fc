"""A fresh node takes the state from four peers, one of which lies about it, and reaches the head under load."""

from tests.journeys.liar import scratch_copy
from tests.journeys.town import House, Town, change_setting, town, until
from tests.journeys.traffic import CALLS_MAX, Traffic, check_balances, named, settle, signed, stranger, transfer

from metanode.records.parameters import Parameters

LIAR = "validator-3"
PEOPLE = 1_500
"""Accounts besides those of the traffic: enough for a state of several pieces."""
CALM = Parameters(block_period_ms=100, empty_block_period_ms=30_000, round_timeout_ms=500, block_work_max=150_000)
"""Without load the head stays where it is, so that all peers cut the snapshot of one height."""


def populate(nodes: Town) -> None:
    """Give many people a cent."""
    faucet, batch = named("faucet"), []
    for at in range(0, PEOPLE, CALLS_MAX):
        people = [stranger(10_000 + at + number) for number in range(CALLS_MAX)]
        batch.append(signed(nodes.chain_id, faucet, *(transfer(to, 1) for to in people)))
    with nodes[0].ask() as client:
        outcomes = client.transaction.submit_batch([encoded for _, encoded in batch])
    assert all(outcome.accepted for outcome in outcomes), outcomes
    settle(nodes[0], batch[-1][0])


def fresh(nodes: Town, name: str, index: int) -> House:
    """A node that begins with a snapshot, running."""
    house = nodes.add_node(name, index)
    change_setting(house, "sync.snapshot", "true")
    house.start()
    return house


def blamed(house: House) -> set[tuple[str, str]]:
    """Whom the node blamed for what; that it is not let in again for a while is no new blame."""
    found = {(line["peer"], line["reason"]) for line in house.logged("blame")}
    return {(peer, reason) for peer, reason in found if reason != "bpci.punished"}


def test_a_fresh_node_takes_a_snapshot_of_which_a_part_was_forged(tmp_path):
    names = ("observer-4", "observer-5")
    with town(tmp_path, parameters=CALM, start=False) as nodes:
        nodes.open_to(*names)
        nodes[3].source = scratch_copy(tmp_path)
        nodes[3].environment = {"METANODE_LIE": "pieces", "METANODE_LIAR": LIAR}
        nodes.start()
        traffic = Traffic(nodes, seed=606)
        populate(nodes)
        traffic.fund(from_nonce=-(-PEOPLE // CALLS_MAX))
        with traffic:
            traffic.await_count(400, 60)
            traffic.pause()
            height = until(lambda: at_rest(nodes), 20, "the chain is at rest")

            first = fresh(nodes, names[0], 4)
            (snapshot,) = until(lambda: first.logged("snapshot"), 40, "a snapshot is installed")
            assert (snapshot["height"], snapshot["entries"] > PEOPLE) == (height, True)
            assert blamed(first) == {(nodes.transport_key(LIAR)[:16], "sync.wrong-piece")}
            traffic.resume()
            traffic.await_count(100, 30)

            second = fresh(nodes, names[1], 5)
            (snapshot,) = until(lambda: second.logged("snapshot"), 40, "a snapshot is installed under load")
            assert snapshot["height"] >= height
            assert blamed(second) <= {(nodes.transport_key(LIAR)[:16], "sync.wrong-piece")}
            for house in (first, second):
                target = nodes[0].height() + 10
                nodes.await_height(target, 40, house)
                until(lambda house=house: not house.status().syncing, 20, "it has caught up")  # type: ignore[misc]
            traffic.await_count(50, 30)
        traffic.drain(nodes[0])
        last = nodes[0].height()
        nodes.await_height(last, 20)
        for house in nodes.houses:
            check_balances(traffic.ledger, house)
            with house.ask() as client:
                assert client.block.get(last).hash == traffic.ledger.blocks[last]

        # It starts again from its own disk, and no longer needs a snapshot.
        first.kill()
        first.start()
        assert first.height() >= last
        assert len(first.logged("snapshot")) == 1


def at_rest(nodes: Town) -> int:
    """The height all nodes have while nothing waits; 0 while they differ."""
    statuses = [house.status() for house in nodes.houses]
    heights = {status.height for status in statuses}
    waiting = sum(status.pool_transactions for status in statuses)
    return heights.pop() if len(heights) == 1 and not waiting else 0
