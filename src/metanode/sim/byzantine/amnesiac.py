"""A liar that restarts without its memory in the middle of a round, and votes at once: its operator vouches for what he
does not know. It attacks the guard and the question at the start (GUARD-2, GUARD-8), which it does without, and whoever
takes the second word of a seat for its first (IBFT-M2)."""

from typing import Any, Final

from metanode.node import effects as out
from metanode.node import events as heard
from metanode.records.vote import VoteKind
from metanode.sim.byzantine.speaker import VouchingNode
from metanode.sim.machine_room import MachineRoom

FORGETS_EVERY: Final = 5
"""After so many signatures it dies, and whenever it has proposed."""
FORGETS_MS: Final = 20
"""So soon: what it signed is out, the round is not over."""
AWAY_MS: Final = 5
"""And is back while the others still vote."""
LIVES_MS: Final = 700
"""Then it lives so long, that its second word is heard."""
WIPED_EVERY: Final = 4
"""Mostly guard and journal are gone; every fourth time the whole disk is."""


class Amnesiac(MachineRoom):
    """The computer of such a node: it dies right after it has signed."""

    node_class = VouchingNode

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._signed = 0
        self._lives_until_ms = 0

    def _sign(self, effect: out.SignVote) -> heard.Event:
        event = super()._sign(effect)
        self._signed += 1
        due = self._signed % FORGETS_EVERY == 0 or effect.vote.kind == VoteKind.PROPOSAL
        if due and self._outside.now_ms >= self._lives_until_ms:
            life, self._lives_until_ms = self.life, self._outside.now_ms + LIVES_MS
            self._outside.at(FORGETS_MS, lambda: self._forget(life))
        return event

    def _forget(self, life: int) -> None:
        if not self.lives(life):
            return
        self._outside.crash(self.index)
        if life % WIPED_EVERY:
            self.disk.journal.clear()
            self.disk.guard = b""
        else:
            self.wipe()
        self._outside.at(AWAY_MS, lambda: self._outside.boot(self.index))
