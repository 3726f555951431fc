"""A liar that keeps one client's transactions out: it takes none into its pool, passes none on, proposes none, and
votes for no block that holds one. It attacks the turn of leaders (IBFT-P1) and a pool that hands everything to one
(POOL)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from metanode.chain import ibft, mempool
from metanode.node.known import known_transaction
from metanode.primitives.names import Hash, Seat
from metanode.sim.byzantine.speaker import Liar, LyingNode
from metanode.sim.founding import client

VICTIM = client("client-0").address
"""Whom it does not like."""


class CensoringNode(LyingNode):
    """Its own pool never holds them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.mend("pool", self._take)

    def _take(self, honest: Callable[[Any], Sequence[Any]], event: Any) -> Sequence[Any]:
        match event:
            case mempool.Submitted(transactions=transactions):
                return honest(replace(event, transactions=_without(transactions)))
            case mempool.Gossiped(batch=batch):
                rest = _without(batch.transactions)
                shorter = msgspec.structs.replace(batch, transactions=rest)
                return honest(replace(event, batch=shorter)) if rest else ()
            case _:
                return honest(event)

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """No word for a block with one of them in it."""
        del seat
        if isinstance(message, ibft.Ballot):
            block = self._desk.candidates.get(Hash(message.vote.header_hash))
            if block is not None and any(known.signed.transaction.sender == VICTIM for known in block.transactions):
                return ()
        return (message,)


def _without(transactions: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(one for one in transactions if known_transaction(one).signed.transaction.sender != VICTIM)


class Censor(Liar):
    """The computer of such a node."""

    lying = CensoringNode
