"""What an agent says of the chain: green, yellow, red, each change once."""

import logging

import pytest

from metanode.host.agent.sight import QUIET_PARTS, Sight

TIMEOUT_MS = 10_000
QUIET_MS = TIMEOUT_MS // QUIET_PARTS


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("metanode.agent"), "propagate", True)
    caplog.set_level(logging.INFO, "metanode.agent")
    return caplog


def test_before_anything_was_proved_it_is_yellow() -> None:
    seen = Sight(5_000).seen(99_000)
    assert (seen.light, seen.height) == ("yellow", 0)
    assert "no header was proved yet" in seen.words


def test_headers_that_come_are_green(said: pytest.LogCaptureFixture) -> None:
    sight = Sight(0)
    sight.proved(1_000, 7, 900, TIMEOUT_MS)
    assert sight.seen(1_500).light == "green"
    assert sight.seen(1_500).words == "height 7, 0.5 s ago"
    assert said.messages == []


def test_a_node_that_has_nothing_new_is_told_of_after_half_the_timeout_and_once(said) -> None:
    sight = Sight(0)
    sight.proved(1_000, 7, 900, TIMEOUT_MS)
    sight.quiet(1_000 + QUIET_MS - 1)
    assert sight.seen(1_000 + QUIET_MS - 1).light == "green"
    sight.quiet(1_000 + QUIET_MS)
    sight.quiet(1_001 + QUIET_MS)
    seen = sight.seen(1_000 + TIMEOUT_MS)
    assert seen.light == "yellow"
    assert seen.words == (
        "a node answers, but no block comes; nothing new for 10.0 s: what runs goes on, nothing new begins"
    )
    assert sight.seen(1_001 + TIMEOUT_MS).light == "red"
    assert sight.seen(1_001 + TIMEOUT_MS).words.endswith("the committee counts this node as lost")
    assert said.messages == ["no news of the chain: what runs goes on, nothing new begins"]


def test_out_of_reach_is_told_at_once_and_that_it_is_back(said) -> None:
    sight = Sight(0)
    sight.proved(1_000, 7, 900, TIMEOUT_MS)
    sight.away("a: refused")
    sight.away("b: refused")
    assert sight.seen(1_000).light == "yellow"
    assert sight.seen(1_000).words.startswith("out of reach: b: refused; nothing new for 0.0 s")
    sight.proved(2_000, 8, 1_900, TIMEOUT_MS)
    assert sight.seen(2_000).light == "green"
    assert said.messages == ["no news of the chain: what runs goes on, nothing new begins", "the chain is back"]
