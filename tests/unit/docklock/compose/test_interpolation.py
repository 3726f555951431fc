"""COMPOSE-3. Variables, in every form of Compose."""

import pytest
from tests.unit.docklock.compose.samples import advice, errors, spec_of, understood

from metanode.docklock.compose import ComposeAdvice, ComposeRefusal
from metanode.docklock.compose.interpolation import INTERPOLATED_CHARACTERS_MAX, NESTED_MAX, Interpolation
from metanode.primitives.refusal import Rejected
from metanode.records.workload import SpecRefusal

WORLD = {"SET": "value", "EMPTY": "", "OTHER": "o"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$SET", "value"),
        ("${SET}", "value"),
        ("a${SET}b$OTHER.c", "avalueboc".replace("oc", "o.c")),
        ("$SETTING", ""),
        ("${SET:-d}", "value"),
        ("${EMPTY:-d}", "d"),
        ("${UNSET:-d}", "d"),
        ("${SET-d}", "value"),
        ("${EMPTY-d}", ""),
        ("${UNSET-d}", "d"),
        ("${SET:+r}", "r"),
        ("${EMPTY:+r}", ""),
        ("${UNSET:+r}", ""),
        ("${SET+r}", "r"),
        ("${EMPTY+r}", "r"),
        ("${UNSET+r}", ""),
        ("${SET:?why}", "value"),
        ("${SET?why}", "value"),
        ("${EMPTY?why}", ""),
        ("${UNSET:-${OTHER}}", "o"),
        ("${UNSET:-${EMPTY:-${SET}}}", "value"),
        ("${UNSET-a${OTHER}b}", "aob"),
        ("${SET:-${UNSET:?not looked at}}", "value"),
        ("${UNSET:+${UNSET:?not looked at}}", ""),
        ("$$SET", "$SET"),
        ("$$$SET", "$value"),
        ("costs $5 or 5$", "costs $5 or 5$"),
        ("a}b$SET}c{d", "a}bvalue}c{d"),
        ("${UNSET:-{}}", "{}"),
        ("${SET:-a:b-c?d}", "value"),
        ("${UNSET:-a:b-c?d}", "a:b-c?d"),
        ("${UNSET:-}", ""),
    ],
)
def test_every_form(text: str, filled: str) -> None:
    assert Interpolation(WORLD).text(text) == filled


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${", ComposeRefusal.BAD_VARIABLE),
        ("${}", ComposeRefusal.BAD_VARIABLE),
        ("${1A}", ComposeRefusal.BAD_VARIABLE),
        ("${SET", ComposeRefusal.BAD_VARIABLE),
        ("${SET:-", ComposeRefusal.BAD_VARIABLE),
        ("${SET/a/b}", ComposeRefusal.BAD_VARIABLE),
        ("${SET:0:1}", ComposeRefusal.BAD_VARIABLE),
        ("${U:-" * (NESTED_MAX + 1) + "}" * (NESTED_MAX + 1), ComposeRefusal.BAD_VARIABLE),
        ("${UNSET:?say who}", ComposeRefusal.MISSING_VARIABLE),
        ("${EMPTY:?}", ComposeRefusal.MISSING_VARIABLE),
        ("${UNSET?${OTHER}}", ComposeRefusal.MISSING_VARIABLE),
        ("$HUGE" * 12, ComposeRefusal.TOO_LARGE),
    ],
)
def test_what_cannot_be_filled_in_is_refused_with_its_line(text: str, code: ComposeRefusal) -> None:
    world = {**WORLD, "HUGE": "x" * (INTERPOLATED_CHARACTERS_MAX // 10)}
    assert errors(f"user: app\nworking_dir: '{text}'", variables=world) == [(code, 5, "services.web.working_dir")]


def test_a_short_text_does_not_fill_the_memory() -> None:
    for text in ("$HUGE" * 12, "${HUGE}" * 12, "${NO:-$HUGE$HUGE$HUGE$HUGE}" * 3):
        with pytest.raises(Rejected) as refused:
            Interpolation({"HUGE": "x" * (INTERPOLATED_CHARACTERS_MAX // 10)}).text(text)
        assert refused.value.reason is ComposeRefusal.TOO_LARGE


def test_the_bound_is_for_all_variables_of_a_file_together() -> None:
    world = {"LONG": "x" * 60_000}
    fitting = INTERPOLATED_CHARACTERS_MAX // 60_000
    found = errors(f"command: [{', '.join(['$LONG'] * (fitting + 1))}]", variables=world)
    assert found == [(ComposeRefusal.TOO_LARGE, 4, f"services.web.command[{fitting}]")]


def test_of_what_could_not_be_filled_in_nothing_more_is_said() -> None:
    found = understood("services:\n  web:\n    image: a:1\n    cpus: ${X:?}\n    scale: ${\n").errors
    assert [(one.code, one.line) for one in found] == [
        (ComposeRefusal.MISSING_VARIABLE, 4),
        (ComposeRefusal.BAD_VARIABLE, 5),
    ]
    assert [one.fix[:6] for one in found] == ["set it", ""]
    assert [one.allowed[:7] for one in found] == ["", "${NAME}"]


def test_a_message_is_told_and_may_hold_variables() -> None:
    assert errors("user: ${UNSET:?ask $OTHER}", variables=WORLD) == [
        (ComposeRefusal.MISSING_VARIABLE, 4, "services.web.user"),
    ]


def test_what_is_not_set_is_empty_and_told() -> None:
    found = [one for one in advice("environment: {A: 'x${UNSET}y$UNSET'}") if one.code is ComposeAdvice.UNSET_VARIABLE]
    assert [(one.line, one.path) for one in found] == [(4, "services.web.environment.A")]
    paths = [one.path for one in advice("environment: {A: $UNSET, B: '$$', C: $SET}", variables=WORLD)]
    assert [path for path in paths if "environment" in path] == ["services.web.environment.A"]
    assert spec_of("environment: {A: 'x${UNSET}y'}").environment[0].value == "xy"


def test_only_what_is_looked_at_and_not_set_is_told() -> None:
    text = "environment: {A: '$SET${SET}${EMPTY}', B: '${SET:-$UNSET}${UNSET:+$UNSET}${UNSET:-}'}"
    assert [one for one in advice(text, variables=WORLD) if one.code is ComposeAdvice.UNSET_VARIABLE] == []


def test_what_a_variable_brought_is_judged_like_any_other_text() -> None:
    assert errors("user: $BAD\ncpus: $BAD", variables={"BAD": "a b"}) == [
        (SpecRefusal.BAD_USER, 4, "services.web.user"),
        (ComposeRefusal.BAD_NUMBER, 5, "services.web.cpus"),
    ]


def test_keys_and_foreign_extensions_are_left_alone() -> None:
    spec = spec_of("environment: {A: $SET}\nx-note: ${", "x-more: '${UNSET:?}'", variables=WORLD)
    assert [(one.name, one.value) for one in spec.environment] == [("A", "value")]
    assert errors("${SET}: 1", variables=WORLD) == [(ComposeRefusal.UNKNOWN_KEY, 4, "services.web.${SET}")]


def test_where_authors_choose_names_x_is_no_extension() -> None:
    spec = spec_of("environment: {x-a: $SET}", variables=WORLD)
    assert [(one.name, one.value) for one in spec.environment] == [("x-a", "value")]
    found = understood("services: {x-web: {image: 'a:1', user: $OTHER}}", WORLD).application
    assert found is not None
    assert [(one.spec.terms.workload, one.spec.user) for one in found.workloads] == [("x-web", "o")]


def test_numbers_and_truths_may_come_from_variables() -> None:
    spec = spec_of("read_only: $RO\npids_limit: ${PIDS:-7}", variables={"RO": "true"})
    assert (spec.read_only, spec.pids_max) == (True, 7)
