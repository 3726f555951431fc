"""A liar that hands out false history: heads that are not there, blocks of other heights, with bodies that are not
theirs, with certificates of others, nothing at all, and pieces of a state that never was. It attacks SYNC: who is
behind must believe certificates only, and get everything from the others."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from metanode.chain import sync
from metanode.chain.sync.messages import Blocks, Head, Manifest, StatePiece
from metanode.primitives.codec import encode
from metanode.primitives.names import Seat
from metanode.records.block import FINAL_BLOCKS, header_of
from metanode.sim.byzantine.speaker import Liar, LyingNode


class SyncLyingNode(LyingNode):
    """Agrees honestly; asked for the past, it makes one up."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._answers = 0
        self.mend("sync", self._hand_out)

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """The truth."""
        del seat
        return (message,)

    def _hand_out(self, honest: Callable[[Any], Sequence[Any]], event: Any) -> Sequence[Any]:
        return [
            sync.Send(effect.peers, self._bent(effect.message)) if isinstance(effect, sync.Send) else effect
            for effect in honest(event)
        ]

    def _bent(self, message: Any) -> Any:
        match message:
            case Head(first=first, last=last):
                return Head(version=1, first=first, last=last + 1_000)
            case Blocks(blocks=blocks) if blocks:
                self._answers += 1
                return msgspec.structs.replace(message, blocks=self._false(blocks))
            case Manifest():
                return msgspec.structs.replace(message, prefixes=message.prefixes[:-1])
            case StatePiece(pairs=pairs) if pairs:
                key, value = pairs[0]
                return msgspec.structs.replace(message, pairs=((key, value + b"\0"), *pairs[1:]))
            case _:
                return message

    def _false(self, blocks: tuple[bytes, ...]) -> tuple[bytes, ...]:
        first, last = FINAL_BLOCKS.decode(blocks[0]), FINAL_BLOCKS.decode(blocks[-1])
        match (self._answers + self._desk.seat + header_of(first).height // 4) % 5:
            case 0:
                return ()
            case 1:
                return (encode(msgspec.structs.replace(first, body=last.body)), *blocks[1:])
            case 2:
                short = msgspec.structs.replace(first.commit, aggregate_signature=bytes(96))
                return (encode(msgspec.structs.replace(first, commit=short)), *blocks[1:])
            case 3:
                return blocks[::-1]
            case _:
                return (blocks[0][:-1] + bytes([blocks[0][-1] ^ 1]), *blocks[1:])


class SyncLiar(Liar):
    """The computer of such a node."""

    lying = SyncLyingNode
