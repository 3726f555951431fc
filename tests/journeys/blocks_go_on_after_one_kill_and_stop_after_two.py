"""Four validators bear one fault: one killed, blocks go on; two, they stop and say why; restarted, all go on."""

import time

from tests.journeys.town import town, until
from tests.journeys.traffic import Traffic, check_agreement, check_nothing_lost
from tests.journeys.words import Listener, check_nobody_signed_twice


def test_one_killed_blocks_go_on_two_killed_they_stop_both_back_they_go_on(tmp_path):
    with town(tmp_path) as nodes, Listener(nodes) as listener:
        traffic = Traffic(nodes, seed=101).fund()
        with traffic:
            traffic.await_count(40, 30)
            nodes.kill(2)
            traffic.await_count(40, 30)
            nodes.await_growth(4, 30)
            status = nodes[0].await_light("yellow", 20)
            assert status.light.reason == "3/4 validators, still final, no further fault tolerated"
            assert (status.validators_reachable, status.further_faults_tolerated) == (3, 0)

            nodes.kill(3)
            status = nodes[0].await_light("red", 20)
            assert status.light.reason == "2/4 validators, 3 are needed: no block can become final"
            assert status.light.fix == "bpi testnet heal"
            stopped_at = status.height
            time.sleep(2.0)  # no proof by itself: long enough for several blocks, if there could be any
            assert {house.height() for house in nodes.running} == {stopped_at}

            nodes.start(2, 3)
            nodes.await_height(stopped_at + 4, 40)
            traffic.await_count(40, 40)
            until(lambda: {h.status().light.colour for h in nodes.houses} == {"green"}, 20, "all lights are green")
        traffic.drain(nodes[0])
        last = max(house.height() for house in nodes.houses)
        nodes.await_height(last, 20)
        for house in nodes.houses:
            check_nothing_lost(traffic.ledger, house)
        check_agreement(nodes.houses, last)
        assert traffic.refusals == {}
        check_nobody_signed_twice(nodes, listener, nodes[0])
