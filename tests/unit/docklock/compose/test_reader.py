"""COMPOSE-1. Text into a tree within bounds; scalars stay what was written."""

from typing import Any

import pytest
import yaml
from tests.unit.docklock.compose.samples import codes, service, spec_of, understood

from metanode.docklock.compose import ComposeRefusal
from metanode.docklock.compose.findings import Notes
from metanode.docklock.compose.nodes import Mapping, Node, Scalar, Sequence
from metanode.docklock.compose.reader import (
    DEPTH_MAX,
    EXPANDED_BYTES_MAX,
    KEY_CHARACTERS_MAX,
    NODES_MAX,
    TEXT_BYTES_MAX,
    read,
)

LOADERS = pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader], ids=["libyaml", "Python"])


def plain(node: Node | None) -> Any:
    match node:
        case Scalar(null=True):
            return None
        case Scalar(text=text):
            return text
        case Sequence(items=items):
            return [plain(one) for one in items]
        case Mapping(entries=entries):
            return {key.text: plain(value) for key, value in entries}
        case None:
            return "nothing"


def tree(text: str, loader: Any = yaml.CSafeLoader) -> Any:
    notes = Notes()
    found = read(text, notes, loader)
    assert notes.told() == ()
    return plain(found)


def refused(text: str, loader: Any = yaml.CSafeLoader) -> list[tuple[Any, int, int]]:
    notes = Notes()
    read(text, notes, loader)
    return [(one.code, one.line, one.column) for one in notes.told()]


@LOADERS
def test_scalars_are_what_was_written(loader: Any) -> None:
    text = "a: 22:22\nb: no\nc: 0755\nd: on\ne: 1e3\nf: 2026-11-28\ng: 0x1F\nh: 1_000\ni: .inf\nj: 190:20:30\n"
    assert tree(text, loader) == {
        "a": "22:22", "b": "no", "c": "0755", "d": "on", "e": "1e3", "f": "2026-11-28", "g": "0x1F", "h": "1_000",
        "i": ".inf", "j": "190:20:30",
    }  # fmt: skip


@LOADERS
def test_nothing_is_nothing_only_without_quotes(loader: Any) -> None:
    assert tree("a:\nb: ~\nc: null\nd: ''\ne: 'null'\n", loader) == {
        "a": None, "b": None, "c": None, "d": "", "e": "null",
    }  # fmt: skip


@LOADERS
def test_what_is_written_wins_over_what_is_merged_and_the_earlier_over_the_later(loader: Any) -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 3\nw: {<<: *x}\n'<<': {q: 1}\n"
    found = tree(text, loader)
    assert found["z"] == {"a": "3", "b": "1", "c": "2"}
    assert found["w"] == {"a": "1", "b": "1"}
    assert found["<<"] == {"q": "1"}, "quoted, it is a key like others"


@LOADERS
@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: [1, 2\nb: 3\n", ComposeRefusal.NOT_YAML, 2),
        ("a: 1\n\tb: 2\n", ComposeRefusal.NOT_YAML, 2),
        ("a: \x00\n", ComposeRefusal.NOT_YAML, 1),
        ("a: 1\nb: \x07\n", ComposeRefusal.NOT_YAML, 2),
        ("a: \ud800\n", ComposeRefusal.NOT_YAML, 1),
        ("", ComposeRefusal.NOT_YAML, 1),
        ("a: 1\n---\nb: 2\n", ComposeRefusal.NOT_YAML, 2),
        ("a: *nobody\n", ComposeRefusal.UNKNOWN_ANCHOR, 1),
        ("a: &a\n  b: *a\n", ComposeRefusal.UNKNOWN_ANCHOR, 2),
        ("a: 1\nb: 2\na: 3\n", ComposeRefusal.DUPLICATE_KEY, 3),
        ("x: &x {a: 1}\nb:\n  <<: *x\n  <<: *x\n", ComposeRefusal.DUPLICATE_KEY, 4),
        ("? [a, b]\n: 1\n", ComposeRefusal.BAD_KEY, 1),
        (f"{'k' * (KEY_CHARACTERS_MAX + 1)}: 1\n", ComposeRefusal.BAD_KEY, 1),
        ("a: 1\nb: !!binary aGk=\n", ComposeRefusal.BAD_TAG, 2),
        ("a: !reset []\n", ComposeRefusal.BAD_TAG, 1),
        ("a:\n  <<: text\n", ComposeRefusal.BAD_MERGE, 2),
        ("x: &x [1]\na:\n  <<: [*x]\n", ComposeRefusal.BAD_MERGE, 1),
        ("[" * (DEPTH_MAX + 1), ComposeRefusal.TOO_DEEP, 1),
        ("a: " + "x" * TEXT_BYTES_MAX, ComposeRefusal.TOO_LARGE, 1),
        ("[" + "1," * (NODES_MAX + 1) + "]", ComposeRefusal.TOO_LARGE, 1),
    ],
    ids=lambda x: x[:12] if isinstance(x, str) else None,
)
def test_what_is_no_such_document_is_refused_with_its_line(
    text: str, code: ComposeRefusal, line: int, loader: Any
) -> None:
    assert [(found, at) for found, at, _ in refused(text, loader)] == [(code, line)]


@LOADERS
def test_a_place_has_a_line_and_a_column(loader: Any) -> None:
    assert refused("a: 1\n\tb: 2\n", loader) == [(ComposeRefusal.NOT_YAML, 2, 1)]
    assert refused("a: 1\nb:   *x\n", loader) == [(ComposeRefusal.UNKNOWN_ANCHOR, 2, 6)]
    assert refused("a: 1\nbc: d: e\n", loader) == [(ComposeRefusal.NOT_YAML, 2, 6)]
    assert refused("a: b\na: c\n", loader) == [(ComposeRefusal.DUPLICATE_KEY, 2, 1)]
    assert refused("", loader) == [(ComposeRefusal.NOT_YAML, 1, 1)]
    assert refused("a: 1\nb: \x07\n", loader) == [(ComposeRefusal.NOT_YAML, 2, 4)]
    assert refused("\x07", loader) == [(ComposeRefusal.NOT_YAML, 1, 1)]


def test_the_path_tells_where_in_a_list() -> None:
    notes = Notes()
    read("a:\n  - x\n  - {b: [c, !tag d]}\n", notes)
    assert [one.path for one in notes.told()] == ["a[1].b[1]"]


@LOADERS
def test_a_few_lines_do_not_mean_billions(loader: Any) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert [code for code, _, _ in refused(laughs, loader)] == [ComposeRefusal.TOO_LARGE]
    deep = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 40))
    assert [code for code, _, _ in refused(deep, loader)] == [ComposeRefusal.TOO_DEEP]
    wide = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 11)}]\n"
    assert EXPANDED_BYTES_MAX < 11 * 100_000
    assert [code for code, _, _ in refused(wide, loader)] == [ComposeRefusal.TOO_LARGE]


def test_merges_count_as_what_they_bring() -> None:
    bomb = "x: &x {" + ", ".join(f"k{n}: 1" for n in range(1_000)) + "}\n"
    bomb += "".join(f"y{n}:\n  <<: *x\n" for n in range(100))
    assert [code for code, _, _ in refused(bomb)] == [ComposeRefusal.TOO_LARGE]


def test_several_mistakes_are_told_at_once_with_column_and_path() -> None:
    found = understood("services:\n  web:\n    image: a\n    image: b\n    tty: !!bool true\n    bild: .\n").errors
    assert [(one.line, one.column, one.path, one.code) for one in found] == [
        (4, 5, "services.web.image", ComposeRefusal.DUPLICATE_KEY),
        (5, 5, "services.web.tty", ComposeRefusal.UNSUPPORTED_KEY),
        (5, 10, "services.web.tty", ComposeRefusal.BAD_TAG),
        (6, 5, "services.web.bild", ComposeRefusal.UNKNOWN_KEY),
    ]
    assert found[-1].fix == "did you mean build?"
    assert found[-1].sentence.startswith("6:5: services.web.bild: the key 'bild'; allowed: cap_add, ")
    assert found[-1].sentence.endswith("; fix: did you mean build?")


def test_what_is_aliased_is_read_where_it_is_used() -> None:
    services = "services:\n  web: {image: a:1, environment: *env}\n  db: {image: a:1, environment: *env}\n"
    found = understood(f"x-env: &env {{A: '1'}}\n{services}")
    assert found.application is not None
    assert [one.spec.environment[0].value for one in found.application.workloads] == ["1", "1"]


def test_ports_of_a_sexagesimal_look_stay_ports() -> None:
    ports = spec_of("ports: [22:22, 59:59]").terms.ports
    assert [(one.published, one.container) for one in ports] == [(22, 22), (59, 59)]


def test_a_file_that_is_no_mapping_is_refused() -> None:
    assert ComposeRefusal.WRONG_TYPE in codes("- a\n- b\n")
    assert ComposeRefusal.MISSING_KEY in codes("name: shop\n")


def test_at_most_a_hundred_findings_are_told_and_errors_before_advice() -> None:
    body = "environment: {" + ", ".join(f"A{n}: $UNSET{n}" for n in range(200)) + "}\n"
    body += "\n".join(f"wrong{n}: 1" for n in range(200))
    found = understood(service(body))
    assert len(found.findings) == 100
    assert len(found.errors) == 100
