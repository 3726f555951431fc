"""The replay window against a model that remembers everything."""

from hypothesis import given
from hypothesis import strategies as st

from metanode.network.bpci.replay import WINDOW, ReplayWindow

STEPS = st.one_of(
    st.integers(-3, 3),
    st.integers(-200, 200),
    st.integers(-WINDOW - 70, WINDOW + 70),
    st.integers(0, 1 << 40),
)


@given(st.lists(STEPS, max_size=300))
def test_the_window_agrees_with_the_model(steps: list[int]) -> None:
    window = ReplayWindow()
    seen: set[int] = set()
    top = 0
    for step in steps:
        counter = max(0, top + step)
        expected = counter not in seen and (not seen or counter > max(seen) - WINDOW)
        assert window.fresh(counter) == expected
        if expected:
            window.accept(counter)
            seen.add(counter)
            top = max(top, counter)
