"""The modules of the state, as genesis pins them: those of the ledger, and the cluster, which stands on it."""

from typing import Final

from metanode.docklock.cluster import CLUSTER
from metanode.ledger import MODULES as OWN
from metanode.ledger import Module

MODULES: Final[tuple[Module, ...]] = (*OWN, CLUSTER)
"""LEDGER-M1. In the order in which their end-of-block steps run."""
