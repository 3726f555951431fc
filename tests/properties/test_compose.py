"""COMPOSE-2, 3, 4. What holds for all Compose files: one outcome, in whatever order the keys stand."""

import string
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.docklock.compose import golden
from tests.unit.docklock.compose.samples import outside, shown, understood

from metanode.docklock.compose import understand
from metanode.docklock.compose.interpolation import Interpolation
from metanode.docklock.compose.order import circle, in_order
from metanode.docklock.compose.scalars import duration_ms, near, size_bytes, thousandths
from metanode.docklock.compose.words import split
from metanode.primitives.codec import encode

LOADED = {name: yaml.load((golden.EXAMPLES / f"{name}.yaml").read_text(), yaml.BaseLoader) for name in golden.NAMES}
"""The examples with every scalar as text, merge keys resolved by PyYAML itself."""
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=3)


def unmerged(value: Any) -> Any:
    """What `<<` brings, written out: by another way than ours."""
    match value:
        case dict():
            merged = value.get("<<", [])
            sources = merged if isinstance(merged, list) else [merged]
            made: dict[str, Any] = {}
            for one in reversed(sources):
                made |= unmerged(one)
            return made | {key: unmerged(one) for key, one in value.items() if key != "<<"}
        case list():
            return [unmerged(one) for one in value]
        case _:
            return value


def shuffled(value: Any, draw: Any) -> Any:
    """The same value with the keys of its mappings in another order."""
    match value:
        case dict():
            keys = draw(st.permutations(sorted(value)))
            return {key: shuffled(value[key], draw) for key in keys}
        case list():
            return [shuffled(one, draw) for one in value]
        case _:
            return value


def text_of(value: Any) -> str:
    """YAML in which every text is quoted; nothing is nothing."""
    match value:
        case dict():
            return "{" + ", ".join(f"{text_of(key)}: {text_of(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(text_of(one) for one in value) + "]"
        case "":
            return "null"
        case _:
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@settings(max_examples=25)
@given(name=st.sampled_from(golden.NAMES), data=st.data())
def test_the_order_of_keys_is_irrelevant(name: str, data: st.DataObject) -> None:
    text = text_of(shuffled(unmerged(LOADED[name]), data.draw))
    found = understand(text, golden.world())
    assert found.errors == ()
    assert found.application is not None
    expected = golden.read(name).application
    assert expected is not None
    assert [shown(one.spec) for one in found.application.workloads] == [shown(one.spec) for one in expected.workloads]
    assert found.application.secrets == expected.secrets


@settings(max_examples=10)
@given(name=st.sampled_from(golden.NAMES))
def test_the_same_text_comes_to_the_same(name: str) -> None:
    one, other = golden.read(name), golden.read(name)
    assert one == other
    assert one.application is not None
    assert other.application is not None
    for left, right in zip(one.application.workloads, other.application.workloads, strict=True):
        assert encode(left.spec) == encode(right.spec)


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4), max_size=8))
def test_an_order_or_a_circle(drawn: dict[str, list[str]]) -> None:
    waits = {name: tuple(sorted({other for other in others if other in drawn})) for name, others in drawn.items()}
    found = circle(waits)
    if found:
        for name, following in zip(found, (*found[1:], found[0]), strict=True):
            assert following in waits[name]
        return
    order = in_order(waits)
    assert sorted(order) == sorted(waits)
    for at, name in enumerate(order):
        assert set(waits[name]) <= set(order[:at])


@given(st.integers(0, 86_400_000))
def test_a_duration_said_in_parts_is_the_sum(milliseconds: int) -> None:
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    seconds, rest = divmod(rest, 1_000)
    assert duration_ms(f"{hours}h{minutes}m{seconds}s{rest}ms") == milliseconds
    assert duration_ms(f"{milliseconds}ms") == milliseconds
    assert duration_ms(f"{milliseconds // 1_000}.{milliseconds % 1_000:03}s") == milliseconds


@given(st.integers(0, 1 << 40))
def test_sizes_and_decimals_are_exact(number: int) -> None:
    assert size_bytes(f"{number}b") == number
    assert size_bytes(f"{number}k") == number << 10
    small = number % 1_000_000
    assert thousandths(f"{small // 1_000}.{small % 1_000:03}") == small


@given(st.lists(st.text(string.printable, max_size=12), max_size=6))
def test_words_that_are_quoted_come_back(words: list[str]) -> None:
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    assert split(quoted) == tuple(words)


@given(st.text(max_size=60))
def test_text_without_a_dollar_is_left_alone_and_doubled_dollars_are_dollars(text: str) -> None:
    by = Interpolation({"A": "x"})
    assert by.text(text.replace("$", "$$")) == text


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_nearest_word_is_one_of_those_that_are_there(word: str, other: str) -> None:
    assert near(word, (other,)) in ("", f"did you mean {other}?")
    assert near(other, (other, word)) == f"did you mean {other}?" if other else True


@given(st.text(string.ascii_letters + "_$ {}:-", max_size=40))
def test_what_a_variable_brings_is_never_looked_at_again(value: str) -> None:
    found = understood("services: {web: {image: 'a:1', environment: ['A=$B']}}", {"B": value})
    assert found.application is not None
    assert found.application.workloads[0].spec.environment[0].value == value
    assert outside({"B": value}).variables["B"] == value
