"""Work limits: never less than the ledger charges, and not much more."""

from typing import get_args

from msgspec.structs import replace
from tests.unit.records.cluster_calls import EVERY

from metanode.client.work import AUTHORIZATION, FIRST_CREDIT, TRANSACTION, call_work, work_estimate
from metanode.docklock.cluster.module import WORK_REPORT, WORK_WORKLOAD
from metanode.docklock.cluster.nodes import WORK_A_REPLICA, WORK_A_SIGHTING
from metanode.docklock.cluster.workloads import CHAIN_MAX, WORK_A_DEPENDENCY
from metanode.ledger.execution import WORK_AUTHORIZATION, WORK_TRANSACTION
from metanode.node.modules import MODULES
from metanode.records.amount import amount_bytes
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
    RemoveValidator,
)
from metanode.records.cluster import Sighting
from metanode.records.cluster_calls import ClusterApply, ClusterReport

ADDRESS, ONE = bytes(20), amount_bytes(1)
NEWCOMER = AddValidator(
    name="v", transport_key=b"", vote_key=b"", bls_key=b"", possession=b"", operator=b"", addresses=()
)
CALLS: tuple[Call, ...] = (
    AccountsSetPolicy(keys=(bytes(32),) * 3, threshold=1),
    AccountsGrantRole(account=ADDRESS, role="root"),
    AccountsRevokeRole(account=ADDRESS, role="root"),
    CoinDefine(coin="USD", decimals=2, supply_max=b"", minters=(ADDRESS,)),
    CoinMint(coin="USD", to=ADDRESS, amount=ONE),
    CoinTransfer(coin="USD", to=ADDRESS, amount=ONE),
    CoinBurn(coin="USD", amount=ONE),
    GovernancePropose(action=RemoveValidator(name="v")),
    GovernancePropose(action=NEWCOMER),
    GovernanceVote(proposal=1, approve=True),
    *EVERY,
)


def test_every_call_is_here() -> None:
    assert {type(call) for call in CALLS} == set(get_args(Call))


def test_the_limit_covers_what_the_ledger_charges_before_it_looks() -> None:
    charged = {kind: method.work for module in MODULES for kind, method in module.methods.items()}
    assert (TRANSACTION, AUTHORIZATION) == (WORK_TRANSACTION, WORK_AUTHORIZATION)
    assert [call for call in CALLS if call_work(call) < charged[type(call)]] == []


def test_a_transfer_reserves_little() -> None:
    assert work_estimate((CoinTransfer(coin="USD", to=ADDRESS, amount=ONE),), 1) == 50 + 30 + 60 + 30 + FIRST_CREDIT


def test_the_limit_covers_a_chain_of_dependencies() -> None:
    chained = next(call for call in EVERY if isinstance(call, ClusterApply))
    assert call_work(chained) >= WORK_WORKLOAD + WORK_A_DEPENDENCY * (CHAIN_MAX + 2)


def test_a_report_reserves_what_each_of_its_replicas_costs() -> None:
    report = next(call for call in EVERY if isinstance(call, ClusterReport))
    assert call_work(report) == WORK_REPORT + WORK_A_REPLICA * len(report.replicas)


def test_a_report_reserves_what_each_of_its_sightings_costs() -> None:
    report = next(call for call in EVERY if isinstance(call, ClusterReport))
    seen = tuple(
        Sighting(node="n", workload="w", index=at, attempt=1, sight="seen", statement=bytes(32)) for at in range(3)
    )
    assert call_work(replace(report, sightings=seen)) == call_work(report) + 3 * WORK_A_SIGHTING
