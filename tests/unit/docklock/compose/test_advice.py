"""COMPOSE-2, 16. Advice, and how a command ends."""

import pytest
from tests.unit.docklock.compose.samples import IMAGE, advice, understood

from metanode.api.exits import ExitStatus
from metanode.docklock.compose import HOST_IMAGE, ComposeAdvice
from metanode.docklock.compose.findings import FINDINGS_MAX, ComposeRefusal, Finding, Notes, quoted

GOOD = "cpus: 0.1\nmem_limit: 64m\n"
DB = f"  db: {{image: '{IMAGE}', cpus: 0.1, mem_limit: 64m}}\n"


def told(body: str, rest: str = "") -> list[ComposeAdvice]:
    codes = [one.code for one in advice(body, rest)]
    return [one for one in codes if isinstance(one, ComposeAdvice)]


@pytest.mark.parametrize(
    ("body", "rest", "codes"),
    [
        (GOOD, "", []),
        ("cpus: 0.1", "", [ComposeAdvice.NO_MEMORY_LIMIT]),
        ("mem_limit: 64m", "", [ComposeAdvice.NO_CPU_LIMIT]),
        (f"{GOOD}scale: 2", "", [ComposeAdvice.NO_HEALTH_CHECK]),
        (f"{GOOD}scale: 2\nhealthcheck: {{test: x}}", "", []),
        (f"{GOOD}scale: 2\nx-metanode: {{job: {{}}}}", "", []),
        (f"{GOOD}depends_on: [db]", DB, [ComposeAdvice.NO_HEALTH_CHECK]),
        (f"{GOOD}scale: 2\nhealthcheck: {{test: x}}\nports: ['80:80']", "", [ComposeAdvice.CROWDED_PORT]),
        (f"{GOOD}ports: ['80:80']", DB.replace("cpus", "ports: ['80:81'], cpus"), [ComposeAdvice.CROWDED_PORT]),
        (f"{GOOD}ports: ['80']", "", [ComposeAdvice.NOT_PUBLISHED]),
        (GOOD, "version: '3'", [ComposeAdvice.OBSOLETE_KEY]),
        (GOOD, "volumes: {v: }", [ComposeAdvice.UNUSED]),
        (GOOD, "networks: {n: }", [ComposeAdvice.UNUSED]),
        (GOOD, "secrets: {s: {external: true}}", [ComposeAdvice.UNUSED]),
        (f"{GOOD}mem_reservation: 32m", "", [ComposeAdvice.RESERVED_AS_LIMITED]),
        (f"{GOOD}environment: {{API_KEY: x}}", "", [ComposeAdvice.SECRET_IN_ENVIRONMENT]),
        (f"{GOOD}environment: {{A: $B}}", "", [ComposeAdvice.UNSET_VARIABLE]),
    ],
)
def test_what_would_be_better_otherwise(body: str, rest: str, codes: list[ComposeAdvice]) -> None:
    assert told(body, rest) == codes


@pytest.mark.parametrize(
    ("image", "codes"),
    [
        ("a", [ComposeAdvice.LATEST]),
        ("a:latest", [ComposeAdvice.LATEST]),
        ("a:1.2", [ComposeAdvice.NO_DIGEST]),
        (f"a@sha256:{'0' * 64}", []),
        (f"a:1.2@sha256:{'0' * 64}", []),
        (f"{HOST_IMAGE}', command: '/bin/x", []),
    ],
)
def test_images_without_a_digest(image: str, codes: list[ComposeAdvice]) -> None:
    found = understood(f"services: {{web: {{image: '{image}', cpus: 0.1, mem_limit: 64m}}}}")
    assert [one.code for one in found.advice] == codes


def test_advice_does_not_end_a_command_and_errors_do() -> None:
    found = understood("services: {web: {image: a}}")
    assert found.advice
    assert (found.exit_status, found.errors) == (ExitStatus.OK, ())
    assert found.application is not None
    found = understood("services: {web: {image: a, build: .}}")
    assert (found.exit_status, found.application) == (ExitStatus.CONFIGURATION, None)
    assert found.exit_status == 50
    assert {one.is_error for one in found.errors} == {True}
    assert {one.is_error for one in found.advice} == {False}
    assert set(found.errors) | set(found.advice) == set(found.findings)


def test_findings_are_bounded_and_errors_take_the_place_of_advice() -> None:
    notes = Notes()
    for line in range(2 * FINDINGS_MAX):
        notes.add(Finding(ComposeAdvice.LATEST, line, 1, "", "", "", ""))
    assert (len(notes.told()), notes.errors, notes.is_full) == (FINDINGS_MAX, 0, False)
    for line in range(2 * FINDINGS_MAX):
        notes.add(Finding(ComposeRefusal.UNKNOWN_KEY, line, 1, "", "", "", ""))
    assert notes.is_full
    assert len(notes.told()) == FINDINGS_MAX
    assert all(one.is_error for one in notes.told())


def test_nothing_that_a_stranger_wrote_moves_the_cursor() -> None:
    text = 'services:\n  web:\n    image: a:1\n    user: "${A:?\\e[2J\\n\u202e}"\n    "\\e[1m": 1\n'
    found = understood(text)
    assert len(found.errors) == 2
    assert all(one.sentence.isprintable() and one.path.isprintable() for one in found.findings)


def test_a_finding_is_kept_once_and_told_in_the_order_of_the_text() -> None:
    notes = Notes()
    late, early = (Finding(ComposeRefusal.BAD_FORM, line, 1, "a", "b", "", "") for line in (9, 2))
    for one in (late, early, late):
        notes.add(one)
    assert notes.told() == (early, late)
    assert early.sentence == "2:1: a: b"
    assert quoted("x" * 100) == repr("x" * 59 + "…")
