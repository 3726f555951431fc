"""What the state says about accounts, coins and votes, for the public API. Reads only, each bounded by the asker."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from metanode.ledger.accounts.state import ACCOUNT, ROLE, read_account
from metanode.ledger.coin.state import BALANCE, DEFINITION, balance_key, read_definition, read_number, supply_key
from metanode.ledger.governance.conviction import newly_guilty
from metanode.ledger.governance.state import (
    CONVICTION,
    Proposal,
    read_conviction,
    read_docket,
    read_parameters,
    read_proposal,
    read_rules,
    read_set_by_hash,
    read_validators,
)
from metanode.ledger.governance.voting import seats_of
from metanode.primitives.names import Address
from metanode.primitives.refusal import Rejected
from metanode.records.address import ADDRESS_BYTES
from metanode.records.amount import amount_value
from metanode.records.evidence import Evidence
from metanode.records.parameters import Parameters
from metanode.records.validators import ValidatorSet

ROLES_SHOWN_MAX: Final = 64
"""Roles of one account that are shown: more are a mistake, and one question must not cost without end."""
HOLDINGS_SCANNED_MAX: Final = 10_000
"""Balances looked at for one page: about ten milliseconds."""


class Source(Protocol):
    """What queries read from: the ledger at its tip."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, `None` when absent."""
        ...

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys with `prefix`, greater than `after`, ascending, with their values."""
        ...


@dataclass(frozen=True, slots=True)
class Holding:
    """What an account holds of a coin."""

    address: Address
    coin: str
    amount: int


@dataclass(frozen=True, slots=True)
class HolderPage:
    """Holders of a coin, and the address to ask after for the next page (empty: these were the last)."""

    holders: tuple[Holding, ...]
    next_after: bytes


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """An account. `keys` and `threshold` are none and 1 for a 1-of-1 account: its address is made of its key.

    `nonces` the next one of lane 0, 1, …; lanes beyond are unused.
    """

    address: Address
    exists: bool
    nonces: tuple[int, ...]
    keys: tuple[bytes, ...]
    threshold: int
    roles: tuple[str, ...]
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class CoinDetails:
    """A coin. `supply_max` 0 for no maximum."""

    coin: str
    issuer: Address
    decimals: int
    minters: tuple[Address, ...]
    supply: int
    supply_max: int


@dataclass(frozen=True, slots=True)
class ProposalDetails:
    """A proposal by its number; `approving` and `opposing` seats of the current set, and how many decide."""

    number: int
    proposal: Proposal
    approving_seats: int
    opposing_seats: int
    quorum: int


@dataclass(frozen=True, slots=True)
class ConvictionDetails:
    """A vote key that was convicted: the digest of the evidence, and the height of the block that carried it."""

    vote_key: bytes
    evidence: bytes
    height: int


def current_validators(source: Source) -> ValidatorSet:
    """The set that signs the next height."""
    return read_validators(source)


def current_parameters(source: Source) -> Parameters:
    """The parameters of the next height."""
    return read_parameters(source)


def current_rules_version(source: Source) -> int:
    """The version that the next header carries."""
    return read_rules(source).version


def validators_by_hash(source: Source, validators_hash: bytes) -> ValidatorSet | None:
    """The current set, or one replaced within the evidence period, by its hash: whom evidence is about."""
    return read_set_by_hash(source, validators_hash)


def would_convict(source: Source, evidence: Evidence, height: int, timestamp_ms: int) -> tuple[bytes, ...]:
    """LEDGER-V6. The vote keys that true evidence would convict in a block of this height and time on the tip: none
    where it would make the block invalid."""
    signing, horizon_ms = read_validators(source), timestamp_ms - read_parameters(source).evidence_period_ms
    try:
        guilty = newly_guilty(source, evidence, height, horizon_ms, signing)
    except Rejected:
        return ()
    return tuple(validator.vote_key for validator in guilty)


def convictions(source: Source, limit: int) -> list[ConvictionDetails]:
    """At most `limit` convictions, in the order of the vote keys."""
    found = []
    for key, _ in islice(source.scan(CONVICTION), limit):
        vote_key = key[len(CONVICTION) :]
        conviction = read_conviction(source, vote_key)
        assert conviction is not None, "what was just scanned is there"
        found.append(ConvictionDetails(vote_key, conviction.evidence, conviction.height))
    return found


def account_details(source: Source, address: Address, holdings_max: int) -> AccountDetails:
    """An account, its roles and at most `holdings_max` of its holdings."""
    account = read_account(source, address)
    prefix = BALANCE + address
    roles = ROLE + address
    return AccountDetails(
        address=address,
        exists=source.get(ACCOUNT + address) is not None,
        nonces=account.nonces,
        keys=account.keys,
        threshold=account.threshold or 1,
        roles=tuple(key[len(roles) :].decode() for key, _ in islice(source.scan(roles), ROLES_SHOWN_MAX)),
        holdings=tuple(_holding(key, value) for key, value in islice(source.scan(prefix), holdings_max)),
    )


def accounts_after(source: Source, after: bytes, limit: int) -> list[Address]:
    """At most `limit` accounts with addresses above `after` (empty: from the first), ascending."""
    found = source.scan(ACCOUNT, ACCOUNT + after if after else b"")
    return [Address(key[len(ACCOUNT) :]) for key, _ in islice(found, limit)]


def holders_after(source: Source, coin: str, after: bytes, limit: int) -> HolderPage:
    """At most `limit` holders of a coin with addresses above `after` (empty: from the first).

    Balances lie by account, so others' are passed on the way: after `HOLDINGS_SCANNED_MAX` of them the page ends early.
    """
    found: list[Holding] = []
    last = after
    start = BALANCE + after + b"\xff" if after else b""
    for scanned, (key, value) in enumerate(source.scan(BALANCE, start)):
        holding = _holding(key, value)
        if len(found) == limit or (scanned >= HOLDINGS_SCANNED_MAX and holding.address != last):
            return HolderPage(tuple(found), last)
        last = holding.address
        if holding.coin == coin:
            found.append(holding)
    return HolderPage(tuple(found), b"")


def _holding(key: bytes, value: bytes) -> Holding:
    split = len(BALANCE) + ADDRESS_BYTES
    return Holding(Address(key[len(BALANCE) : split]), key[split:].decode(), int.from_bytes(value, "big"))


def balance(source: Source, address: Address, coin: str) -> int:
    """What an account holds of a coin."""
    return read_number(source, balance_key(address, coin))


def coin_details(source: Source, coin: str) -> CoinDetails | None:
    """A coin, `None` when there is none of this symbol."""
    definition = read_definition(source, coin)
    if definition is None:
        return None
    return CoinDetails(
        coin=coin,
        issuer=Address(definition.issuer),
        decimals=definition.decimals,
        minters=tuple(Address(minter) for minter in definition.minters),
        supply=read_number(source, supply_key(coin)),
        supply_max=amount_value(definition.supply_max),
    )


def coins_after(source: Source, after: str, limit: int) -> list[CoinDetails]:
    """At most `limit` coins with symbols above `after`, ascending."""
    found = source.scan(DEFINITION, DEFINITION + after.encode())
    names = [key[len(DEFINITION) :].decode() for key, _ in islice(found, limit)]
    return [details for name in names if (details := coin_details(source, name)) is not None]


def proposal_details(source: Source, number: int) -> ProposalDetails | None:
    """A proposal and how its vote stands, `None` when there is none of this number."""
    proposal = read_proposal(source, number)
    if proposal is None:
        return None
    validators = read_validators(source)
    return ProposalDetails(
        number=number,
        proposal=proposal,
        approving_seats=seats_of(validators, proposal.approving),
        opposing_seats=seats_of(validators, proposal.opposing),
        quorum=validators.quorum,
    )


def proposals_before(source: Source, before: int, limit: int) -> list[ProposalDetails]:
    """At most `limit` proposals with numbers below `before` (0: from the latest), descending."""
    last = read_docket(source).next_number - 1 if before == 0 else before - 1
    numbers = range(last, max(0, last - limit), -1)
    return [details for number in numbers if (details := proposal_details(source, number)) is not None]
