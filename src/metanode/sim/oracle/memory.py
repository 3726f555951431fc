"""What holds across all lives of a key, and across all seats: kept by nobody but the oracle."""

from dataclasses import dataclass, field

from metanode.records.vote import NO_ROUND, Vote
from metanode.sim.oracle.proofs import COMMIT, PREPARE, PROPOSAL, ROUND_CHANGE, word

ORDER = {ROUND_CHANGE: 1, PROPOSAL: 2, PREPARE: 3, COMMIT: 4}
"""GUARD-1. The order of words within a round."""


@dataclass(slots=True)
class Signatures:
    """All that one key signed, whatever became of its machine; `told`: to which machine, by its name, for two may have
    one signer."""

    words: dict[tuple[int, int, int], tuple[bytes, int, bytes]] = field(default_factory=dict)
    told: dict[tuple[str, int, int, int], tuple[bytes, int, bytes]] = field(default_factory=dict)
    last: tuple[int, int, int] = (0, 0, 0)
    committed: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def asked(self, name: str, vote: Vote) -> str:
        """IBFT-M2. Across its stops, too, a machine asks for the word that it was given, and does not leave it to the
        guard to refuse another. Why it is wrong, or nothing."""
        asked = _statement(vote)
        if self.told.get((name, vote.kind, vote.height, vote.round), asked) == asked:
            return ""
        return f"IBFT-M2: asks for a second word of kind {vote.kind} in round {vote.round}"

    def signed(self, name: str, vote: Vote) -> str:
        """One word a (kind, height, round); never back; a ROUND-CHANGE shows every earlier COMMIT of its height. Why it
        is wrong, or nothing."""
        step = vote.kind, vote.height, vote.round
        self.told[name, *step] = _statement(vote)
        known = self.words.get(step)
        if known == word(vote):
            return ""  # the very same again, as a guard gives that fell back to its other slot
        if known is not None:
            return f"IBFT-M2: a second word of kind {vote.kind} at height {vote.height}, round {vote.round}"
        self.words[step] = word(vote)
        place = vote.height, vote.round, ORDER[vote.kind]
        if place < self.last:
            return f"IBFT-V7: {place} signed after {self.last}"
        self.last = place
        if vote.kind == COMMIT:
            self.committed[vote.height] = vote.round, vote.header_hash
        elif vote.kind == ROUND_CHANGE and vote.height in self.committed:
            round_, value = self.committed[vote.height]
            shown = -1 if vote.prepared_round == NO_ROUND else vote.prepared_round
            if shown < round_ or (shown == round_ and vote.header_hash != value):
                return f"IBFT-R3: committed in round {round_}, and shows to have prepared in {shown}"
        return ""


def _statement(vote: Vote) -> tuple[bytes, int, bytes]:
    """GUARD-2. What is asked for: the word, but for the digest of a share, which only the keys know."""
    value, prepared_round, attachment = word(vote)
    return value, prepared_round, b"" if vote.kind in (PREPARE, COMMIT) else attachment


@dataclass(slots=True)
class Chronicle:
    """What honest seats called final, and what they were prepared for: one value a height, one a round. `honest`: the
    vote keys of those who follow the rules."""

    honest: frozenset[bytes] = frozenset()
    final: dict[int, bytes] = field(default_factory=dict)
    prepared: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def decided(self, height: int, value: bytes) -> str:
        """Agreement."""
        if self.final.setdefault(height, value) != value:
            return f"IBFT-C1: FORK: height {height} was decided with another block"
        return ""

    def locked(self, height: int, round_: int, value: bytes) -> str:
        """A quorum of one round prepares one value."""
        if self.prepared.setdefault((height, round_), value) != value:
            return f"IBFT-R2: two values were prepared in round {round_} of height {height}"
        return ""
