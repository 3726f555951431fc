"""The network breaks into two halves of two validators: no half decides anything; healed, all go on. Needs root."""

import time

import pytest
from tests.journeys.islands import archipelago
from tests.journeys.town import House, Town, until_all
from tests.journeys.traffic import Traffic, check_agreement, check_nothing_lost
from tests.journeys.words import Listener, check_nobody_signed_twice

from metanode.chain.stall import Cause, Explanation, explain
from metanode.client.verify import GenesisBasis, Told, hear_transcript


def says_why(house: House) -> bool:
    """First that blocks stand still; once the silence of the others is long enough, that they are missed."""
    status = house.status()
    why = "2/4 validators, 3 are needed: no block can become final"
    return (status.light.colour, status.light.reason) == ("red", why) and status.further_faults_tolerated == -1


def told(nodes: Town, house: House) -> Told:
    """What a node shows of the height that is open."""
    with house.ask() as client:
        data = bytes.fromhex(client.evidence.transcript().file)
    return hear_transcript(data, GenesisBasis(nodes.network.genesis))


def explained(nodes: Town, *houses: House) -> Explanation:
    """Why no block comes, by what these nodes show."""
    return explain([told(nodes, house) for house in houses])


@pytest.mark.root
def test_neither_half_decides_and_healed_they_go_on(tmp_path):
    with archipelago(tmp_path) as (nodes, islands), Listener(nodes) as listener:
        traffic = Traffic(nodes, seed=505).fund()
        with traffic:
            traffic.await_count(40, 30)
            islands.cut()
            until_all(nodes.houses, says_why, 60, "the light says why")
            stopped = [house.height() for house in nodes.houses]
            assert max(stopped) - min(stopped) <= 1, "at most one half had heard the last decision"
            time.sleep(2.0)  # no proof by itself: long enough for several blocks, if there could be any
            assert [house.height() for house in nodes.houses] == stopped
            behind = tuple(seat for seat in range(4) if stopped[seat] < max(stopped))
            all_four, one_half = explained(nodes, *nodes.houses), explained(nodes, *nodes.houses[:2])
            if behind:  # one half had heard the last decision
                assert (all_four.cause, all_four.blamed) == (Cause.NO_QUORUM, behind)
            else:
                assert (all_four.cause, all_four.sides) == (Cause.PARTITION, ((0, 1), (2, 3)))
            assert (one_half.cause, one_half.blamed) == (Cause.NO_QUORUM, (2, 3))
            islands.heal()
            healed = time.monotonic()
            nodes.await_height(max(stopped) + 3, 60)
            print(f"blocks again {time.monotonic() - healed:.1f} s after healing")
            traffic.await_count(40, 40)
            until_all(nodes.houses, lambda house: house.status().light.colour == "green", 30, "the light is green")

            # A short break, shorter than the silence after which a peer is given up.
            islands.cut()
            time.sleep(3.0)
            islands.heal()
            healed = time.monotonic()
            nodes.await_growth(3, 40)
            print(f"blocks again {time.monotonic() - healed:.1f} s after a short break")
        traffic.drain(nodes[0])
        last = max(house.height() for house in nodes.houses)
        nodes.await_height(last, 30)
        for house in nodes.houses:
            check_nothing_lost(traffic.ledger, house)
        check_agreement(nodes.houses, last)
        check_nobody_signed_twice(nodes, listener, nodes[0])
