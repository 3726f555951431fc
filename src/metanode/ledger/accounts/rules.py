"""Who may speak for an account, and which policies and roles can be."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

from metanode.ledger.accounts.state import Account
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.address import ADDRESS_BYTES, address_of_key
from metanode.records.transaction import AUTHORIZATIONS_MAX, KEY_ED25519, Authorization

KEY_BYTES: Final = 32
"""An Ed25519 public key."""
SIGNATURE_BYTES: Final = 64
"""An Ed25519 signature."""
KEYS_MAX: Final = AUTHORIZATIONS_MAX
"""Keys of a policy: no more than a transaction can carry signatures."""

_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)


_address_of_key: Final = lru_cache(maxsize=16_384)(address_of_key)
"""Who sends once sends again."""


class AuthorityRefusal(Refusal):
    """Why signatures, valid by themselves, do not speak for an account."""

    MALFORMED = "authority.malformed"
    """A key or signature of another kind or length than Ed25519's."""
    NOT_SORTED = "authority.not-sorted"
    """Not in ascending order of keys, or a key twice."""
    NOT_A_KEY_OF_THE_ACCOUNT = "authority.not-a-key-of-the-account"
    """Signed by a key that has no say over the sender."""
    NOT_THE_THRESHOLD = "authority.not-the-threshold"
    """Fewer or more signatures than the threshold asks for: a transaction has one minimal form."""


class AccountsRefusal(Refusal):
    """Why a call to `accounts` fails."""

    WRONG_ADDRESS = "accounts.wrong-address"
    """Not 20 bytes."""
    BAD_KEYS = "accounts.bad-keys"
    """No key, too many, not ascending and unique, or one that could never sign."""
    NOBODY_COULD_SIGN = "accounts.nobody-could-sign"
    """A threshold of 0, or above the number of keys: the account would be locked for ever."""
    BAD_ROLE = "accounts.bad-role"
    """Not a name of a role: lower case letters, digits and hyphens, at most 32."""
    NOT_ROOT = "accounts.not-root"
    """Only an account with the role `root` gives and takes roles."""
    HAS_ROLE = "accounts.has-role"
    """The account has this role already."""
    LACKS_ROLE = "accounts.lacks-role"
    """The account does not have this role."""
    LAST_ROOT = "accounts.last-root"
    """Nobody would be left to give roles."""


def ascending(values: Sequence[bytes]) -> bool:
    """Whether each is greater than the one before: sorted and unique."""
    return len(values) < 2 or all(one < other for one, other in pairwise(values))


def check_authority(account: Account, sender: bytes, authorizations: tuple[Authorization, ...]) -> None:
    """LEDGER-N3. Exactly the threshold of the account's keys, ascending. Signatures themselves were verified before."""
    for authorization in authorizations:
        if (
            authorization.kind != KEY_ED25519
            or len(authorization.key) != KEY_BYTES
            or len(authorization.signature) != SIGNATURE_BYTES
        ):
            raise Rejected(AuthorityRefusal.MALFORMED, "Ed25519: kind 1, key 32, signature 64 bytes")
    keys = [authorization.key for authorization in authorizations]
    if not ascending(keys):
        raise Rejected(AuthorityRefusal.NOT_SORTED, "keys ascend, each once")
    for key in keys:
        if key not in account.keys if account.keys else _address_of_key(key) != sender:
            raise Rejected(AuthorityRefusal.NOT_A_KEY_OF_THE_ACCOUNT, f"key {key.hex()}")
    threshold = account.threshold or 1
    if len(keys) != threshold:
        raise Rejected(AuthorityRefusal.NOT_THE_THRESHOLD, f"{len(keys)} signatures, exactly {threshold} are due")


def check_address(address: bytes) -> None:
    """LEDGER-A1. An address is 20 bytes."""
    if len(address) != ADDRESS_BYTES:
        raise Rejected(AccountsRefusal.WRONG_ADDRESS, f"{len(address)} bytes, must be {ADDRESS_BYTES}")


def check_policy(keys: tuple[bytes, ...], threshold: int) -> None:
    """LEDGER-A4. A policy somebody can satisfy: ascending unique keys, a threshold among them."""
    if not 0 < len(keys) <= KEYS_MAX or any(len(key) != KEY_BYTES for key in keys):
        raise Rejected(AccountsRefusal.BAD_KEYS, f"{len(keys)} keys; 1 … {KEYS_MAX} of {KEY_BYTES} bytes")
    if not ascending(keys):
        raise Rejected(AccountsRefusal.BAD_KEYS, "keys ascend, each once")
    if not 0 < threshold <= len(keys):
        raise Rejected(AccountsRefusal.NOBODY_COULD_SIGN, f"threshold {threshold} of {len(keys)} keys")


def check_role(role: str) -> None:
    """LEDGER-A5. The form of a role's name."""
    if not _ROLE.fullmatch(role):
        raise Rejected(AccountsRefusal.BAD_ROLE, f"{role[:40]!r}")
