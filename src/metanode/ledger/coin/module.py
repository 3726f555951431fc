"""The module `coin`: define, mint, transfer, burn."""

import re
from typing import Final

from metanode.ledger.accounts.rules import ascending, check_address
from metanode.ledger.coin.state import (
    CoinDefinition,
    balance_key,
    credit,
    read_definition,
    read_number,
    supply_key,
    write_definition,
    write_number,
)
from metanode.ledger.frame import Frame
from metanode.ledger.module import Method, Module
from metanode.ledger.view import View
from metanode.primitives.names import Address
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.amount import AMOUNT_MAX, amount_bytes, amount_value
from metanode.records.calls import CoinBurn, CoinDefine, CoinMint, CoinTransfer
from metanode.records.genesis import Genesis
from metanode.records.receipt import CoinBurned, CoinDefined, CoinMinted, CoinTransferred

DECIMALS_MAX: Final = 36
"""Decimal places: 128 bits hold 38 digits."""
MINTERS_MAX: Final = 16
"""Minters of a coin: more belong behind one policy account."""
WORK_DEFINE: Final = 200
"""A definition stays for ever."""
WORK_MINT: Final = 50
"""Supply and a balance."""
WORK_TRANSFER: Final = 30
"""Two balances."""
WORK_BURN: Final = 50
"""Supply and a balance."""

_SYMBOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,31}", re.ASCII)


class CoinRefusal(Refusal):
    """Why a call to `coin` fails."""

    BAD_SYMBOL = "coin.bad-symbol"
    """Not a symbol: a letter, then letters, digits, dots and hyphens, at most 32 in all."""
    BAD_DECIMALS = "coin.bad-decimals"
    """Decimals outside 0 … 36."""
    BAD_MINTERS = "coin.bad-minters"
    """No minter, too many, or not ascending and unique."""
    EXISTS = "coin.exists"
    """There is a coin of this symbol."""
    UNKNOWN = "coin.unknown"
    """There is no coin of this symbol."""
    NOT_A_MINTER = "coin.not-a-minter"
    """The sender may not make units of this coin."""
    ZERO_AMOUNT = "coin.zero-amount"
    """Nothing would move."""
    INSUFFICIENT = "coin.insufficient"
    """The sender holds less than that."""
    ABOVE_MAXIMUM = "coin.above-maximum"
    """The supply would exceed the coin's maximum, or 128 bits."""


def _positive(data: bytes) -> int:
    amount = amount_value(data)
    if not amount:
        raise Rejected(CoinRefusal.ZERO_AMOUNT, "the amount is zero")
    return amount


def debit(frame: Frame, address: Address, coin: str, amount: int) -> None:
    """LEDGER-C2. Take from a balance that covers it."""
    key = balance_key(address, coin)
    held = int.from_bytes(frame.view.get(key) or b"", "big")
    if held < amount:
        if not held and read_definition(frame.view, coin) is None:
            raise Rejected(CoinRefusal.UNKNOWN, f"{coin[:40]!r}")
        raise Rejected(CoinRefusal.INSUFFICIENT, f"holds {held} {coin[:40]}, {amount} are due")
    write_number(frame.view, key, held - amount)


def transfer(call: CoinTransfer, frame: Frame) -> None:
    """LEDGER-C4. Move units of the sender; to itself is allowed and changes nothing."""
    amount = _positive(call.amount)
    check_address(call.to)
    debit(frame, frame.sender, call.coin, amount)
    credit(frame, Address(call.to), call.coin, amount)
    frame.events.append(CoinTransferred(coin=call.coin, sender=frame.sender, to=call.to, amount=call.amount))


def define(call: CoinDefine, frame: Frame) -> None:
    """LEDGER-C1. A new coin of the sender. Anyone may define one; a symbol is given once and for ever."""
    definition = CoinDefinition(
        issuer=frame.sender,
        decimals=call.decimals,
        supply_max=call.supply_max,
        minters=call.minters,
    )
    if not call.minters:
        raise Rejected(CoinRefusal.BAD_MINTERS, "nobody could ever make a unit")
    _define(frame.view, call.coin, definition)
    frame.events.append(CoinDefined(coin=call.coin, issuer=frame.sender, decimals=call.decimals))


def _define(view: View, coin: str, definition: CoinDefinition) -> None:
    """LEDGER-C1. Symbol, decimals, minters and maximum within bounds, and the symbol free."""
    if not _SYMBOL.fullmatch(coin):
        raise Rejected(CoinRefusal.BAD_SYMBOL, f"{coin[:40]!r}")
    if not 0 <= definition.decimals <= DECIMALS_MAX:
        raise Rejected(CoinRefusal.BAD_DECIMALS, f"{definition.decimals}, must be 0 … {DECIMALS_MAX}")
    minters = definition.minters
    if len(minters) > MINTERS_MAX or not ascending(minters):
        raise Rejected(CoinRefusal.BAD_MINTERS, f"at most {MINTERS_MAX}, ascending, each once")
    for address in (definition.issuer, *minters):
        check_address(address)
    amount_value(definition.supply_max)
    if read_definition(view, coin) is not None:
        raise Rejected(CoinRefusal.EXISTS, coin)
    write_definition(view, coin, definition)


def _raise_supply(view: View, coin: str, definition: CoinDefinition, amount: int) -> None:
    """LEDGER-C3. The supply grows up to the coin's maximum, never beyond 128 bits."""
    supply = read_number(view, supply_key(coin)) + amount
    maximum = amount_value(definition.supply_max) or AMOUNT_MAX
    if supply > maximum:
        raise Rejected(CoinRefusal.ABOVE_MAXIMUM, f"supply would be {supply}, at most {maximum}")
    write_number(view, supply_key(coin), supply)


def mint(call: CoinMint, frame: Frame) -> None:
    """LEDGER-C3. A minter makes units for somebody."""
    amount = _positive(call.amount)
    check_address(call.to)
    definition = read_definition(frame.view, call.coin)
    if definition is None:
        raise Rejected(CoinRefusal.UNKNOWN, f"{call.coin[:40]!r}")
    if frame.sender not in definition.minters:
        raise Rejected(CoinRefusal.NOT_A_MINTER, call.coin)
    _raise_supply(frame.view, call.coin, definition, amount)
    credit(frame, Address(call.to), call.coin, amount)
    frame.events.append(CoinMinted(coin=call.coin, to=call.to, amount=call.amount))


def burn(call: CoinBurn, frame: Frame) -> None:
    """LEDGER-C5. A holder destroys units of its own."""
    amount = _positive(call.amount)
    debit(frame, frame.sender, call.coin, amount)
    write_number(frame.view, supply_key(call.coin), read_number(frame.view, supply_key(call.coin)) - amount)
    frame.events.append(CoinBurned(coin=call.coin, sender=frame.sender, amount=call.amount))


def pay_fees(frame: Frame, operator: Address, fees: int) -> None:
    """LEDGER-F2. At the end of a block its fees go to the account of its proposer's operator."""
    credit(frame, operator, frame.block.fee_coin, fees)
    frame.events.append(
        CoinTransferred(coin=frame.block.fee_coin, sender=frame.sender, to=operator, amount=amount_bytes(fees))
    )


def genesis_coins(genesis: Genesis, view: View) -> None:
    """LEDGER-G1. The coins of genesis and what its accounts hold; supplies are the sums. Raises `Rejected`."""
    for coin in genesis.coins:
        definition = CoinDefinition(
            issuer=coin.issuer,
            decimals=coin.decimals,
            supply_max=coin.supply_max,
            minters=coin.minters,
        )
        _define(view, coin.coin, definition)
    for account in genesis.accounts:
        for balance in account.balances:
            amount = _positive(balance.amount)
            definition_of = read_definition(view, balance.coin)
            if definition_of is None:
                raise Rejected(CoinRefusal.UNKNOWN, balance.coin)
            _raise_supply(view, balance.coin, definition_of, amount)
            write_number(view, balance_key(account.address, balance.coin), amount)


def _transfer_reads(call: CoinTransfer, sender: Address) -> tuple[bytes, ...]:
    return balance_key(sender, call.coin), balance_key(call.to, call.coin)


COIN: Final = Module(
    name="coin",
    methods={
        CoinDefine: Method(WORK_DEFINE, define),
        CoinMint: Method(WORK_MINT, mint),
        CoinTransfer: Method(WORK_TRANSFER, transfer, _transfer_reads),
        CoinBurn: Method(WORK_BURN, burn),
    },
    genesis=genesis_coins,
)
"""Coins: Σ holdings = supply, always."""
