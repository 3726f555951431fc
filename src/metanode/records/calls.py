"""What a transaction can ask for: one typed struct a method, so that what is signed can always be shown."""

from typing import TypeAlias

from metanode.primitives.codec import Wire
from metanode.records.cluster_calls import ClusterCall

# --- accounts ---------------------------------------------------------------------------------------------------------


class AccountsSetPolicy(Wire, tag="accounts.set-policy"):
    """Replace the keys and the threshold of the sender's account; needs the old policy's quorum."""

    keys: tuple[bytes, ...]
    threshold: int


class AccountsGrantRole(Wire, tag="accounts.grant-role"):
    """Give an account a role; only the root role's holder may."""

    account: bytes
    role: str


class AccountsRevokeRole(Wire, tag="accounts.revoke-role"):
    """Take a role from an account."""

    account: bytes
    role: str


# --- coin -------------------------------------------------------------------------------------------------------------


class CoinDefine(Wire, tag="coin.define"):
    """Create a coin with the sender as issuer. `supply_max` is an amount, zero for no maximum."""

    coin: str
    decimals: int
    supply_max: bytes
    minters: tuple[bytes, ...]


class CoinMint(Wire, tag="coin.mint"):
    """Make new units; the sender must be a minter of the coin."""

    coin: str
    to: bytes
    amount: bytes


class CoinTransfer(Wire, tag="coin.transfer"):
    """Move units of the sender."""

    coin: str
    to: bytes
    amount: bytes


class CoinBurn(Wire, tag="coin.burn"):
    """Destroy units of the sender."""

    coin: str
    amount: bytes


# --- governance -------------------------------------------------------------------------------------------------------


class AddValidator(Wire, tag="add-validator"):
    """A new seat: its three keys, the proof of possession of the BLS key, its operator's account, its addresses."""

    name: str
    transport_key: bytes
    vote_key: bytes
    bls_key: bytes
    possession: bytes
    operator: bytes
    addresses: tuple[str, ...]


class RemoveValidator(Wire, tag="remove-validator"):
    """The seat with this name leaves."""

    name: str


class RotateKeys(Wire, tag="rotate-keys"):
    """The seat with this name gets other keys."""

    name: str
    transport_key: bytes
    vote_key: bytes
    bls_key: bytes
    possession: bytes


class SetParameter(Wire, tag="set-parameter"):
    """A parameter of genesis gets another value."""

    name: str
    value: int


class SetRulesVersion(Wire, tag="set-rules-version"):
    """From this height on headers carry this version of the rules; a node without it stops before."""

    version: int
    height: int


Action: TypeAlias = AddValidator | RemoveValidator | RotateKeys | SetParameter | SetRulesVersion


class GovernancePropose(Wire, tag="governance.propose"):
    """A validator's operator puts an action to the vote and votes for it."""

    action: Action


class GovernanceVote(Wire, tag="governance.vote"):
    """A validator's operator votes on a proposal by its number."""

    proposal: int
    approve: bool


Call: TypeAlias = (
    AccountsSetPolicy
    | AccountsGrantRole
    | AccountsRevokeRole
    | CoinDefine
    | CoinMint
    | CoinTransfer
    | CoinBurn
    | GovernancePropose
    | GovernanceVote
    | ClusterCall
)
