"""Governance: validators, parameters and the rules' version, decided by a quorum of validators' operators."""

from metanode.ledger.governance.module import GOVERNANCE
from metanode.ledger.governance.refusals import ConvictionRefusal, GovernanceRefusal
from metanode.ledger.governance.state import CONVICTION, Proposal, read_parameters, read_rules, read_validators

__all__ = [
    "CONVICTION",
    "GOVERNANCE",
    "ConvictionRefusal",
    "GovernanceRefusal",
    "Proposal",
    "read_parameters",
    "read_rules",
    "read_validators",
]
