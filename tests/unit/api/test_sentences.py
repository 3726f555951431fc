"""One sentence for everything that can be signed."""

from typing import get_args

import pytest
from tests.unit.records.cluster_calls import EVERY

from metanode.api.sentences import Glossary, action_sentence, call_sentence, transaction_sentence
from metanode.records.address import show_address
from metanode.records.calls import (
    AccountsGrantRole,
    AccountsRevokeRole,
    AccountsSetPolicy,
    Action,
    AddValidator,
    Call,
    CoinBurn,
    CoinDefine,
    CoinMint,
    CoinTransfer,
    GovernancePropose,
    GovernanceVote,
    RemoveValidator,
    RotateKeys,
    SetParameter,
    SetRulesVersion,
)
from metanode.records.transaction import Transaction

ALICE, BOB, STRANGER = b"\x01" * 20, b"\x02" * 20, b"\x03" * 20
GLOSSARY = Glossary({ALICE: "alice", BOB: "bob"}, {"BPI": 2, "GOLD": 0}.get, "BPI")

ACTIONS: list[tuple[Action, str]] = [
    (
        AddValidator(
            name="v", transport_key=b"", vote_key=b"", bls_key=b"", possession=b"", operator=BOB, addresses=()
        ),
        "add validator v, operated by bob",
    ),
    (RemoveValidator(name="v"), "remove validator v"),
    (
        RotateKeys(name="v", transport_key=b"", vote_key=b"", bls_key=b"", possession=b""),
        "give validator v other keys",
    ),
    (SetParameter(name="fee_min", value=3), "set parameter fee_min to 3"),
    (SetRulesVersion(version=2, height=900), "follow version 2 of the rules from height 900 on"),
]
CALLS: list[tuple[Call, str]] = [
    (AccountsSetPolicy(keys=(b"a", b"b", b"c"), threshold=2), "lets 2 of 3 keys speak for the account from now on"),
    (AccountsGrantRole(account=BOB, role="auditor"), "gives bob the role auditor"),
    (AccountsRevokeRole(account=STRANGER, role="auditor"), f"takes the role auditor from {show_address(STRANGER)}"),
    (
        CoinDefine(coin="EUR", decimals=2, supply_max=b"\x03\xe8", minters=(ALICE, BOB)),
        "defines the coin EUR with 2 decimals, at most 10.00 EUR, to be minted by alice, bob",
    ),
    (
        CoinDefine(coin="EUR", decimals=1 << 60, supply_max=b"", minters=()),
        f"defines the coin EUR with {1 << 60} decimals, without a maximum, to be minted by nobody",
    ),
    (CoinMint(coin="GOLD", to=BOB, amount=b"\x07"), "mints 7 GOLD for bob"),
    (CoinTransfer(coin="BPI", to=BOB, amount=b"\x01\xa4"), "transfers 4.20 BPI to bob"),
    (CoinTransfer(coin="TIN", to=b"\x01", amount=b"\x05"), "transfers 5 units of TIN to the malformed address 01"),
    (CoinTransfer(coin="BPI", to=b"", amount=b"\x05"), "transfers 0.05 BPI to the malformed address of no bytes"),
    (CoinBurn(coin="BPI", amount=b"\x01" * 17), "burns a malformed amount of BPI"),
    (
        GovernancePropose(action=SetParameter(name="fee_min", value=3)),
        "proposes to set parameter fee_min to 3",
    ),
    (GovernanceVote(proposal=4, approve=True), "votes for proposal 4"),
    (GovernanceVote(proposal=4, approve=False), "votes against proposal 4"),
    *zip(
        EVERY,
        (
            (
                "creates the cluster shop, operated by bob, commands in containers by nobody else, listed images "
                "signed by 1 of 1 keys, spread placement, nodes lost after 5000 ms, quotas: bob at most 4000 "
                "millicores, 65536 KiB, 8 replicas"
            ),
            (
                "sets up the cluster shop anew: operated by the owner alone, commands in containers by bob, any "
                "images, spread placement, nodes lost after 5000 ms"
            ),
            "joins the cluster shop as node-1 with 4000 millicores, 4194304 KiB and oci, sandbox on x86_64",
            "admits bob to the cluster shop as node-1, with zone=a and the taints gpu=yes:no-schedule",
            "moves everything away from node-1 in the cluster shop",
            f"admits image sha256:{'07' * 32} in the cluster shop",
            f"hands in 1 signatures of image sha256:{'07' * 32} to the cluster shop",
            (
                "runs in the cluster shop the service web: 3 replicas of the node's own /usr, 500 millicores and "
                f"65536 KiB each, priority 100, by specification sha256:{'01' * 32}"
            ),
            "scales web in the cluster shop to 6 replicas",
            "leads web in the cluster shop back to the revision before",
            "restarts web in the cluster shop",
            "reports number 9 of node-1 in the cluster shop: 1 replicas changed, 2 receipts",
        ),
        strict=True,
    ),
]


@pytest.mark.parametrize(("action", "sentence"), ACTIONS)
def test_actions(action: Action, sentence: str) -> None:
    assert action_sentence(action, GLOSSARY) == sentence


@pytest.mark.parametrize(("call", "sentence"), CALLS)
def test_calls(call: Call, sentence: str) -> None:
    assert call_sentence(call, GLOSSARY) == sentence


def test_every_call_and_action_has_its_sentence_here() -> None:
    assert {type(call) for call, _ in CALLS} == set(get_args(Call))
    assert {type(action) for action, _ in ACTIONS} == set(get_args(Action))


def transaction(*calls: Call, fee: bytes = b"", memo: str = "") -> Transaction:
    return Transaction(
        version=1,
        chain_id=bytes(32),
        sender=ALICE,
        lane=0,
        nonce=0,
        expires_ms=1,
        fee=fee,
        work_limit=1,
        calls=calls,
        memo=memo,
    )


def test_a_transaction_is_said_whole() -> None:
    calls = (CoinTransfer(coin="BPI", to=BOB, amount=b"\x01\xa4"), CoinBurn(coin="GOLD", amount=b"\x01"))
    assert transaction_sentence(transaction(*calls, fee=b"\x03", memo="a\nb"), GLOSSARY) == (
        "alice transfers 4.20 BPI to bob; burns 1 GOLD, for a fee of 0.03 BPI, with the memo 'a\\nb'"
    )
    assert transaction_sentence(transaction(), GLOSSARY) == "alice asks for nothing"


def test_without_a_glossary_it_is_as_on_the_wire() -> None:
    calls = (CoinTransfer(coin="BPI", to=BOB, amount=b"\x01\xa4"),)
    assert transaction_sentence(transaction(*calls, fee=b"\x03"), Glossary()) == (
        f"{show_address(ALICE)} transfers 420 units of BPI to {show_address(BOB)}, for a fee of 3 units of the fee coin"
    )
