"""A liar whose blocks claim other results than executing them gives: another state, other receipts, another next set,
another history. It attacks judging before voting (IBFT-R1, CHAIN-H3, PROP-3): final means final with its results."""

from dataclasses import replace
from hashlib import sha256

from metanode.primitives.names import Hash
from metanode.records.header import Header
from metanode.sim.byzantine.bending import BendingNode
from metanode.sim.byzantine.speaker import Liar


class WrongRootsNode(BendingNode):
    """One root after another."""

    def bend(self, header: Header, turn: int) -> Header:
        """A root that nothing has."""
        wrong = Hash(sha256(header.state_root).digest())
        match turn % 5:
            case 0:
                return replace(header, state_root=wrong)
            case 1:
                return replace(header, receipts_root=wrong)
            case 2:
                return replace(header, next_validators_hash=wrong)
            case 3:
                return replace(header, history_root=wrong)
            case _:
                return replace(header, parent_hash=wrong)


class WrongRoots(Liar):
    """The computer of such a node."""

    lying = WrongRootsNode
