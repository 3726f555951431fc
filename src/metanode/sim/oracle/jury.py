"""One jury a world: the witnesses of its machines, and what only all of them together can know."""

from collections.abc import Iterable, Sequence
from typing import Final

from metanode.chain import ibft
from metanode.primitives.names import Hash
from metanode.sim.oracle.memory import Chronicle, Signatures
from metanode.sim.oracle.proofs import Proofs
from metanode.sim.oracle.witness import Witness
from metanode.sim.seals import STAND_INS, Seals


class Jury:
    """`honest`: the vote keys of those who follow the rules. A key's memory outlives its machines; not that of a key
    whose disk is replaced by an older one (`set_back`): such a seat is one of the f that may do anything."""

    def __init__(
        self, chain_id: Hash, honest: Iterable[bytes], seals: Seals = STAND_INS, set_back: Sequence[bytes] = ()
    ) -> None:
        self._proofs: Final = Proofs(chain_id, seals)
        self._chronicle: Final = Chronicle(frozenset(key for key in honest if key not in set_back))
        self._set_back: Final = set_back
        self._signatures: Final[dict[bytes, Signatures]] = {}

    def witness(self, name: str, vote_key: bytes, machine: ibft.Ibft) -> Witness:
        """Of the life of a machine that begins."""
        signatures = (
            self._signatures.setdefault(vote_key, Signatures()) if vote_key not in self._set_back else Signatures()
        )
        return Witness(name, machine, self._proofs, signatures, self._chronicle)
