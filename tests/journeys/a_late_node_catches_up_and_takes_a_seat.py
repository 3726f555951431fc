"""A fifth node joins a chain that is on its way, follows it, is voted in, and another is voted out."""

from tests.journeys.town import Town, town, until
from tests.journeys.traffic import Traffic, check_agreement, check_nothing_lost, named, settle, signed
from tests.journeys.words import Listener, check_nobody_signed_twice

from metanode.host.development import development_validator, peer_port
from metanode.primitives.names import Hash
from metanode.records.address import show_address
from metanode.records.calls import Action, AddValidator, GovernancePropose, GovernanceVote, RemoveValidator

LATE = "validator-4"


def vote_in(nodes: Town, number: int, action: Action, voters: tuple[int, ...]) -> None:
    """The first operator proposes, the others approve; return when the action is final."""
    settle(nodes[0], send(nodes, voters[0], GovernancePropose(action=action)))
    with nodes[0].ask() as client:
        assert client.governance.get(number).state == "open"
        for index in voters[1:]:
            settle(nodes[0], send(nodes, index, GovernanceVote(proposal=number, approve=True)))
        assert client.governance.get(number).state == "passed"


def send(nodes: Town, operator: int, call: GovernancePropose | GovernanceVote) -> Hash:
    """Submit what the operator of a validator says; its identity."""
    account = named(f"operator-validator-{operator}")
    with nodes[0].ask() as client:
        account.nonce = client.account.get(show_address(account.address)).lanes[0].next_nonce
        name, encoded = signed(nodes.chain_id, account, call)
        client.transaction.submit(encoded)
    return name


def test_a_late_node_follows_from_genesis_is_voted_in_and_another_out(tmp_path):
    with town(tmp_path, start=False) as nodes, Listener(nodes) as listener:
        nodes.open_to(LATE)
        nodes.start()
        traffic = Traffic(nodes, seed=303).fund()
        with traffic:
            traffic.await_count(200, 60)
            late = nodes.add_node(LATE, 4)
            begun = nodes[0].height()
            late.start()
            nodes.await_height(begun + 5, 60, late)
            until(lambda: not late.status().syncing, 20, "it has caught up")
            until(lambda: late.status().light.colour == "green", 20, "it reaches a quorum by links of its own")
            assert late.status().seat == -1
            traffic.await_count(50, 30)

            validator = development_validator(LATE, f"127.0.0.1:{peer_port(nodes.base, 4)}")
            action = AddValidator(**{name: getattr(validator, name) for name in AddValidator.__struct_fields__})
            vote_in(nodes, 1, action, (0, 1, 2))
            assert nodes[0].seats() == [f"validator-{index}" for index in range(5)]
            until(lambda: late.status().seat >= 0, 20, "it has a seat")
            nodes.await_growth(10, 40)
            assert 4 in signers_of(nodes, nodes[0].height() - 5, nodes[0].height()), "the newcomer signs"

            # Five seats need four: with one of the founders gone the newcomer's word is needed.
            nodes.kill(3)
            traffic.await_count(50, 60)
            nodes.start(3)

            vote_in(nodes, 2, RemoveValidator(name="validator-0"), (0, 1, 2, 4))
            assert nodes[0].seats() == [f"validator-{index}" for index in range(1, 5)]
            nodes.kill(0)
            nodes.await_growth(5, 40)
            traffic.await_count(50, 60)
            nodes.start(0)
        nodes.await_growth(3, 60)
        traffic.drain(late)
        last = max(house.height() for house in nodes.houses)
        nodes.await_height(last, 30)
        for house in nodes.houses:
            check_nothing_lost(traffic.ledger, house)
        check_agreement(nodes.houses, last)
        check_nobody_signed_twice(nodes, listener, late)


def signers_of(nodes: Town, first: int, last: int) -> set[int]:
    """The seats whose seals are in the certificates of these blocks."""
    with nodes[0].ask() as client:
        return {seat for height in range(first, last + 1) for seat in client.block.get(height).commit.signers}
