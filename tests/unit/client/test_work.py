"""Work limits: never less than the ledger charges, and not much more."""

from typing import get_args

from metanode.client.work import AUTHORIZATION, FIRST_CREDIT, TRANSACTION, call_work, work_estimate
from metanode.ledger.execution import WORK_AUTHORIZATION, WORK_TRANSACTION
from metanode.ledger.genesis import MODULES
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
)


def test_every_call_is_here() -> None:
    assert {type(call) for call in CALLS} == set(get_args(Call))


def test_the_limit_covers_what_the_ledger_charges_before_it_looks() -> None:
    charged = {kind: method.work for module in MODULES for kind, method in module.methods.items()}
    assert (TRANSACTION, AUTHORIZATION) == (WORK_TRANSACTION, WORK_AUTHORIZATION)
    assert [call for call in CALLS if call_work(call) < charged[type(call)]] == []


def test_a_transfer_reserves_little() -> None:
    assert work_estimate((CoinTransfer(coin="USD", to=ADDRESS, amount=ONE),), 1) == 50 + 30 + 60 + 30 + FIRST_CREDIT
