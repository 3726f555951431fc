"""Accounts, coins and what is put to the vote."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from metanode.api.shapes import (
    NUMBER_MAX,
    PAGE_DEFAULT,
    AccountText,
    AddressText,
    AmountText,
    Answer,
    CursorText,
    HexText,
    NameText,
    Number,
    PageSize,
    Plain,
    Request,
)

CoinText: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]*$", max_length=32)]
"""The name of a coin, or nothing."""


class AccountGet(Request):
    """One account."""

    account: AccountText


class LaneView(Answer):
    """A lane: its next nonce in final state, and the one after everything that waits in this node's pool."""

    lane: Number
    next_nonce: Number
    next_nonce_pooled: Number


class Balance(Answer):
    """What an account holds of a coin; `decimals` says where the point goes when shown."""

    coin: str
    amount: AmountText
    decimals: Number


class AccountView(Answer):
    """An account at a height. `exists` is false for an address nobody has credited: then it is empty.

    `lanes` has lane 0 and every other lane in use.
    """

    address: AddressText
    name: str
    exists: bool
    keys: tuple[HexText, ...]
    threshold: Number
    roles: tuple[str, ...]
    lanes: tuple[LaneView, ...]
    balances: tuple[Balance, ...]
    height: Number


class AccountList(Request):
    """A page of accounts in the order of their addresses. `coin`: only those holding it."""

    coin: CoinText = ""
    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class AccountLine(Answer):
    """A line of a list: `amount` of the coin asked for, else of the fee coin."""

    address: AddressText
    name: str
    coin: str
    amount: AmountText


class AccountPage(Answer):
    """Accounts, and where the next page begins (empty: nowhere)."""

    items: tuple[AccountLine, ...]
    next: str
    height: Number


class CoinGet(Request):
    """One coin."""

    coin: NameText


class CoinList(Request):
    """A page of coins in the order of their names."""

    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class CoinView(Answer):
    """A coin. `supply_max` 0 means no maximum. Supply is always the sum of what all accounts hold."""

    coin: str
    decimals: Number
    issuer: AddressText
    minters: tuple[AddressText, ...]
    supply: AmountText
    supply_max: AmountText
    fee_coin: bool
    height: Number


class CoinPage(Answer):
    """Coins, and where the next page begins (empty: nowhere)."""

    items: tuple[CoinView, ...]
    next: str


ProposalState: TypeAlias = Literal["open", "passed", "failed", "expired"]
"""How a vote stands."""


class GovernanceList(Request):
    """A page of proposals, the latest first."""

    cursor: CursorText = ""
    limit: PageSize = PAGE_DEFAULT


class GovernanceGet(Request):
    """One proposal by its number."""

    proposal: Annotated[int, Meta(ge=0, le=NUMBER_MAX)]


class ProposalView(Answer):
    """An action put to the vote, who voted how, and how many approvals decide it."""

    proposal: Number
    proposer: AddressText
    action: Plain
    sentence: str
    state: ProposalState
    approvals: tuple[AddressText, ...]
    rejections: tuple[AddressText, ...]
    needed: Number
    expires_ms: Number
    height: Number


class ProposalPage(Answer):
    """Proposals, and where the next page begins (empty: nowhere)."""

    items: tuple[ProposalView, ...]
    next: str
