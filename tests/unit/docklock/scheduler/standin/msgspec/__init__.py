"""As much of msgspec as values and their canonical bytes need, in plain Python: for interpreters that have no msgspec.

Frozen structs as arrays, and the shortest msgpack of integers, strings, bytes, tuples and structs. Nothing is decoded.
"""

import inspect
from typing import Any, ClassVar

from msgspec import msgpack, structs

__all__ = ["MsgspecError", "Struct", "field", "msgpack", "structs"]


class MsgspecError(Exception):
    pass


def field(**_: Any) -> Any:
    raise NotImplementedError


class Struct:
    __struct_fields__: ClassVar[tuple[str, ...]] = ()
    __struct_defaults__: ClassVar[dict[str, Any]] = {}
    __struct_tag__: ClassVar[str | None] = None

    def __init_subclass__(cls, *, tag: str | None = None, **_: Any) -> None:
        own = inspect.get_annotations(cls)
        cls.__struct_fields__ = (*cls.__struct_fields__, *own)
        cls.__struct_defaults__ = {**cls.__struct_defaults__, **{n: cls.__dict__[n] for n in own if n in cls.__dict__}}
        cls.__struct_tag__ = tag

    def __init__(self, **given: Any) -> None:
        unknown = set(given) - set(self.__struct_fields__)
        assert not unknown, f"{type(self).__name__} has no {unknown}"
        for name in self.__struct_fields__:
            self.__dict__[name] = given[name] if name in given else self.__struct_defaults__[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))
