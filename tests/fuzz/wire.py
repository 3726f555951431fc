"""Every decoder of the pure floors, found by looking; and values of any wire type, made by chance."""

import importlib
import pkgutil
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

import metanode
from metanode.primitives.codec import Decoder, Wire

OUTSIDE = ("metanode.host", "metanode.sim", "metanode.client", "metanode.cli")


@cache
def decoders() -> dict[str, Decoder[Any]]:
    """Each `Decoder` that a pure module holds, by `module:NAME` of where it is first seen."""
    found: dict[int, tuple[str, Decoder[Any]]] = {}
    for info in sorted(pkgutil.walk_packages(metanode.__path__, "metanode."), key=lambda i: i.name):
        if info.name.startswith(OUTSIDE):
            continue
        module = importlib.import_module(info.name)
        for attribute, value in sorted(vars(module).items()):
            if isinstance(value, Decoder):
                found.setdefault(id(value), (f"{info.name.removeprefix('metanode.')}:{attribute}", value))
    return dict(found.values())


def kind(decoder: Decoder[Any]) -> Any:
    """The type that a decoder decodes."""
    return decoder._decoder.type


def wire_types() -> list[type[Wire]]:
    """Every wire type of the house; tests that ran before may have made their own."""
    decoders()  # imports them all
    waiting: list[type[Wire]] = [Wire]
    found: list[type[Wire]] = []
    while waiting:
        heirs = waiting.pop().__subclasses__()
        found += heirs
        waiting += heirs
    ours = {found_type for found_type in found if found_type.__module__.startswith("metanode.")}
    return sorted(ours, key=lambda t: (t.__module__, t.__qualname__))


def parts(described: inspect.Type) -> set[type]:
    """Every struct that a type is or holds."""
    found: set[type] = set()
    waiting = [described]
    while waiting:
        match waiting.pop():
            case inspect.StructType(cls=cls, fields=fields):
                if cls not in found:
                    found.add(cls)
                    waiting += [f.type for f in fields]
            case inspect.VarTupleType(item_type=item):
                waiting.append(item)
            case inspect.TupleType(item_types=items):
                waiting += items
            case inspect.UnionType(types=members):
                waiting += members
            case _:
                pass  # a leaf
    return found


def values(described: inspect.Type) -> st.SearchStrategy[Any]:
    """Values of a type, most of them small, some at the edges."""
    match described:
        case inspect.IntType(ge=ge, gt=gt, le=le, lt=lt):
            low = ge if ge is not None else gt + 1 if gt is not None else -(2**63)
            high = le if le is not None else lt - 1 if lt is not None else 2**64 - 1
            return st.one_of(st.integers(max(low, 0), min(max(low, 0) + 200, high)), st.integers(low, high))
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.StrType(min_length=shortest, max_length=longest):
            return st.text(min_size=shortest or 0, max_size=12 if longest is None else longest)
        case inspect.BytesType(min_length=shortest, max_length=longest):
            least, most = shortest or 0, 1 << 16 if longest is None else longest
            usual = [size for size in (20, 32, 48, 64, 96, least) if least <= size <= most]
            return st.one_of(
                st.binary(min_size=least, max_size=min(least + 8, most)), st.sampled_from(usual).map(bytes)
            )
        case inspect.LiteralType(values=literals):
            return st.sampled_from(list(literals))
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.VarTupleType(item_type=item, min_length=fewest, max_length=greatest):
            few = fewest or 0
            return st.lists(values(item), min_size=few, max_size=min(few + 3, greatest or few + 3)).map(tuple)
        case inspect.TupleType(item_types=items):
            return st.tuples(*(values(i) for i in items))
        case inspect.UnionType(types=members):
            return st.one_of(*(values(m) for m in members))
        case inspect.StructType(cls=cls, fields=fields):
            made = st.fixed_dictionaries({f.name: values(f.type) for f in fields})
            return made.map(lambda arguments: cls(**arguments))
        case inspect.CustomType() | inspect.RawType():
            return st.binary(max_size=8).map(msgspec.Raw)
        case _:
            raise NotImplementedError(f"no values for {described}")
