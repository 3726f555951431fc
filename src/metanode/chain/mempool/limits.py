"""What one operator may choose for the pool."""

from dataclasses import dataclass
from typing import Final

GOSSIP_BYTES_MAX: Final = 512 << 10
"""Most bytes of transactions in one gossip message: half of a record, so that consensus never waits long behind it."""
GOSSIP_COUNT_MAX: Final = 4_096
"""Most transactions in one gossip message: a message's work is bounded whatever its transactions' size."""
RECENT_MAX: Final = 65_536
"""Identities remembered as final, about a minute of full blocks: sending one again is answered at once."""
LOOKUPS_MAX: Final = 64
"""Proposals whose transactions are still being checked: one a round, and so many rounds are rare."""
VIEWS_MAX: Final = 65_536
"""Accounts remembered between two blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """POOL-1. `count_max`, `bytes_max`: of all that waits. `sender_max`: transactions of one sender. `checking_max`:
    transactions whose signatures are being checked. `nonces_ahead_max`: how far a nonce may be above the next one of
    its lane. `sender_share`: a block's part, one in so many, that a sender may fill before all others had a turn."""

    count_max: int = 50_000
    bytes_max: int = 64 << 20
    sender_max: int = 4_096
    checking_max: int = 20_000
    nonces_ahead_max: int = 1_024
    sender_share: int = 16
