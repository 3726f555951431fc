"""What is remembered of coins: definitions, supplies and balances."""

from typing import Final

from metanode.ledger.accounts.state import create_if_new
from metanode.ledger.frame import Frame
from metanode.ledger.view import Readable, View
from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.names import Address
from metanode.records.amount import AMOUNT_BYTES_MAX
from metanode.records.receipt import AccountCreated

BALANCE: Final = b"cb"
"""Prefix of balances."""
DEFINITION: Final = b"cd"
"""Prefix of definitions."""
SUPPLY: Final = b"cs"
"""Prefix of supplies."""
WORK_CREATE_ACCOUNT: Final = 30
"""The first credit of an account writes it."""


class CoinDefinition(Wire):
    """What is fixed about a coin. `supply_max` an amount, empty for no maximum."""

    issuer: bytes
    decimals: int
    supply_max: bytes
    minters: tuple[bytes, ...]


_DEFINITIONS: Final = Decoder[CoinDefinition](CoinDefinition, 1_024)


def balance_key(address: bytes, coin: str) -> bytes:
    """The state key of what an account holds of a coin."""
    return BALANCE + address + coin.encode()


def read_definition(state: Readable, coin: str) -> CoinDefinition | None:
    """A coin's definition, `None` when there is no such coin."""
    data = state.get(DEFINITION + coin.encode())
    return _DEFINITIONS.decode(data) if data is not None else None


def write_definition(view: View, coin: str, definition: CoinDefinition) -> None:
    """Define a coin."""
    view.put(DEFINITION + coin.encode(), encode(definition))


def read_number(state: Readable, key: bytes) -> int:
    """A balance or supply; absent means zero."""
    return int.from_bytes(state.get(key) or b"", "big")


def write_number(view: View, key: bytes, number: int) -> None:
    """A balance or supply, fixed width; zero is deleted, so that an emptied account leaves nothing behind."""
    view.put(key, number.to_bytes(AMOUNT_BYTES_MAX, "big") if number else None)


def supply_key(coin: str) -> bytes:
    """The state key of a coin's supply."""
    return SUPPLY + coin.encode()


def credit(frame: Frame, address: Address, coin: str, amount: int) -> None:
    """LEDGER-C2. Add to a balance; an account unknown so far comes to be by it.

    Cannot overflow: what is credited was debited or minted, so no balance exceeds the supply.
    """
    key = balance_key(address, coin)
    held = frame.view.get(key)
    if held is None:
        if create_if_new(frame.view, address):
            frame.charge(WORK_CREATE_ACCOUNT)
            frame.events.append(AccountCreated(account=address))
        write_number(frame.view, key, amount)
    else:
        write_number(frame.view, key, int.from_bytes(held, "big") + amount)
