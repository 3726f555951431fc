"""The ledger's accounts as the pool sees them."""

from collections.abc import Callable

from metanode.ledger import AccountView, Ledger
from metanode.ledger.accounts import check_authority
from metanode.primitives.names import Address
from metanode.records.transaction import Authorization


class PooledAccount:
    """One sender, on the last final state."""

    def __init__(self, view: AccountView) -> None:
        self._view = view

    @property
    def spendable(self) -> int:
        """Units of the fee coin it holds."""
        return self._view.spendable

    @property
    def policy(self) -> object:
        """Keys and threshold."""
        account = self._view.account
        return account.keys, account.threshold

    def next_nonce(self, lane: int) -> int:
        """The nonce due in a lane."""
        return self._view.next_nonce(lane)

    def check_authority(self, authorizations: tuple[Authorization, ...]) -> None:
        """Whether these speak for the account. Raises `Rejected`."""
        check_authority(self._view.account, self._view.address, authorizations)


class PoolAccounts:
    """Who knows the senders: the ledger of this moment (a snapshot brings another)."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger

    def account_view(self, address: Address) -> PooledAccount:
        """A sender, on the last final state."""
        return PooledAccount(self._ledger().account_view(address))
