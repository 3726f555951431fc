"""Who sits in a council: keys, sets that may change from height to height, and blocks with nothing in them."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from random import Random
from typing import Final

from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Seat
from metanode.records.header import Header
from metanode.records.proposal import ProposalContent, proposal_content
from metanode.records.validators import ValidatorSet
from metanode.sim.founding import START_MS, validator

CHAIN: Final = Hash(sha256(b"a council").digest())
"""Every council works on this chain."""
CHANGE_EVERY: Final = 3
"""Where sets change, they do after so many heights."""


@lru_cache(maxsize=64)
def members_of(chairs: tuple[int, ...]) -> ValidatorSet:
    """The set in which these chairs sit, in this order."""
    return ValidatorSet(tuple(validator(f"chair-{chair}", chair + 1) for chair in chairs))


@dataclass(frozen=True, slots=True)
class Register:
    """Which chairs make the set of each height."""

    sets: tuple[tuple[int, ...], ...]

    def at(self, height: int) -> ValidatorSet:
        """The set of a height; the last one stays."""
        return members_of(self.sets[min(max(height - 1, 0) // CHANGE_EVERY, len(self.sets) - 1)])


def register(count: int, random: Random, changes: int) -> Register:
    """So many chairs; some changes later one has left, come back, or the order is another one."""
    chairs = tuple(range(count))
    sets = [chairs]
    for _ in range(changes):
        away = random.randrange(count) if count > 4 and random.randrange(2) else -1
        turned = random.randrange(count)
        order = chairs[turned:] + chairs[:turned]
        sets.append(tuple(chair for chair in order if chair != away))
    return Register(tuple(sets))


def block(register_: Register, height: int, proposer: Seat, parent: Hash, word: bytes) -> ProposalContent:
    """A block that differs from others by its word."""
    root = Hash(sha256(word).digest())
    header = Header(
        version=1,
        chain_id=CHAIN,
        height=Height(height),
        timestamp_ms=Millis(START_MS + height),
        proposer=proposer,
        parent_hash=parent,
        last_commit_hash=NO_HASH,
        transactions_root=root,
        openings_root=NO_HASH,
        inclusion_root=NO_HASH,
        evidence_root=NO_HASH,
        state_root=root,
        receipts_root=root,
        history_root=NO_HASH,
        validators_hash=register_.at(height).hash,
        next_validators_hash=register_.at(height + 1).hash,
        extensions_root=NO_HASH,
    )
    return proposal_content(header, (), (), ())
