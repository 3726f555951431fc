"""The table: names, paths and types that every face relies on."""

import re
from typing import Any

import msgspec
import pytest

from metanode.api.guilt import EvidenceSubmit
from metanode.api.method import Method, Scope
from metanode.api.methods import METHODS
from metanode.api.shapes import Answer, Request
from metanode.records.evidence import EVIDENCE_BYTES_MAX

EACH = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def test_every_name_is_its_own() -> None:
    assert [name for name, method in METHODS.items() if method.name != name] == []


def test_no_two_methods_share_path_and_verb() -> None:
    faces = [(m.verb, re.sub(r"\{\w+\}", "{}", m.path)) for m in METHODS.values()]
    assert len(set(faces)) == len(faces)


def test_no_two_types_share_a_name() -> None:
    kinds = {kind for m in METHODS.values() for kind in (m.request, m.answer)}
    assert len({kind.__name__ for kind in kinds}) == len(kinds)


@EACH
def test_a_method_is_well_formed(method: Method[Any, Any]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", method.name)
    assert method.verb in ("GET", "POST", "DELETE")
    assert method.path.startswith("/v1/")
    assert issubclass(method.request, Request)
    assert issubclass(method.answer, Answer)
    assert set(method.path_fields) <= set(method.request.__struct_fields__)
    assert method.summary
    assert not method.summary.endswith(".")
    if method.raw:
        assert method.raw in method.answer.__struct_fields__


@EACH
def test_what_is_in_a_path_must_be_given_and_the_rest_of_a_query_need_not(method: Method[Any, Any]) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(method.request)}
    for name in method.path_fields:
        assert fields[name].required
    if method.verb != "POST":
        assert [n for n, f in fields.items() if f.required] == [n for n in fields if n in method.path_fields]


@EACH
def test_an_unknown_field_is_refused(method: Method[Any, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"no such field": 1}', type=method.request)


def test_reading_never_changes_anything() -> None:
    assert {m.name for m in METHODS.values() if m.verb != "GET"} == {
        "transaction.submit",
        "transaction.submit_batch",
        "evidence.submit",
        "fault.set",
        "fault.clear",
    }
    assert {m.name for m in METHODS.values() if m.development} == {"fault.set", "fault.clear"}
    assert [m.name for m in METHODS.values() if m.verb == "GET" and m.scope is not Scope.READ] == []


def test_evidence_may_be_handed_in_as_long_as_it_may_be_and_not_longer() -> None:
    """The bound is written twice, so that who only asks how a node is does not import what reads evidence."""
    longest = {"encoded": "00" * EVIDENCE_BYTES_MAX}
    assert msgspec.convert(longest, EvidenceSubmit).encoded == longest["encoded"]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"encoded": longest["encoded"] + "00"}, EvidenceSubmit)
