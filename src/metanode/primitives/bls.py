"""BLS12-381 signatures: public keys of 48 bytes, signatures of 96, many votes in one.

Ciphersuite `BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_` of draft-irtf-cfrg-bls-signature (minimal public key, proofs
of possession). The module's functions are the methods of one `Scheme` over the preferred engine.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from metanode.primitives.bls_engines import ENGINES, Engine
from metanode.primitives.refusal import Refusal, Rejected

SECRET_BYTES: Final = 32
"""A secret key, big-endian."""
PUBLIC_KEY_BYTES: Final = 48
"""A public key, compressed point of G1."""
SIGNATURE_BYTES: Final = 96
"""A signature, an aggregate or a proof of possession, compressed point of G2."""
GROUP_ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""The prime order r of both groups; a secret is in 1 … r − 1."""
KEYS_REMEMBERED: Final = 1024
"""Validated keys kept as points: four sets of the largest size, about 200 bytes each."""
MANY_BAD_DIVISOR: Final = 8
"""Beyond one bad share in so many, checking one by one is cheaper than halving (BLS-B6)."""
_SIGN_DOMAIN: Final = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
_POSSESSION_DOMAIN: Final = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"
_FLAGS: Final = 0xC0
_COMPRESSED: Final = 0x80
_INFINITE: Final = 0x40
_SIGN_OF_Y: Final = 0x20


class BlsRefusal(Refusal):
    """Why a key, a share or a sum is turned away."""

    WRONG_WIDTH = "bls.wrong-width"
    """A key is not 48, a signature not 96, or a secret not 32 bytes."""
    NOT_FINITE = "bls.not-finite"
    """The first two bits are not 1 and 0: an uncompressed point, or the point at infinity in one of its spellings."""
    NOT_IN_GROUP = "bls.not-in-group"
    """No point of the curve, or one outside the subgroup."""
    SECRET_OUT_OF_RANGE = "bls.secret-out-of-range"  # noqa: S105 - a code, not a secret
    """Zero, or not below the group order."""
    NOTHING_TO_SUM = "bls.nothing-to-sum"
    """An empty list has no aggregate."""
    INFINITE_SUM = "bls.infinite-sum"
    """Keys or shares that cancel each other."""
    DUPLICATE_KEY = "bls.duplicate-key"
    """The same key twice in one set."""
    NEGATED_KEY = "bls.negated-key"
    """A key and its negation in one set: together they sign everything."""


def _check_form(data: bytes, width: int) -> None:
    """BLS-B1. The form every engine agrees on: compressed, finite, the right width."""
    if len(data) != width:
        raise Rejected(BlsRefusal.WRONG_WIDTH, f"{len(data)} bytes, not {width}")
    if data[0] & _FLAGS != _COMPRESSED:
        raise Rejected(BlsRefusal.NOT_FINITE, f"first byte {data[0]:#04x}")


def _scalar(secret: bytes) -> int:
    if len(secret) != SECRET_BYTES:
        raise Rejected(BlsRefusal.WRONG_WIDTH, f"a secret of {len(secret)} bytes")
    scalar = int.from_bytes(secret, "big")
    if not 0 < scalar < GROUP_ORDER:
        raise Rejected(BlsRefusal.SECRET_OUT_OF_RANGE, "not in 1 … r − 1")
    return scalar


class Scheme:
    """The signature scheme over one engine; remembers the points of the keys it has validated."""

    def __init__(self, engine: Engine[Any, Any]) -> None:
        self.engine: Final = engine
        self._key = lru_cache(maxsize=KEYS_REMEMBERED)(self._parse_key)

    def _parse_key(self, data: bytes) -> Any:
        _check_form(data, PUBLIC_KEY_BYTES)
        try:
            return self.engine.parse_key(data)
        except ValueError:
            raise Rejected(BlsRefusal.NOT_IN_GROUP, "a public key") from None

    def _parse_signature(self, data: bytes) -> Any:
        _check_form(data, SIGNATURE_BYTES)
        try:
            return self.engine.parse_signature(data)
        except ValueError:
            raise Rejected(BlsRefusal.NOT_IN_GROUP, "a signature") from None

    def public_key(self, secret: bytes) -> bytes:
        """The 48-byte public key of 32 secret bytes. Raises `Rejected` for a secret out of range."""
        return self.engine.key_bytes(self.engine.public_key(_scalar(secret)))

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """The 96-byte signature of `message` (CoreSign). Raises `Rejected` for a secret out of range."""
        return self._sign(secret, message, _SIGN_DOMAIN)

    def _sign(self, secret: bytes, message: bytes, domain: bytes) -> bytes:
        scalar, engine = _scalar(secret), self.engine
        return engine.signature_bytes(engine.multiply(engine.hash_to_signature(message, domain), scalar))

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is `public_key`'s over `message` (CoreVerify).

        BLS-B8. Guilt and rewards rest on single votes checked like this or by their envelope, never on a bitmap.
        """
        return self._verify(public_key, message, signature, _SIGN_DOMAIN)

    def _verify(self, public_key: bytes, message: bytes, signature: bytes, domain: bytes) -> bool:
        try:
            key, point = self._key(public_key), self._parse_signature(signature)
        except Rejected:
            return False
        return self.engine.paired(key, self.engine.hash_to_signature(message, domain), point)

    def prove_possession(self, secret: bytes) -> bytes:
        """BLS-B2. The 96-byte proof that who shows a public key holds its secret (PopProve)."""
        return self._sign(secret, self.public_key(secret), _POSSESSION_DOMAIN)

    def verify_possession(self, public_key: bytes, proof: bytes) -> bool:
        """BLS-B2. Whether `proof` shows possession of the secret of `public_key` (PopVerify)."""
        return self._verify(public_key, public_key, proof, _POSSESSION_DOMAIN)

    def validate_key(self, public_key: bytes) -> bool:
        """BLS-B1. Whether these are 48 bytes of a finite point of the subgroup (KeyValidate)."""
        try:
            self._key(public_key)
        except Rejected:
            return False
        return True

    def aggregate(self, signatures: Sequence[bytes]) -> bytes:
        """BLS-B6. The sum of signatures, 96 bytes, each checked to be in the subgroup but not verified.

        BLS-B7. That the sum verifies says nothing about a single summand, nor about more or fewer of them.
        Raises `Rejected` when there is none, one is no signature, or they cancel out.
        """
        if not signatures:
            raise Rejected(BlsRefusal.NOTHING_TO_SUM, "no signature")
        total = self.engine.signature_bytes(
            self.engine.sum_signatures([self._parse_signature(signature) for signature in signatures])
        )
        if total[0] & _INFINITE:
            raise Rejected(BlsRefusal.INFINITE_SUM, f"{len(signatures)} signatures cancel out")
        return total

    def aggregate_keys(self, public_keys: Sequence[bytes]) -> bytes:
        """BLS-B3. The sum of public keys, 48 bytes.

        Raises `Rejected` when there is none, one is no key, or they cancel out.
        """
        return self.engine.key_bytes(self._sum_keys(public_keys))

    def _sum_keys(self, public_keys: Sequence[bytes]) -> Any:
        if not public_keys:
            raise Rejected(BlsRefusal.NOTHING_TO_SUM, "no public key")
        total = self.engine.sum_keys([self._key(public_key) for public_key in public_keys])
        if self.engine.key_bytes(total)[0] & _INFINITE:
            raise Rejected(BlsRefusal.INFINITE_SUM, f"{len(public_keys)} public keys cancel out")
        return total

    def fast_aggregate_verify(self, public_keys: Sequence[bytes], message: bytes, signature: bytes) -> bool:
        """BLS-B4, BLS-B9. Whether `signature` is the aggregate of all `public_keys` over one and the same `message`.

        False for an empty list, for keys that cancel out and for the infinite signature. Every key must have shown
        its possession once (BLS-B2). Says nothing about any single signer's share (BLS-B7).
        """
        try:
            total, point = self._sum_keys(public_keys), self._parse_signature(signature)
        except Rejected:
            return False
        return self.engine.paired(total, self.engine.hash_to_signature(message, _SIGN_DOMAIN), point)

    def find_bad_shares(self, public_keys: Sequence[bytes], message: bytes, shares: Sequence[bytes]) -> tuple[int, ...]:
        """BLS-B6, BLS-B11. The indices, ascending, of shares to throw out so that the rest verifies together.

        Each returned share fails against its own key: it was checked alone, or was what its failing group held beside
        a half that verifies. Those kept verify as one sum, which does not say that each would alone: two that cancel
        out may be among them (BLS-B7). Costs about two checks times log2(n) a bad share, and one a share once more
        than an eighth is bad; the message is hashed once.
        """
        assert len(public_keys) == len(shares), "one share a key"
        bad: list[int] = []
        parsed: dict[int, tuple[Any, Any]] = {}
        for index, (public_key, share) in enumerate(zip(public_keys, shares, strict=True)):
            try:
                parsed[index] = self._key(public_key), self._parse_signature(share)
            except Rejected:
                bad.append(index)
        hashed = self.engine.hash_to_signature(message, _SIGN_DOMAIN)
        bad += _Halving(self.engine, hashed, parsed).find(list(parsed))
        return tuple(sorted(bad))


class _Halving:
    """One search for bad shares among `parsed`: index → (key point, share point)."""

    def __init__(self, engine: Engine[Any, Any], hashed: Any, parsed: dict[int, tuple[Any, Any]]) -> None:
        self._engine, self._hashed, self._parsed = engine, hashed, parsed

    def _holds(self, group: Sequence[int]) -> bool:
        keys = self._engine.sum_keys([self._parsed[index][0] for index in group])
        shares = self._engine.sum_signatures([self._parsed[index][1] for index in group])
        return self._engine.paired(keys, self._hashed, shares)

    def find(self, indices: list[int]) -> list[int]:
        """Halve what fails; a group whose first half holds must fail in its second, for sums are linear."""
        bad: list[int] = []
        waiting = [] if not indices or self._holds(indices) else [indices]  # groups known to fail
        while waiting:
            group = waiting.pop()
            if len(group) == 1:
                bad += group
            elif len(bad) * MANY_BAD_DIVISOR > len(indices):
                bad += [index for index in group if not self._holds([index])]
            else:
                first, second = group[: len(group) // 2], group[len(group) // 2 :]
                if self._holds(first):
                    waiting.append(second)
                else:
                    waiting += [first] if self._holds(second) else [first, second]
        return bad


def negate_key(public_key: bytes) -> bytes:
    """BLS-B3. The 48 bytes of the negated point: the sign bit of y flipped, for no point of the subgroup has y = 0."""
    return bytes([public_key[0] ^ _SIGN_OF_Y]) + public_key[1:]


def check_distinct(public_keys: Iterable[bytes]) -> None:
    """BLS-B3. Refuse a set in which a key stands twice or beside its negation.

    Raises `Rejected` with `DUPLICATE_KEY` or `NEGATED_KEY`.
    """
    seen: set[bytes] = set()
    for public_key in public_keys:
        if public_key in seen:
            raise Rejected(BlsRefusal.DUPLICATE_KEY, public_key.hex())
        if negate_key(public_key) in seen:
            raise Rejected(BlsRefusal.NEGATED_KEY, public_key.hex())
        seen.add(public_key)


SCHEME: Final = Scheme(ENGINES[0])
"""The scheme this process uses."""
public_key = SCHEME.public_key
sign = SCHEME.sign
verify = SCHEME.verify
prove_possession = SCHEME.prove_possession
verify_possession = SCHEME.verify_possession
validate_key = SCHEME.validate_key
aggregate = SCHEME.aggregate
aggregate_keys = SCHEME.aggregate_keys
fast_aggregate_verify = SCHEME.fast_aggregate_verify
find_bad_shares = SCHEME.find_bad_shares
