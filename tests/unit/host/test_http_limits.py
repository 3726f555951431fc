"""Token buckets, connections, places: counts that stay within their bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.host import http_limits
from metanode.host.http_limits import Connections, Places, TokenBuckets


class Clock:
    """Time by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_is_full_at_first_and_fills_again() -> None:
    clock = Clock()
    buckets = TokenBuckets(10, 3, clock)
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.1]
    assert buckets.take("b") == 0.0
    clock.now = 0.1
    assert [buckets.take("a"), buckets.take("a")] == [0.0, 0.1]
    clock.now = 100.0
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.1]


def test_a_batch_costs_what_it_holds_but_never_more_than_a_bucket() -> None:
    buckets = TokenBuckets(10, 5, Clock())
    assert buckets.take("a", 99) == 0.0
    assert buckets.take("a", 3) == pytest.approx(0.3)


def test_what_costs_nothing_passes() -> None:
    buckets = TokenBuckets(10, 1, Clock())
    assert [buckets.take("a", 1), buckets.take("a", 0)] == [0.0, 0.0]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.floats(0, 3)), max_size=60))
def test_nobody_gets_more_than_burst_and_rate(asked: list[tuple[str, int, float]]) -> None:
    clock = Clock()
    buckets = TokenBuckets(10, 5, clock)
    taken = dict.fromkeys("abc", 0)
    for key, cost, pause in asked:
        clock.now += pause
        if not buckets.take(key, cost):
            taken[key] += cost
    assert all(total <= 5 + clock.now * 10 + 1e-6 for total in taken.values())


def test_strangers_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_limits, "KEYS_MAX", 3)
    buckets = TokenBuckets(1, 1, Clock())
    for key in ("a", "b", "a", "c", "d"):
        buckets.take(key)
    assert len(buckets) == 3
    assert buckets.take("d") == 1.0  # the latest are remembered


def test_connections_are_counted_in_all_and_by_address() -> None:
    connections = Connections(3, 2)
    assert [connections.enter(address) for address in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    connections.leave("a")
    assert (connections.open, connections.enter("c"), connections.enter("a")) == (2, True, False)


def test_places() -> None:
    places = Places(1)
    assert [places.enter(), places.enter()] == [True, False]
    places.leave()
    assert (places.taken, places.enter()) == (0, True)
