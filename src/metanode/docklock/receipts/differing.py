"""DET-11. Where two runs of a deterministic job first differ."""

import struct
from dataclasses import dataclass
from typing import Final

from metanode.records.determinism import LeftFile, Said, Witness

KEPT: Final = struct.Struct(">Iq8s")
"""One observation as it is kept: number of the call, its result, the first bytes of the chain behind it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing in which two runs differ. `call`: number of the observed call, -1 where it is no observation."""

    what: str
    first: str
    again: str
    call: int = -1


def first_difference(first: Witness, again: Witness, kept: bytes, kept_again: bytes) -> Difference | None:
    """DET-11. In the order in which it can have happened: the job, what it was told, what it said, how it ended, what
    it left. `kept`: single observations of both runs, empty where nobody has them."""
    if first.identity != again.identity:
        return Difference("the job", str(first.identity), str(again.identity))
    if first.processor != again.processor:
        made, real = "made", "the machine's"
        return Difference("the processor", made if first.processor else real, made if again.processor else real)
    if (first.observations, first.chain) != (again.observations, again.chain):
        return _observation(first, again, kept, kept_again)
    for what, one, other in (("stdout", first.out, again.out), ("stderr", first.err, again.err)):
        if one != other:
            return Difference(what, _said(one), _said(other))
    if (first.code, first.signal) != (again.code, again.signal):
        return Difference("exit status", _end(first), _end(again))
    for left, right in zip(first.left, again.left, strict=False):
        if left != right:
            return Difference(f"file {left.path}", _said(left), _said(right))
    return None if first == again else Difference("single observations", first.kept.hex(), again.kept.hex())


def _end(one: Witness) -> str:
    return f"{one.code}, signal {one.signal}" if one.signal else str(one.code)


def _said(one: Said | LeftFile) -> str:
    return f"{one.size} bytes, sha256:{one.digest.hex()[:16]}" if one.digest else "none"


def _observation(first: Witness, again: Witness, kept: bytes, kept_again: bytes) -> Difference:
    """The first single observation that differs, if both are known."""
    count = min(len(kept), len(kept_again)) // KEPT.size
    for place in range(count):
        at = place * KEPT.size
        if kept[at : at + KEPT.size] != kept_again[at : at + KEPT.size]:
            (call, result, chain), (_, other, chain_again) = (
                KEPT.unpack_from(kept, at),
                KEPT.unpack_from(kept_again, at),
            )
            return Difference(
                f"observation {place}", f"{result}, chain {chain.hex()}", f"{other}, chain {chain_again.hex()}", call
            )
    what = f"observation {count}" if count < max(first.observations, again.observations) else "observations"
    return Difference(what, f"{first.observations} in all", f"{again.observations} in all")
