"""The state at height 0, out of a genesis."""

from collections.abc import Iterable

from metanode.ledger.accounts import ACCOUNTS
from metanode.ledger.coin import COIN
from metanode.ledger.governance import GOVERNANCE
from metanode.ledger.module import Module
from metanode.ledger.view import View
from metanode.records.genesis import Genesis

MODULES: tuple[Module, ...] = (ACCOUNTS, COIN, GOVERNANCE)
"""The modules of this floor, in the order genesis pins and their end-of-block steps are run; others stand on them."""


def _nothing_yet(_key: bytes) -> None:
    """Before genesis no key has a value."""


def genesis_state(genesis: Genesis, modules: Iterable[Module]) -> dict[bytes, bytes]:
    """LEDGER-G1. Raw keys and values of height 0, to be stored before the ledger is opened. Raises `Rejected`."""
    view = View(_nothing_yet)
    for module in modules:
        module.genesis(genesis, view)
    return {key: value for key, value in view.writes().items() if value is not None}
