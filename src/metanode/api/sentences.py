"""What a transaction asks for, as one sentence: shown before it is signed, and wherever it is shown again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from metanode.api.cluster_sentences import cluster_sentence
from metanode.records.address import ADDRESS_BYTES, show_address
from metanode.records.amount import AMOUNT_BYTES_MAX
from metanode.records.calls import (
    AccountsGrantRole,
    AccountsRevokeRole,
    AccountsSetPolicy,
    Action,
    AddValidator,
    Call,
    CoinBurn,
    CoinDefine,
    CoinMint,
    CoinTransfer,
    GovernancePropose,
    GovernanceVote,
    RemoveValidator,
    RotateKeys,
    SetParameter,
    SetRulesVersion,
)
from metanode.records.transaction import Transaction

DECIMALS_SHOWN_MAX: Final = 38
"""An amount has no more digits; a definition that says more is shown without a point, and refused by the ledger."""


@dataclass(frozen=True, slots=True)
class Glossary:
    """What makes sentences readable: names of accounts by address, decimals of a coin, the coin fees are paid in.

    What it does not know is shown as it is on the wire: addresses as bech32m, amounts in smallest units.
    """

    names: Mapping[bytes, str] = field(default_factory=dict)
    decimals: Callable[[str], int | None] = lambda _coin: None
    fee_coin: str = ""

    def who(self, address: bytes) -> str:
        """An account: its name where genesis gives one, else its address."""
        if len(address) != ADDRESS_BYTES:
            return f"the malformed address {address.hex() or 'of no bytes'}"
        return self.names.get(address) or show_address(address)

    def amount(self, data: bytes, coin: str) -> str:
        """An amount of a coin, with its point where the decimals are known."""
        if len(data) > AMOUNT_BYTES_MAX:
            return f"a malformed amount of {coin}"
        return _with_point(int.from_bytes(data, "big"), self.decimals(coin), coin)


def _with_point(units: int, decimals: int | None, coin: str) -> str:
    if decimals is None:
        return f"{units} units of {coin}"
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}} {coin}" if decimals else f"{whole} {coin}"


def action_sentence(action: Action, glossary: Glossary) -> str:
    """What is put to the vote, as the end of a sentence: "add validator x"."""
    match action:
        case AddValidator(name=name, operator=operator):
            return f"add validator {name}, operated by {glossary.who(operator)}"
        case RemoveValidator(name=name):
            return f"remove validator {name}"
        case RotateKeys(name=name):
            return f"give validator {name} other keys"
        case SetParameter(name=name, value=value):
            return f"set parameter {name} to {value}"
        case SetRulesVersion(version=version, height=height):
            return f"follow version {version} of the rules from height {height} on"
        case _:
            assert_never(action)


def call_sentence(call: Call, glossary: Glossary) -> str:
    """What one call asks for, with the sender as its unspoken subject: "transfers 4.20 BPI to bob"."""
    match call:
        case AccountsSetPolicy(keys=keys, threshold=threshold):
            return f"lets {threshold} of {len(keys)} keys speak for the account from now on"
        case AccountsGrantRole(account=account, role=role):
            return f"gives {glossary.who(account)} the role {role}"
        case AccountsRevokeRole(account=account, role=role):
            return f"takes the role {role} from {glossary.who(account)}"
        case CoinDefine(coin=coin, decimals=decimals, supply_max=supply_max, minters=minters):
            shown = Glossary(decimals=lambda _coin: decimals if 0 <= decimals <= DECIMALS_SHOWN_MAX else None)
            most = f"at most {shown.amount(supply_max, coin)}" if supply_max else "without a maximum"
            by = ", ".join(glossary.who(minter) for minter in minters) or "nobody"
            return f"defines the coin {coin} with {decimals} decimals, {most}, to be minted by {by}"
        case CoinMint(coin=coin, to=to, amount=amount):
            return f"mints {glossary.amount(amount, coin)} for {glossary.who(to)}"
        case CoinTransfer(coin=coin, to=to, amount=amount):
            return f"transfers {glossary.amount(amount, coin)} to {glossary.who(to)}"
        case CoinBurn(coin=coin, amount=amount):
            return f"burns {glossary.amount(amount, coin)}"
        case GovernancePropose(action=action):
            return f"proposes to {action_sentence(action, glossary)}"
        case GovernanceVote(proposal=proposal, approve=approve):
            return f"votes {'for' if approve else 'against'} proposal {proposal}"
        case _:
            return cluster_sentence(call, glossary.who)


def transaction_sentence(transaction: Transaction, glossary: Glossary) -> str:
    """The whole transaction as one sentence: every call, and the fee. Nothing that is signed is left out."""
    calls = "; ".join(call_sentence(call, glossary) for call in transaction.calls) or "asks for nothing"
    fee = f", for a fee of {glossary.amount(transaction.fee, glossary.fee_coin or 'the fee coin')}"
    memo = f", with the memo {transaction.memo!r}" if transaction.memo else ""
    return f"{glossary.who(transaction.sender)} {calls}{fee if transaction.fee else ''}{memo}"
