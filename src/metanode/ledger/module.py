"""The shape of a module: its calls with their costs, what it puts into genesis, its bounded step after a block."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from metanode.ledger.frame import Frame
from metanode.ledger.view import View
from metanode.primitives.names import Address
from metanode.records.genesis import Genesis


@dataclass(frozen=True, slots=True)
class Method:
    """One kind of call. `work` is charged before `run`, which may charge more.

    `run(call, frame)` raises `Rejected` when the call is refused; what it wrote is then undone.
    `reads(call, sender)` names keys it will read, to be fetched in bulk; forgetting one costs time, nothing else.
    """

    work: int
    run: Callable[[Any, Frame], None]
    reads: Callable[[Any, Address], tuple[bytes, ...]] = lambda _call, _sender: ()


def _nothing(_frame: Frame) -> None:
    """The end-of-block step of a module that has none."""


@dataclass(frozen=True, slots=True)
class Module:
    """LEDGER-M1. A room of the state: only its own keys, only its own calls.

    `genesis` writes what genesis gives it; `end_of_block` does bounded work and carries the rest over.
    """

    name: str
    methods: Mapping[type, Method]
    genesis: Callable[[Genesis, View], None]
    end_of_block: Callable[[Frame], None] = field(default=_nothing)
