"""What a method of the table is: its name, its faces, who may call it, its typed request and answer."""

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from metanode.api.shapes import Answer, Request

Asked = TypeVar("Asked", bound=Request)
Answered = TypeVar("Answered", bound=Answer)


class Scope(StrEnum):
    """HTTP-9. What a token may do. Each is granted by name; none implies another."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


class Method(msgspec.Struct, Generic[Asked, Answered], frozen=True, gc=False):
    """HTTP-3. One method: its name, its REST face, who may call it, its typed request and answer.

    `path` names fields of the request in braces; the other fields are the query of a GET or DELETE, the JSON body of a
    POST. `development`: exists on development chains only. `raw`: the hexadecimal field of the answer that REST gives
    as bytes to a caller who accepts only `application/octet-stream`.
    """

    name: str
    verb: str
    path: str
    scope: Scope
    request: type[Asked]
    answer: type[Answered]
    summary: str
    development: bool = False
    raw: str = ""

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The fields of the request that are in the path."""
        return tuple(part.partition("}")[0] for part in self.path.split("{")[1:])
