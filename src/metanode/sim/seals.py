"""Who does the arithmetic of BLS in a pretend world: stand-ins, or the real thing for the few worlds that can wait."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Protocol

from metanode.primitives import bls
from metanode.primitives.refusal import Rejected
from metanode.sim import standins


class Seals(Protocol):
    """Shares of one message by many keys, and their sum."""

    def key(self, name: str) -> bytes:
        """The public key of a validator by its name, 48 bytes."""
        ...

    def possession(self, key: bytes) -> bytes:
        """The proof that goes with a key, 96 bytes."""
        ...

    def verify_possession(self, key: bytes, proof: bytes) -> bool:
        """Whether it is the proof of that key."""
        ...

    def share(self, key: bytes, message: bytes) -> bytes:
        """What the secret of a public key makes of a message, 96 bytes."""
        ...

    def check_shares(
        self, keys: Sequence[bytes], message: bytes, shares: Sequence[bytes]
    ) -> tuple[bytes, tuple[int, ...]]:
        """The aggregate if the sum verifies, else the positions of the bad ones."""
        ...

    def verify_aggregate(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """Whether it is the sum of good shares of these keys."""
        ...

    def add(self, share: bytes, other: bytes) -> bytes:
        """The sum of two shares: what a liar makes of a good one and an error."""
        ...


class StandInSeals:
    """Digests for signatures."""

    def key(self, name: str) -> bytes:
        """See `Seals`."""
        return standins.key("bls", name, 48)

    def possession(self, key: bytes) -> bytes:
        """See `Seals`."""
        return standins.possession(key)

    def verify_possession(self, key: bytes, proof: bytes) -> bool:
        """See `Seals`."""
        return standins.verify_possession(key, proof)

    def share(self, key: bytes, message: bytes) -> bytes:
        """See `Seals`."""
        return standins.share(key, message)

    def check_shares(
        self, keys: Sequence[bytes], message: bytes, shares: Sequence[bytes]
    ) -> tuple[bytes, tuple[int, ...]]:
        """See `Seals`. No sum of digests verifies: stand-ins find bad shares that cancel out, the real sum does not."""
        return standins.check_shares(keys, message, shares)

    def verify_aggregate(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """See `Seals`."""
        return standins.verify_aggregate(keys, message, signature)

    def add(self, share: bytes, other: bytes) -> bytes:
        """See `Seals`. No good share of anything."""
        return b"\x8a" + (sha256(share + other).digest() * 3)[:95]


class RealSeals:
    """BLS12-381, by the engine that real nodes use: some milliseconds a check."""

    def __init__(self) -> None:
        self._secrets: Final[dict[bytes, bytes]] = {}

    def key(self, name: str) -> bytes:
        """See `Seals`."""
        secret = b"\0" + sha256(name.encode()).digest()[1:]
        public = bls.public_key(secret)
        self._secrets[public] = secret
        return public

    def possession(self, key: bytes) -> bytes:
        """See `Seals`."""
        return bls.prove_possession(self._secrets[key])

    def verify_possession(self, key: bytes, proof: bytes) -> bool:
        """See `Seals`."""
        return bls.verify_possession(key, proof)

    def share(self, key: bytes, message: bytes) -> bytes:
        """See `Seals`."""
        return bls.sign(self._secrets[key], message)

    def check_shares(
        self, keys: Sequence[bytes], message: bytes, shares: Sequence[bytes]
    ) -> tuple[bytes, tuple[int, ...]]:
        """See `Seals`. As in `host`: shares that only cancel together have no sum, and are bad together."""
        bad = bls.find_bad_shares(keys, message, shares)
        try:
            return (b"", bad) if bad else (bls.aggregate(shares), ())
        except Rejected:
            return b"", tuple(range(len(shares)))

    def verify_aggregate(self, keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """See `Seals`."""
        return bls.fast_aggregate_verify(keys, message, signature)

    def add(self, share: bytes, other: bytes) -> bytes:
        """See `Seals`."""
        return bls.aggregate((share, other))


STAND_INS: Final[Seals] = StandInSeals()
"""Of every world that does not ask for the real ones."""
