"""The replay window at its edges; a model test is among the properties."""

from metanode.network.bpci.replay import WINDOW, ReplayWindow


def test_each_counter_once() -> None:
    window = ReplayWindow()
    for counter in (0, 1, 5, 3, 70, 4):
        assert window.fresh(counter)
        window.accept(counter)
        assert not window.fresh(counter)
    assert [counter for counter in range(72) if not window.fresh(counter)] == [0, 1, 3, 4, 5, 70]


def test_the_window_is_exactly_as_wide_as_it_says() -> None:
    for top in range(WINDOW, WINDOW + 130):
        window = ReplayWindow()
        window.accept(top)
        assert window.fresh(top - WINDOW + 1)
        assert not window.fresh(top - WINDOW)


def test_a_jump_forgets_what_was_seen_before() -> None:
    window = ReplayWindow()
    for counter in range(200):
        window.accept(counter)
    window.accept(1 << 40)
    assert not window.fresh(100)
    assert all(window.fresh(counter) for counter in range((1 << 40) - WINDOW + 1, 1 << 40))
    window.accept((1 << 64) - 1)
    assert not window.fresh((1 << 64) - 1)
