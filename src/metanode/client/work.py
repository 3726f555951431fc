"""What a transaction may cost at most: its work limit, so that it does not reserve more of a block than it needs."""

from collections.abc import Sequence
from typing import Final, assert_never

from metanode.records.calls import (
    AccountsGrantRole,
    AccountsRevokeRole,
    AccountsSetPolicy,
    AddValidator,
    Call,
    CoinBurn,
    CoinDefine,
    CoinMint,
    CoinTransfer,
    GovernancePropose,
    GovernanceVote,
    RotateKeys,
)
from metanode.records.cluster_calls import (
    ClusterAdmit,
    ClusterAdmitImage,
    ClusterApply,
    ClusterConfigure,
    ClusterControl,
    ClusterCreate,
    ClusterJoin,
    ClusterMark,
    ClusterReport,
    ClusterRollBack,
    ClusterScale,
    ClusterSignImage,
)
from metanode.records.image_policy import POLICY_KEYS_MAX

TRANSACTION: Final = 50
"""Admission, account, receipt."""
AUTHORIZATION: Final = 60
"""One signature to verify."""
FIRST_CREDIT: Final = 30
"""An account that a credit may create."""
DEPENDENCIES_FOLLOWED: Final = 30 * 66
"""Workloads looked at for a circle of dependencies, at most."""


def call_work(call: Call) -> int:
    """LEDGER-W1. The most one call costs."""
    match call:
        case CoinTransfer():
            return 30 + FIRST_CREDIT
        case CoinMint():
            return 50 + FIRST_CREDIT
        case CoinBurn():
            return 50
        case CoinDefine():
            return 200
        case AccountsSetPolicy(keys=keys):
            return 100 + 50 * len(keys)
        case AccountsGrantRole() | AccountsRevokeRole():
            return 60 + FIRST_CREDIT
        case GovernancePropose(action=AddValidator() | RotateKeys()):
            return 3_300
        case GovernancePropose():
            return 300
        case GovernanceVote():
            return 200
        case ClusterReport(replicas=replicas, sightings=sightings):
            return 120 + 40 * len(replicas) + 80 * len(sightings)
        case ClusterApply(terms=terms):
            signed = AUTHORIZATION * POLICY_KEYS_MAX if terms.demand.image else 0
            return 400 + 60 * len(terms.dependencies) + DEPENDENCIES_FOLLOWED + signed
        case (
            ClusterControl()
            | ClusterCreate()
            | ClusterJoin()
            | ClusterAdmit()
            | ClusterMark()
            | ClusterScale()
            | ClusterRollBack()
        ):
            return 400
        case ClusterSignImage(signatures=signatures):
            return 200 + AUTHORIZATION * POLICY_KEYS_MAX * (len(signatures) + POLICY_KEYS_MAX)
        case ClusterConfigure() | ClusterAdmitImage():
            return 200
        case _:
            assert_never(call)


def work_estimate(calls: Sequence[Call], signatures: int) -> int:
    """LEDGER-W1. The work limit of a transaction with these calls: enough whatever the state is, and no more."""
    return TRANSACTION + FIRST_CREDIT + AUTHORIZATION * signatures + sum(call_work(call) for call in calls)
