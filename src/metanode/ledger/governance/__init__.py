"""Governance: validators, parameters and the rules' version, decided by a quorum of validators' operators."""

from metanode.ledger.governance.module import GOVERNANCE
from metanode.ledger.governance.refusals import ConvictionRefusal, GovernanceRefusal
from metanode.ledger.governance.state import Proposal, read_parameters, read_rules, read_validators

__all__ = [
    "GOVERNANCE",
    "ConvictionRefusal",
    "GovernanceRefusal",
    "Proposal",
    "read_parameters",
    "read_rules",
    "read_validators",
]
