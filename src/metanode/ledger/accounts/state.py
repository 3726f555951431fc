"""What is remembered of an account: the next nonce of each lane, its keys and threshold, its roles."""

from typing import Final

from metanode.ledger.view import Readable, View
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.names import Address

ACCOUNT: Final = b"aa"
"""Prefix of accounts."""
ROLE: Final = b"ar"
"""Prefix of the roles of accounts."""
ROLE_COUNT: Final = b"ac"
"""Prefix of the numbers of a role's holders."""
ROLE_ROOT: Final = "root"
"""The role whose holders give and take roles; its last holder keeps it."""


class Account(Wire):
    """LEDGER-A2. `nonces`: the next one of lane 0, 1, …, without trailing zeros.

    `keys` ascending and `threshold`: the policy; none and 0 for the 1-of-1 account of the key its address is made of.
    """

    nonces: tuple[int, ...]
    keys: tuple[bytes, ...]
    threshold: int


_ACCOUNTS: Final = Decoder[Account](Account, 4_096)
NEW_ACCOUNT: Final = Account(nonces=(), keys=(), threshold=0)
"""An account nobody wrote to yet."""
NEW_ACCOUNT_BYTES: Final = encode(NEW_ACCOUNT)


def account_key(address: bytes) -> bytes:
    """The state key of an account."""
    return ACCOUNT + address


def role_key(address: bytes, role: str) -> bytes:
    """The state key of one role of one account."""
    return ROLE + address + role.encode()


def read_account(state: Readable, address: bytes) -> Account:
    """The account of an address; every address has one, written or not."""
    data = state.get(ACCOUNT + address)
    return _ACCOUNTS.decode(data) if data is not None else NEW_ACCOUNT


def write_account(view: View, address: bytes, account: Account) -> None:
    """Replace an account."""
    view.put(ACCOUNT + address, encode(account))


def next_nonce(account: Account, lane: int) -> int:
    """LEDGER-A3. The nonce the next transaction of a lane must have."""
    return account.nonces[lane] if lane < len(account.nonces) else 0


def with_nonce_used(account: Account, lane: int) -> Account:
    """LEDGER-A3. The account after a transaction of this lane. Nonces never return: no identity occurs twice."""
    nonces = account.nonces
    if lane >= len(nonces):
        nonces += (0,) * (lane + 1 - len(nonces))
    nonces = (*nonces[:lane], nonces[lane] + 1, *nonces[lane + 1 :])
    return Account(nonces=nonces, keys=account.keys, threshold=account.threshold)


def create_if_new(view: View, address: Address) -> bool:
    """LEDGER-A2. Write an account that has not been written yet; whether that was so."""
    if view.get(ACCOUNT + address) is not None:
        return False
    view.put(ACCOUNT + address, NEW_ACCOUNT_BYTES)
    return True


def has_role(state: Readable, address: bytes, role: str) -> bool:
    """Whether an account has a role."""
    return state.get(role_key(address, role)) is not None


def role_holders(state: Readable, role: str) -> int:
    """How many accounts have a role."""
    return int.from_bytes(state.get(ROLE_COUNT + role.encode()) or b"", "big")


def set_role(view: View, address: bytes, role: str, *, held: bool) -> None:
    """Give or take a role that the account lacks or has."""
    holders = role_holders(view, role) + (1 if held else -1)
    view.put(role_key(address, role), b"\x01" if held else None)
    view.put(ROLE_COUNT + role.encode(), holders.to_bytes(8, "big") if holders else None)
