"""COMPOSE-1, 2. Anything at all in place of a Compose file: an application or findings, never an exception, soon."""

import string
from time import process_time

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.docklock.compose import golden
from tests.unit.docklock.compose.kubernetes_schema import wrong

from metanode.docklock.compose import ComposeRefusal, Outside, Understood, understand
from metanode.docklock.compose.findings import FINDINGS_MAX
from metanode.docklock.compose.kubernetes import convert
from metanode.docklock.compose.reader import DEPTH_MAX, NODES_MAX, TEXT_BYTES_MAX
from metanode.records.workload import check_spec

TEXTS = [(golden.EXAMPLES / f"{name}.yaml").read_text() for name in golden.NAMES]
SPACES = ("\n", "\n  ", "\n    ", "|\n", ">\n", "\t", "\r\n", "\u2028")
WORDS = """
services: web: image: a:1 - ports: '80:80' [ ] { } , : &a *a <<: ${ } $$ ${A:?b} deploy: x-metanode: volumes:
depends_on: web null ~ ' " # --- !!str % ? environment: A=b 0755
""".split()  # noqa: SIM905 - words of a language
TOKENS = st.sampled_from((*SPACES, *WORDS))
SLOW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SECONDS_MAX = 10
"""Of processor time, for the worst file that fits: hardly more than a bound against what never ends."""


def world(variables: dict[str, str], files: dict[str, str]) -> Outside:
    return Outside(variables, files.get, lambda reference: bytes(32) if "none" not in reference else None)


def ends_well(text: str, outside: Outside) -> Understood:
    """The only two ends: an application that passes the agreed checks, or errors with places and reasons."""
    found = understand(text, outside)
    assert (found.application is None) == bool(found.errors)
    assert len(found.findings) <= FINDINGS_MAX
    for one in found.findings:
        assert one.line >= 1
        assert one.column >= 1
        assert one.found or one.code is ComposeRefusal.BAD_DURATION
        assert one.sentence.isprintable()
        assert len(one.sentence) < 4_000
    if found.application is not None:
        for workload in found.application.workloads:
            check_spec(workload.spec)
        for manifest in yaml.load_all(convert(found.application).text, yaml.CSafeLoader):
            assert wrong(manifest) == []
    return found


@SLOW
@given(st.text(max_size=400))
@example("services: {a: {image: a, depends_on: [a]}}")
@example("? ? ? a")
@example("a: &a [*a]")
@example("\ufeffservices: {a: {image: a}}")
def test_arbitrary_text(text: str) -> None:
    ends_well(text, golden.world())


@SLOW
@given(st.lists(TOKENS, max_size=60))
def test_words_of_compose_in_any_order(tokens: list[str]) -> None:
    ends_well(" ".join(tokens), golden.world())
    ends_well("".join(tokens), golden.world())


@SLOW
@given(
    text=st.sampled_from(TEXTS),
    places=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 12), st.text(string.printable, max_size=6)), max_size=4
    ),
)
def test_examples_with_a_few_letters_changed(text: str, places: list[tuple[int, int, str]]) -> None:
    for place, gone, new in places:
        at = place % len(text)
        text = text[:at] + new + text[at + gone :]
    ends_well(text, golden.world())


@SLOW
@given(
    text=st.sampled_from(TEXTS),
    swaps=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.booleans()), max_size=4),
)
def test_examples_with_lines_moved_doubled_and_gone(text: str, swaps: list[tuple[int, int, bool]]) -> None:
    lines = text.split("\n")
    for one, other, doubled in swaps:
        line = lines[one % len(lines)] if doubled else lines.pop(one % len(lines))
        lines.insert(other % (len(lines) + 1), line)
    ends_well("\n".join(lines), golden.world())


KEYS = """
command entrypoint user hostname working_dir stop_signal stop_grace_period mem_limit cpus pids_limit platform restart
scale tmpfs network_mode env_file read_only image
""".split()  # noqa: SIM905 - names of keys


@SLOW
@given(value=st.text(max_size=80), key=st.sampled_from(KEYS))
def test_anything_as_the_value_of_a_key(key: str, value: str) -> None:
    quoted = "'" + "".join(c for c in value if c.isprintable()).replace("'", "''") + "'"
    image = "" if key == "image" else "    image: a:1\n"
    ends_well(f"services:\n  web:\n{image}    {key}: {quoted}\n", golden.world())


@SLOW
@given(st.text(max_size=200), st.text(max_size=20), st.booleans())
def test_anything_as_an_env_file_and_a_variable(text: str, value: str, raw: bool) -> None:
    written = "{path: f, format: raw}" if raw else "f"
    file = f"services: {{web: {{image: 'a:1', env_file: [{written}], environment: ['A=${{A-x}}', B]}}}}"
    ends_well(file, world({"A": value, "B": value}, {"f": text}))


def chain(waits: int) -> str:
    """256 services, each waiting for so many of those behind it."""
    services = {n: ", ".join(f"s{m}" for m in range(n + 1, min(n + 1 + waits, 256))) for n in range(256)}
    return "services:\n" + "".join(f"  s{n}: {{image: 'a:1', depends_on: [{on}]}}\n" for n, on in services.items())


def keys(number: int) -> str:
    return ", ".join(f"k{n}: v" for n in range(number))


WEB = "services: {web: {image: a, "
WORST = {
    "nested": "[" * TEXT_BYTES_MAX,
    "many keys": "services: {web: {" + ", ".join(f"wronk{n}: 1" for n in range(9_900)) + "}}",
    "one long key": "services: {? " + "k" * 250_000 + " : 1}",
    "one long value": "services: {web: {image: " + "a/" * 120_000 + "a}}",
    "many services": "services: {" + ", ".join(f"s{n}: {{image: 'a:1'}}" for n in range(4_000)) + "}",
    "a long chain": chain(1),
    "everybody waits": chain(30),
    "variables": f"{WEB}command: '{'${A:-${B}}' * 20_000}'}}}}",
    "open braces": f"{WEB}command: '{'${A:-' * 40_000}'}}}}",
    "spaces": f"{WEB}command: '{' ' * 250_000}'}}}}",
    "a size": f"{WEB}mem_limit: '{'9' * 60_000}'}}}}",
    "a duration": f"{WEB}stop_grace_period: '{'1s' * 30_000}'}}}}",
    "aliases": f"a: &a {{{keys(400)}}}\nb: [{', '.join(['*a'] * (NODES_MAX // 800 - 1))}]",
    "merges": f"x: &x {{{keys(100)}}}\n" + "".join(f"y{n}: {{<<: *x}}\n" for n in range(90)),
    "constraints": f"{WEB}x-metanode: {{constraints: ['a in {'a, ' * 20_000}']}}}}}}",
    "comments": "#" * 250_000,
    "deep": "".join(f"{' ' * n}a:\n" for n in range(DEPTH_MAX + 5)),
}
"""Files that are made to take long, each just within some bound or just beyond it."""


@pytest.mark.parametrize("name", WORST)
def test_the_worst_that_fits_is_answered_soon(name: str) -> None:
    began = process_time()
    ends_well(WORST[name], golden.world())
    assert process_time() - began < SECONDS_MAX
