"""The two libraries that do BLS12-381 arithmetic, behind one narrow protocol.

An engine works on points it has parsed itself and knows no rule of Metanode: what may be parsed at all, which sums are
refused and what is remembered is decided once, in `bls`, so that two nodes with different engines give one verdict.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any, Final, Protocol, TypeVar

import py_arkworks_bls12381 as arkworks

try:
    import pyblst
except ImportError:  # no wheel for this Python or machine
    pyblst = None

KeyPoint = TypeVar("KeyPoint")
"""An engine's point of G1."""
SignaturePoint = TypeVar("SignaturePoint")
"""An engine's point of G2."""

_GENERATOR: Final = bytes.fromhex(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
)


class Engine(Protocol[KeyPoint, SignaturePoint]):
    """Arithmetic of BLS12-381 with public keys in G1 and signatures in G2."""

    @property
    def name(self) -> str:
        """The library, as a person knows it."""
        ...

    def parse_key(self, data: bytes) -> KeyPoint:
        """The point of 48 compressed bytes. Raises `ValueError` off the curve or outside the subgroup."""
        ...

    def parse_signature(self, data: bytes) -> SignaturePoint:
        """The point of 96 compressed bytes. Raises `ValueError` off the curve or outside the subgroup."""
        ...

    def key_bytes(self, point: KeyPoint) -> bytes:
        """The 48 compressed bytes."""
        ...

    def signature_bytes(self, point: SignaturePoint) -> bytes:
        """The 96 compressed bytes."""
        ...

    def sum_keys(self, points: Sequence[KeyPoint]) -> KeyPoint:
        """The sum of at least one point."""
        ...

    def sum_signatures(self, points: Sequence[SignaturePoint]) -> SignaturePoint:
        """The sum of at least one point."""
        ...

    def public_key(self, scalar: int) -> KeyPoint:
        """The generator times `scalar`."""
        ...

    def hash_to_signature(self, message: bytes, domain: bytes) -> SignaturePoint:
        """hash_to_curve of RFC 9380 to G2 (SHA-256, SSWU, random oracle)."""
        ...

    def multiply(self, point: SignaturePoint, scalar: int) -> SignaturePoint:
        """The point times `scalar`."""
        ...

    def paired(self, key: KeyPoint, hashed: SignaturePoint, signature: SignaturePoint) -> bool:
        """Whether e(key, hashed) = e(generator, signature)."""
        ...


class BlstEngine:
    """`pyblst`: blst by Supranational."""

    name: Final = "pyblst"

    def __init__(self) -> None:
        self._generator = pyblst.BlstP1Element.uncompress(_GENERATOR)

    def parse_key(self, data: bytes) -> Any:
        """See `Engine`."""
        return pyblst.BlstP1Element.uncompress(data)

    def parse_signature(self, data: bytes) -> Any:
        """See `Engine`."""
        return pyblst.BlstP2Element.uncompress(data)

    def key_bytes(self, point: Any) -> bytes:
        """See `Engine`."""
        return bytes(point.compress())

    def signature_bytes(self, point: Any) -> bytes:
        """See `Engine`."""
        return bytes(point.compress())

    def sum_keys(self, points: Sequence[Any]) -> Any:
        """See `Engine`."""
        return reduce(add, points)

    def sum_signatures(self, points: Sequence[Any]) -> Any:
        """See `Engine`."""
        return reduce(add, points)

    def public_key(self, scalar: int) -> Any:
        """See `Engine`."""
        return self._generator.scalar_mul(scalar)

    def hash_to_signature(self, message: bytes, domain: bytes) -> Any:
        """See `Engine`."""
        return pyblst.BlstP2Element.hash_to_group(message, domain)

    def multiply(self, point: Any, scalar: int) -> Any:
        """See `Engine`."""
        return point.scalar_mul(scalar)

    def paired(self, key: Any, hashed: Any, signature: Any) -> bool:
        """See `Engine`."""
        left = pyblst.miller_loop(key, hashed)
        return bool(pyblst.final_verify(left, pyblst.miller_loop(self._generator, signature)))


class ArkworksEngine:
    """`py-arkworks-bls12381`: arkworks, with a wheel for every Python."""

    name: Final = "py-arkworks-bls12381"

    def __init__(self) -> None:
        self._negative_generator = -arkworks.G1Point.from_compressed_bytes(_GENERATOR)

    def parse_key(self, data: bytes) -> arkworks.G1Point:
        """See `Engine`."""
        return arkworks.G1Point.from_compressed_bytes(data)

    def parse_signature(self, data: bytes) -> arkworks.G2Point:
        """See `Engine`."""
        return arkworks.G2Point.from_compressed_bytes(data)

    def key_bytes(self, point: arkworks.G1Point) -> bytes:
        """See `Engine`."""
        return bytes(point.to_compressed_bytes())

    def signature_bytes(self, point: arkworks.G2Point) -> bytes:
        """See `Engine`."""
        return bytes(point.to_compressed_bytes())

    def sum_keys(self, points: Sequence[arkworks.G1Point]) -> arkworks.G1Point:
        """See `Engine`."""
        return reduce(add, points)

    def sum_signatures(self, points: Sequence[arkworks.G2Point]) -> arkworks.G2Point:
        """See `Engine`."""
        return reduce(add, points)

    def public_key(self, scalar: int) -> arkworks.G1Point:
        """See `Engine`."""
        return -self._negative_generator * arkworks.Scalar(scalar)

    def hash_to_signature(self, message: bytes, domain: bytes) -> arkworks.G2Point:
        """See `Engine`."""
        return arkworks.G2Point.hash_to_curve(message, domain)

    def multiply(self, point: arkworks.G2Point, scalar: int) -> arkworks.G2Point:
        """See `Engine`."""
        return point * arkworks.Scalar(scalar)

    def paired(self, key: arkworks.G1Point, hashed: arkworks.G2Point, signature: arkworks.G2Point) -> bool:
        """See `Engine`."""
        return arkworks.GT.pairing_check([key, self._negative_generator], [hashed, signature])


ENGINES: Final[tuple[Engine[Any, Any], ...]] = (
    (ArkworksEngine(),) if pyblst is None else (BlstEngine(), ArkworksEngine())
)
"""The engines this machine has, the preferred one first."""
