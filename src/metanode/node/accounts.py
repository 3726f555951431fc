"""The ledger's accounts as the pool sees them."""

from collections.abc import Callable, Sequence

from metanode.ledger import AccountView, Ledger
from metanode.primitives.names import Address


class PoolAccounts:
    """Who knows the senders: the ledger of this moment (a snapshot brings another)."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger

    def account_views(self, addresses: Sequence[Address]) -> Sequence[AccountView]:
        """Senders, on the last final state."""
        return self._ledger().account_views(addresses)
