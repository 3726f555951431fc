"""All four validators are killed at random instants, twenty times, under load: what was reported final stays final."""

import os
import random
import time

from tests.journeys.town import town
from tests.journeys.traffic import Traffic, check_agreement, check_nothing_lost
from tests.journeys.words import Listener, check_nobody_signed_twice

SEED = int(os.environ.get("METANODE_SEED", "20260129"))
KILLS = 20
INTERVAL_S = (0.2, 1.2)
"""From the last validator being ready to the kill: in the middle of recovery, of the first round, of full load."""


def test_all_four_killed_twenty_times_at_random_instants(tmp_path):
    chance = random.Random(SEED)
    with town(tmp_path) as nodes, Listener(nodes) as listener:
        traffic = Traffic(nodes, senders=60, seed=SEED).fund()
        with traffic:
            traffic.await_count(20, 30)
            for _ in range(KILLS):
                nodes.kill()
                nodes.start()
                time.sleep(chance.uniform(*INTERVAL_S))
            nodes.await_growth(3, 40)
            traffic.await_count(20, 30)
        traffic.drain(nodes[0])
        last = max(house.height() for house in nodes.houses)
        nodes.await_height(last, 30)
        for house in nodes.houses:
            check_nothing_lost(traffic.ledger, house)
        check_agreement(nodes.houses, last)
        check_nobody_signed_twice(nodes, listener, nodes[0])
        assert traffic.refusals == {}, "what is final is accepted again"
