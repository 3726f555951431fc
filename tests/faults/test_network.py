"""Which packets pass: what a fault does to the links, and what the switch does with packets on them. No socket."""

import json
from random import Random

from tests.faults.cables import links
from tests.faults.schedule import Fault, Kind
from tests.faults.switch import Weather


def cut_links(kind, *targets):
    return {(source, target) for source, target, loss, _ in links([Fault(kind, targets, 0, 1)], 4) if loss == 100}


def test_one_that_is_cut_off_hears_nobody_and_is_heard_by_nobody():
    assert cut_links(Kind.CUT, 1) == {(1, 0), (1, 2), (1, 3), (0, 1), (2, 1), (3, 1)}


def test_a_partition_leaves_each_half_whole():
    assert cut_links(Kind.CUT, 0, 1) == {(a, b) for a in (0, 1) for b in (2, 3)} | {
        (b, a) for a in (0, 1) for b in (2, 3)
    }


def test_the_deaf_are_heard_and_the_mute_hear():
    assert cut_links(Kind.DEAF, 2) == {(0, 2), (1, 2), (3, 2)}
    assert cut_links(Kind.MUTE, 2) == {(2, 0), (2, 1), (2, 3)}


def test_loss_and_delay_are_both_ways_and_add_up():
    found = links([Fault(Kind.LOSS, (0,), 0, 1, 20), Fault(Kind.DELAY, (1,), 0, 1, 50)], 3)
    assert found == [(0, 1, 20, 50), (0, 2, 20, 0), (1, 0, 20, 50), (1, 2, 0, 50), (2, 0, 20, 0), (2, 1, 0, 50)]


def packet(target: int, version: int = 4) -> bytes:
    return bytes([version << 4 | 5]) + bytes(15) + bytes([10, 78, 0, target + 1]) + b"payload"


def test_a_packet_goes_to_whom_it_is_addressed_and_nowhere_else():
    weather = Weather(4, Random(1))
    assert weather.fate(0, packet(3)) == (3, 0.0)
    assert weather.fate(0, packet(4)) is None, "no fifth node"
    assert weather.fate(0, packet(3, version=6)) is None, "what the kernel says of IPv6 is nobody's matter"
    assert weather.fate(0, b"short") is None


def test_weather_loses_as_many_as_it_says_and_delays_each_by_its_own_time():
    weather = Weather(4, Random(1))
    weather.told(json.dumps([[0, 1, 100, 0], [0, 2, 20, 0], [0, 3, 0, 300]]))
    assert weather.fate(0, packet(1)) is None
    assert weather.fate(1, packet(0)) == (0, 0.0), "the other direction is not cut"
    assert 150 < sum(weather.fate(0, packet(2)) is None for _ in range(1_000)) < 250
    delays = [fate[1] for _ in range(1_000) if (fate := weather.fate(0, packet(3))) is not None]
    assert len(delays) == 1_000
    assert 0 <= min(delays) < 0.03
    assert 0.27 < max(delays) <= 0.3
    assert delays != sorted(delays), "they overtake each other"
    weather.told("[]")
    assert weather.fate(0, packet(1)) == (1, 0.0)
