"""The rules of QBFT as an executable specification: what a seat may say, what it must say, what it may call final.

Written from the numbered rules (docs/protocol/ibft.md), by nothing but the messages, events and effects at the engine's
door. A `Witness` runs beside one machine and raises `Difference` where the two do not agree.
"""

from metanode.sim.oracle.jury import Jury
from metanode.sim.oracle.witness import Difference, Witness

__all__ = ["Difference", "Jury", "Witness"]
