"""Short ways to say a Compose file, and to ask what became of it."""

from collections.abc import Mapping
from enum import StrEnum
from textwrap import indent
from typing import Any

from metanode.docklock.compose import Finding, Outside, Understood, any_image, understand
from metanode.primitives.codec import Wire
from metanode.records.workload import WorkloadSpec

IMAGE = "registry.example.org/app:1.0@sha256:" + "ab" * 32
NOBODY: Mapping[str, str] = {}


def outside(variables: Mapping[str, str] = NOBODY, files: Mapping[str, str] = NOBODY) -> Outside:
    """A world with these variables and env files, in which every image is known."""
    return Outside(dict(variables), dict(files).get, any_image)


def understood(text: str, variables: Mapping[str, str] = NOBODY, files: Mapping[str, str] = NOBODY) -> Understood:
    """A file in such a world."""
    return understand(text, outside(variables, files))


def service(body: str, rest: str = "") -> str:
    """A file with the service `web` whose image is pinned; `body` begins on line 4."""
    return f"services:\n  web:\n    image: {IMAGE}\n{indent(body, '    ')}\n{rest}"


def spec_of(body: str, rest: str = "", **world: Mapping[str, str]) -> WorkloadSpec:
    """The specification of such a service; the file must have no error."""
    found = understood(service(body, rest), **world)
    assert found.errors == ()
    assert found.application is not None
    return next(one.spec for one in found.application.workloads if one.spec.terms.workload == "web")


def errors(body: str, rest: str = "", **world: Mapping[str, str]) -> list[tuple[StrEnum, int, str]]:
    """Code, line and path of each error of such a service."""
    found = understood(service(body, rest), **world)
    assert (found.application is None) == bool(found.errors)
    return [(one.code, one.line, one.path) for one in found.errors]


def advice(body: str, rest: str = "", **world: Mapping[str, str]) -> list[Finding]:
    """The advice on such a service."""
    return list(understood(service(body, rest), **world).advice)


def codes(text: str, variables: Mapping[str, str] = NOBODY) -> list[StrEnum]:
    """The codes of the errors of a whole file."""
    return [one.code for one in understood(text, variables).errors]


def shown(value: Any) -> Any:
    """A value with the names of its fields, as JSON can hold it."""
    match value:
        case Wire():
            return {name: shown(getattr(value, name)) for name in value.__struct_fields__}
        case tuple() | list():
            return [shown(one) for one in value]
        case bytes():
            return value.hex()
        case _:
            return value
