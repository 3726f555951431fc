"""Proofs of state: that a key has a value at a height, or none."""

from typing import Final

from metanode.api.blocks import StateProof, StateProve
from metanode.api.errors import ApiRefusal
from metanode.ledger import LedgerRefusal, Proved
from metanode.node.applied import set_row
from metanode.node.desk import Desk
from metanode.node.requests.finding import block_at, height_asked, set_at
from metanode.primitives.codec import encode
from metanode.primitives.names import Height
from metanode.primitives.refusal import Rejected

MODULE_LETTERS: Final = {"accounts": b"a", "coin": b"c", "governance": b"g", "cluster": b"k"}
"""The first letter of every key of a module: the table of `ledger.Reader`."""


def state_prove(desk: Desk, asked: StateProve) -> StateProof:
    """The value or its absence, the way to the `state_root`, the header that has it, and what makes that final."""
    key = bytes.fromhex(asked.key)
    letter = MODULE_LETTERS.get(asked.module)
    if letter is None:
        raise Rejected(ApiRefusal.NOT_FOUND, f"no module {asked.module!r}: {', '.join(MODULE_LETTERS)}")
    if key[:1] != letter:
        detail = f"key {asked.key[:80]}: keys of {asked.module} begin with {letter.hex()}"
        raise Rejected(ApiRefusal.INVALID_ARGUMENTS, detail)
    return prove(desk, asked.module, key, asked.height)


def prove(desk: Desk, module: str, key: bytes, asked: int) -> StateProof:
    """The same for a key that is known to be one of the module; `asked`: the height, 0 for the last."""
    height = height_asked(desk, asked)
    proved = _prove(desk, key, height)
    filed = block_at(desk, height)
    return StateProof(
        height=height,
        module=module,
        key=key.hex(),
        present=proved.value is not None,
        value=(proved.value or b"").hex(),
        proof=encode(proved.proof).hex(),
        header=filed.header.encoded.hex(),
        commit=encode(filed.commit).hex(),
        validators=set_row(set_at(desk, height)).hex(),
    )


def _prove(desk: Desk, key: bytes, height: int) -> Proved:
    try:
        return desk.ledger.prove(key, Height(height))
    except Rejected as rejected:
        assert rejected.reason is LedgerRefusal.HEIGHT_NOT_KEPT, "nothing else keeps a proof back"
        raise Rejected(ApiRefusal.PRUNED, f"the state of {rejected.detail}") from None
