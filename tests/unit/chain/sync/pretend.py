"""A node that catches up, and peers that help or lie."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from tests.unit.chain.samples import START_MS, Chain, transaction

from metanode.chain import sync
from metanode.chain.light import GenesisBasis, trust
from metanode.primitives import bls
from metanode.primitives.codec import encode
from metanode.records.block import FinalBlock


@cache
def chain() -> Chain:
    """Forty blocks, some with transactions; the set changes with 10, 11 and 25."""
    made = Chain()
    changes = {10: (1, 2, 3, 5), 11: (1, 2, 5, 6), 25: (1, 2, 5, 6, 7)}
    for height in range(1, 41):
        people = range(height % 3)
        made.grow([transaction(made.chain_id, n, nonce=height) for n in people], changes.get(height))
    return made


def encoded(height: int) -> bytes:
    return encode(chain().blocks[height - 1])


@dataclass
class Log:
    """A block log in memory."""

    blocks: dict[int, bytes] = field(default_factory=dict)

    @property
    def first(self) -> int:
        return min(self.blocks, default=0)

    @property
    def last(self) -> int:
        return max(self.blocks, default=0)

    def block(self, height: int) -> bytes | None:
        return self.blocks.get(height)


def log(first: int, last: int) -> Log:
    return Log({height: encoded(height) for height in range(first, last + 1)})


Liar = Callable[[sync.WantBlocks], sync.Blocks | None]
"""What a peer answers; `None`: nothing."""


def honest(want: sync.WantBlocks) -> sync.Blocks:
    last = min(want.first + want.count, 41)
    return sync.Blocks(version=1, first=want.first, blocks=tuple(encoded(h) for h in range(want.first, last)))


def swapped(height: int, block: Callable[[FinalBlock], bytes]) -> Liar:
    """Honest but for one height."""

    def answer(want: sync.WantBlocks) -> sync.Blocks:
        blocks = [
            block(chain().blocks[h - 1]) if h == height else encoded(h)
            for h in range(want.first, min(want.first + want.count, 41))
        ]
        return sync.Blocks(version=1, first=want.first, blocks=tuple(blocks))

    return answer


class Node:
    """Catches up from `peers`; what it imports it applies at once, as the node does."""

    def __init__(self, peers: dict[bytes, Liar], *, votes: bool = False) -> None:
        self.peers = peers
        self.log = Log()
        self.machine = sync.Sync(trust(GenesisBasis(chain().genesis)), self.log, votes=votes)
        self.votes = votes
        self.now_ms = START_MS
        self.height = 0
        self.asked: list[tuple[bytes, int, int]] = []
        self.said: list[sync.Effect] = []
        self.held: list[sync.CheckCommits] = []
        self.hold = False
        for peer in peers:
            self.tell(sync.PeerUp(peer))

    def tell(self, event: sync.Event) -> None:
        waiting: list[sync.Event] = [event]
        while waiting:
            for effect in self.machine.handle(waiting.pop(0)):
                waiting += self._carry(effect)

    def _carry(self, effect: sync.Effect) -> list[sync.Event]:
        match effect:
            case sync.Send(peers, sync.WantBlocks() as want):
                (peer,) = peers
                self.asked.append((peer, want.first, want.count))
                answer = self.peers[peer](want)
                return [sync.Received(self.now_ms, peer, answer)] if answer is not None else []
            case sync.Send():
                return []
            case sync.CheckCommits(token, items):
                if self.hold:
                    self.held.append(effect)
                    return []
                verdicts = tuple(bls.fast_aggregate_verify(*item) for item in items)
                return [sync.CommitsChecked(self.now_ms, token, verdicts)]
            case sync.Import(header, commit):
                assert header.height == self.height + 1, "in order, once"
                assert (header, commit) == (chain().header(header.height), chain().commit(header.height))
                return [self.apply(header.height)]
            case _:
                self.said.append(effect)
                return []

    def apply(self, height: int) -> sync.Applied:
        self.height = height
        self.log.blocks[height] = encoded(height)
        header = chain().header(height)
        return sync.Applied(
            self.now_ms, header.height, header.hash, header.timestamp_ms, chain().next_set(height), self.votes
        )

    def hear_head(self, peer: bytes, last: int, first: int = 1) -> None:
        self.tell(sync.Received(self.now_ms, peer, sync.Head(version=1, first=first, last=last)))

    def wait(self, ms: int) -> None:
        for _ in range(ms // 50):
            self.now_ms += 50
            self.tell(sync.Tick(self.now_ms))

    def blamed(self) -> list[tuple[bytes, str]]:
        return [(effect.peer, effect.refusal) for effect in self.said if isinstance(effect, sync.Blame)]


def seat(number: int) -> bytes:
    """The transport key of a validator of genesis."""
    return chain().genesis.validators[number].transport_key
