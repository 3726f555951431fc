"""A liar whose COMMITs carry shares that are none: nothing, infinity, another's, one of another message, its own
negated, and, with a fellow, two whose errors cancel out. It attacks BLS-B3, B6, B7 and B9: the sum of a quorum that
holds one of them, the cost of finding it, and whoever blames an honest seat for it."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from metanode.chain import ibft
from metanode.primitives.bls import negate_key
from metanode.primitives.names import Seat
from metanode.records.vote import Vote, VoteKind, seal_digest, vote_signing_bytes
from metanode.sim import standins
from metanode.sim.byzantine.speaker import Liar, LyingNode

INFINITE: Final = b"\xc0" + bytes(95)
FELLOWS: Final = (1, 2)
"""Seats that, where both lie, carry errors that cancel out: what one adds the other takes away."""


class ForgingSharesNode(LyingNode):
    """Another lie at each height; the envelope is always good, so it is known who sent it."""

    def face(self, seat: Seat, message: Any) -> Sequence[Any]:
        """To everybody the same."""
        del seat
        if not isinstance(message, ibft.Ballot) or message.vote.kind != VoteKind.COMMIT:
            return (message,)
        return (ibft.Ballot(vote=self._under(message.vote, self._forged(message.vote))),)

    def _forged(self, vote: Vote) -> bytes:
        tip, own = self._desk.tip, vote.seal
        keys = tip.validators.bls_keys
        match vote.height % 6:
            case 0:
                return b"\x8a" + bytes(95)
            case 1:
                return INFINITE
            case 2:
                return bytes(sha256(own).digest() * 3)
            case 3:
                return negate_key(own)
            case 4:
                return self._error(keys[vote.seat], b"another message")
            case _:
                return self._cancelling(vote)

    def _error(self, key: bytes, word: bytes) -> bytes:
        """What the liar's own secret makes of any other words."""
        return self.seals.share(key, word)

    def _cancelling(self, vote: Vote) -> bytes:
        """The same error with both signs: the sum of both shares is what it should be, neither of them is."""
        error = self._error(self._desk.tip.validators.bls_keys[FELLOWS[0]], b"an error")
        return self.seals.add(vote.seal, error if vote.seat == FELLOWS[0] else negate_key(error))

    def _under(self, vote: Vote, seal: bytes) -> Vote:
        """A good envelope around it."""
        desk = self._desk
        bent = msgspec.structs.replace(vote, seal=seal, attachment=seal_digest(seal))
        message = vote_signing_bytes(desk.chain_id, desk.tip.validators.hash, bent)
        return msgspec.structs.replace(bent, signature=standins.sign(desk.settings.vote_key, message))


class ShareForger(Liar):
    """The computer of such a node."""

    lying = ForgingSharesNode
