"""From one trusted header to the next: one after another, by set changes, or backward by the history root."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from metanode.chain.bls import commit_claim
from metanode.chain.light.basis import Trusted
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import verify_inclusion
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import BlsCommit
from metanode.records.header import Header
from metanode.records.validators import VALIDATORS_MAX, Validator, ValidatorSet
from metanode.records.vote import ROUND_MAX

Pairing: TypeAlias = Callable[[Sequence[bytes], bytes, bytes], bool]
"""BLS `fast_aggregate_verify`: whether the aggregate is that of all these keys over the message."""


class LightRefusal(Refusal):
    """The first layer of a proof that fails."""

    ENCODING = "light.encoding"
    """Not the canonical bytes of a receipt file, or steps in another order than they are checked in."""
    TRANSACTION = "light.transaction"
    """The transaction is not the one the receipt is of."""
    INCLUSION = "light.inclusion"
    """The receipt is not among the receipts of the header."""
    HEADER = "light.header"
    """Not a header of this chain at this place."""
    COMMIT = "light.commit"
    """The certificate does not make this header final."""
    SET_CHANGE = "light.set-change"
    """The set is not the one that a trusted header announced."""
    HISTORY = "light.history"
    """The header is not in the history of the trusted one."""
    STATE = "light.state"
    """The value, or its absence, does not lead to the state root of the header."""
    BASIS = "light.basis"
    """What the proof would rest on is not trusted: another chain, too old, or above what is proved."""


def check_basis_age(trusted: Trusted, now_ms: int) -> None:
    """LIGHT-3. Nobody follows from what is older than the trusting period: keys of members who left, sold, could sign
    another future from there. Raises `Rejected`."""
    age = now_ms - trusted.timestamp_ms
    if age > trusted.trusting_period_ms:
        raise Rejected(
            LightRefusal.BASIS,
            f"the trusted point at height {trusted.height} is {age} ms old, at most {trusted.trusting_period_ms}",
        )


def check_link(trusted: Trusted, header: Header) -> None:
    """LIGHT-4. The header may follow the trusted one: chain, height, parent, time, the set that signs. Raises
    `Rejected`."""
    _check_later(trusted, header)
    if header.height != trusted.height + 1:
        raise Rejected(LightRefusal.HEADER, f"height {header.height}, {trusted.height + 1} is next")
    if header.parent_hash != trusted.hash:
        raise Rejected(LightRefusal.HEADER, f"height {header.height} has another parent")


def _check_later(trusted: Trusted, header: Header) -> None:
    """LIGHT-4. Of this chain, later than the trusted one, signed by its set."""
    if header.chain_id != trusted.chain_id:
        raise Rejected(LightRefusal.HEADER, f"of another chain: {header.chain_id.hex()}")
    if header.height <= trusted.height:
        raise Rejected(LightRefusal.HEADER, f"height {header.height}, trusted is {trusted.height}")
    if header.timestamp_ms <= trusted.timestamp_ms:
        raise Rejected(LightRefusal.HEADER, f"height {header.height} is not later than {trusted.height}")
    if header.validators_hash != trusted.validators.hash:
        raise Rejected(
            LightRefusal.SET_CHANGE, f"height {header.height} is signed by another set than known at {trusted.height}"
        )


def check_commit(header: Header, commit: BlsCommit, validators: ValidatorSet, pairing: Pairing) -> None:
    """LIGHT-5. The certificate is of exactly this header, by a quorum of the set, and its one signature verifies.
    Raises `Rejected`."""
    check_commit_form(header, commit)
    try:
        keys, message, aggregate = commit_claim(commit, validators, header.chain_id)
    except Rejected as rejected:
        raise Rejected(LightRefusal.COMMIT, str(rejected)) from None
    if not pairing(keys, message, aggregate):
        raise Rejected(LightRefusal.COMMIT, f"the signature of height {header.height} does not verify")


def check_commit_form(header: Header, commit: BlsCommit) -> None:
    """LIGHT-5. Version, height, round and hash of the certificate. Raises `Rejected`."""
    if commit.version != 1 or commit.height != header.height or not 0 <= commit.round <= ROUND_MAX:
        raise Rejected(LightRefusal.COMMIT, f"certificate of height {commit.height}, round {commit.round}")
    if commit.header_hash != header.hash:
        raise Rejected(LightRefusal.COMMIT, f"certificate of another header than {header.hash.hex()}")


def announced_set(header: Header, validators: Sequence[Validator]) -> ValidatorSet:
    """LIGHT-6. The set whose keys are exactly those that the header announces for the next height.

    Whoever announced it checked the proofs of possession: a quorum of the set before. A set that no trusted header
    announced is never used, with or without proofs. Raises `Rejected`.
    """
    found = set_of(validators, LightRefusal.SET_CHANGE)
    if found.hash != header.next_validators_hash:
        raise Rejected(LightRefusal.SET_CHANGE, f"not the set that height {header.height} announces")
    return found


def set_of(validators: Sequence[Validator], layer: LightRefusal) -> ValidatorSet:
    """LIGHT-6. Seats with keys of the right lengths: otherwise two lists could share a digest. Raises `Rejected`."""
    if not 0 < len(validators) <= VALIDATORS_MAX:
        raise Rejected(layer, f"{len(validators)} seats, 1 … {VALIDATORS_MAX}")
    if any(len(one.bls_key) != 48 or len(one.vote_key) != 32 for one in validators):
        raise Rejected(layer, "a key of the wrong length")
    return ValidatorSet(tuple(validators))


def follow(
    trusted: Trusted, header: Header, commit: BlsCommit, next_validators: Sequence[Validator], pairing: Pairing
) -> Trusted:
    """LIGHT-4, LIGHT-5, LIGHT-6. One header further. `next_validators`: empty where the set stays.

    Raises `Rejected`.
    """
    check_link(trusted, header)
    return _advance(trusted, header, commit, next_validators, pairing)


def follow_set_change(
    trusted: Trusted, header: Header, commit: BlsCommit, next_validators: Sequence[Validator], pairing: Pairing
) -> Trusted:
    """LIGHT-7. Further to the next header that announces another set, signed by the set that is known. Raises
    `Rejected`."""
    _check_later(trusted, header)
    if header.next_validators_hash == header.validators_hash:
        raise Rejected(LightRefusal.SET_CHANGE, f"height {header.height} announces no other set")
    return _advance(trusted, header, commit, next_validators, pairing)


def skip(
    trusted: Trusted, header: Header, commit: BlsCommit, next_validators: Sequence[Validator], pairing: Pairing
) -> Trusted:
    """LIGHT-8. To any later header, signed by the set that is known, however many headers lie between. Raises
    `Rejected`."""
    _check_later(trusted, header)
    return _advance(trusted, header, commit, next_validators, pairing)


def _advance(
    trusted: Trusted, header: Header, commit: BlsCommit, next_validators: Sequence[Validator], pairing: Pairing
) -> Trusted:
    check_commit(header, commit, trusted.validators, pairing)
    validators = trusted.validators
    if header.next_validators_hash != validators.hash:
        validators = announced_set(header, next_validators)
    return replace(
        trusted,
        height=header.height,
        hash=header.hash,
        timestamp_ms=header.timestamp_ms,
        validators=validators,
        header=(header,),
    )


def check_signed(trusted: Trusted, header: Header, commit: BlsCommit, pairing: Pairing) -> None:
    """LIGHT-8. A header above the trusted one, signed by the set that is known there. Raises `Rejected`."""
    _check_later(trusted, header)
    check_commit(header, commit, trusted.validators, pairing)


def check_history(later: Header, header_hash: Hash, height: int, size: int, path: Sequence[bytes]) -> None:
    """LIGHT-9. The header of this hash and height is in the history of a trusted later one: leaf height − 1 of all
    headers below it. Raises `Rejected`."""
    if size != later.height - 1:
        raise Rejected(LightRefusal.HISTORY, f"a history of {size} headers, {later.height - 1} are below the later one")
    if not verify_inclusion(Tag.HISTORY_ROOT, header_hash, height - 1, size, path, later.history_root):
        raise Rejected(LightRefusal.HISTORY, f"height {height} leads to another history root")
