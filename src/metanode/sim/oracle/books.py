"""At every block boundary: no value comes or goes, and all who are at one height hold one state, that of the header."""

from hashlib import sha256
from typing import Final

from metanode.ledger.queries import coin_details, holders_after
from metanode.ledger.state import build_tree
from metanode.node.effects import PublishFinal
from metanode.node.rows import STATE
from metanode.node.storage import Rows, StateRows
from metanode.records.header import read_header
from metanode.sim.oracle.witness import Difference

HOLDERS_MAX: Final = 1_000
"""Pretend chains have fewer accounts."""


class Books:
    """What each height's state is, by the first who got there. `total`: all that was there at genesis, of `coin`."""

    def __init__(self, coin: str, total: int) -> None:
        self._coin: Final = coin
        self._total: Final = total
        self._states: Final[dict[int, bytes]] = {}

    def close(self, name: str, rows: Rows, final: PublishFinal) -> None:
        """A node has written the state of a block and calls it final. Raises `Difference`."""
        digest = sha256()
        for key, value in rows.scan(STATE):
            digest.update(len(key).to_bytes(4, "big") + key + value)
        known = self._states.get(final.height)
        if known is None:
            self._states[final.height] = digest.digest()
            self._audit(name, StateRows(rows), final)
        elif known != digest.digest():
            raise Difference(f"{name} at height {final.height}: STATE-3: holds another state than those before it")

    def _audit(self, name: str, state: StateRows, final: PublishFinal) -> None:
        place = f"{name} at height {final.height}"
        held = sum(holding.amount for holding in holders_after(state, self._coin, b"", HOLDERS_MAX).holders)
        coin = coin_details(state, self._coin)
        supply = coin.supply if coin is not None else 0
        if (held, supply) != (self._total, self._total):
            raise Difference(f"{place}: LEDGER-C2: {held} in accounts, {supply} as supply, of {self._total}")
        if build_tree(state.scan()).root != read_header(final.header).state_root:
            raise Difference(f"{place}: STATE-3: the state it holds has another root than the header says")
