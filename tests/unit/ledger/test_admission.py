"""LEDGER-N: what may not be in a block, each refusal by name, and their order."""

from dataclasses import replace

import pytest
from tests.unit.ledger.world import STRANGER, World, address, changed, key, known, make_genesis

from metanode.ledger import AdmissionRefusal, Refused
from metanode.ledger.accounts import AuthorityRefusal
from metanode.primitives.refusal import Refusal
from metanode.records.amount import AmountRefusal
from metanode.records.block import KnownTransaction
from metanode.records.calls import CoinTransfer
from metanode.records.parameters import Parameters

PAY = CoinTransfer(coin="BPI", to=address("bob"), amount=b"\x01")


def refusal(world: World, transaction: KnownTransaction) -> Refusal | None:
    """Why a block with this transaction alone is invalid; judged as the pool would, too."""
    execution = world.execute(transaction)
    verdict = world.ledger.judge([transaction], world.block().timestamp_ms)[0]
    if not execution.refused_transactions:
        assert verdict is None
        return None
    assert execution.transactions == ()
    assert execution.receipts == ()
    assert execution.writes == {}
    reason = execution.refused_transactions[0].reason
    assert reason is AdmissionRefusal.BLOCK_FULL or (verdict is not None and verdict.reason is reason)
    return reason


CASES: list[tuple[Refusal, dict[str, object]]] = [
    (AdmissionRefusal.UNKNOWN_VERSION, {"version": 2}),
    (AdmissionRefusal.TOO_LARGE, {"calls": ()}),
    (AdmissionRefusal.TOO_LARGE, {"calls": (PAY,) * 65}),
    (AdmissionRefusal.TOO_LARGE, {"memo": "é" * 129}),
    (AdmissionRefusal.OUT_OF_RANGE, {"sender": bytes(19)}),
    (AdmissionRefusal.OUT_OF_RANGE, {"work_limit": 100_001}),
    (AdmissionRefusal.OUT_OF_RANGE, {"work_limit": -1}),
    (AdmissionRefusal.OUT_OF_RANGE, {"nonce": -1}),
    (AdmissionRefusal.WRONG_CHAIN, {"chain_id": bytes(32)}),
    (AdmissionRefusal.EXPIRED, {"expires_ms": 1_700_000_001_000}),
    (AdmissionRefusal.EXPIRED, {"expires_ms": -1}),
    (AdmissionRefusal.EXPIRES_TOO_LATE, {"expires_ms": 1_700_000_601_001}),
    (AdmissionRefusal.WRONG_LANE, {"lane": 16}),
    (AdmissionRefusal.WRONG_LANE, {"lane": -1}),
    (AdmissionRefusal.NONCE_AHEAD, {"nonce": 1}),
    (AdmissionRefusal.FEE_NOT_COVERED, {"fee": b"\x03\xe9"}),
    (AmountRefusal.NOT_MINIMAL, {"fee": b"\x00"}),
    (AmountRefusal.TOO_LARGE, {"fee": b"\x01" * 17}),
]


@pytest.mark.parametrize(("reason", "changes"), CASES)
def test_inadmissible(reason: Refusal, changes: dict[str, object]) -> None:
    world = World()
    assert refusal(world, world.transaction("alice", PAY, nonce=0)) is None
    plain = world.transaction("alice", PAY).signed.transaction
    transaction = known(changed(plain, **changes), (key("alice"),))
    assert refusal(world, transaction) is reason


def test_the_bounds_themselves_are_admitted() -> None:
    world = World()
    for changes in (
        {"calls": (PAY,) * 64},
        {"memo": "é" * 128},
        {"work_limit": 100_000},
        {"work_limit": 0},
        {"expires_ms": 1_700_000_001_001},
        {"expires_ms": 1_700_000_601_000},
        {"lane": 15},
    ):
        assert refusal(world, world.transaction("alice", PAY, **changes)) is None


def test_a_signed_version_nobody_knows() -> None:
    world = World()
    honest = world.transaction("alice", PAY)
    signed = type(honest.signed)(
        version=2, transaction=honest.signed.transaction, authorizations=honest.signed.authorizations
    )
    assert refusal(world, replace(honest, signed=signed)) is AdmissionRefusal.UNKNOWN_VERSION


def test_too_many_bytes() -> None:
    world = World(make_genesis(parameters=Parameters(transaction_bytes_max=1_024)))
    assert refusal(world, world.transaction("alice", *(PAY,) * 64)) is AdmissionRefusal.TOO_LARGE


def test_the_minimum_fee() -> None:
    world = World(make_genesis(parameters=Parameters(fee_min=5)))
    assert refusal(world, world.transaction("alice", PAY, fee=4)) is AdmissionRefusal.FEE_TOO_LOW
    assert refusal(world, world.transaction("alice", PAY, fee=5)) is None
    assert refusal(world, world.transaction("carol", PAY, fee=5)) is AdmissionRefusal.FEE_NOT_COVERED


def test_authority() -> None:
    world = World()
    plain = world.transaction("alice", PAY).signed.transaction
    two = tuple(sorted((key("alice"), key("bob"))))
    assert refusal(world, known(plain, ())) is AuthorityRefusal.NOT_THE_THRESHOLD
    assert refusal(world, known(plain, (key("bob"),))) is AuthorityRefusal.NOT_A_KEY_OF_THE_ACCOUNT
    assert refusal(world, known(plain, two)) is AuthorityRefusal.NOT_A_KEY_OF_THE_ACCOUNT
    assert refusal(world, known(plain, two[::-1])) is AuthorityRefusal.NOT_SORTED
    assert refusal(world, known(plain, (key("alice"), key("alice")))) is AuthorityRefusal.NOT_SORTED
    assert refusal(world, known(plain, (key("alice"),), kind=2)) is AuthorityRefusal.MALFORMED
    assert refusal(world, known(plain, (key("alice")[:31],))) is AuthorityRefusal.MALFORMED
    assert refusal(world, known(plain, (key("alice"),), signature=bytes(63))) is AuthorityRefusal.MALFORMED


def test_rules_are_judged_in_order() -> None:
    world = World()
    everything_wrong = {"version": 2, "chain_id": bytes(32), "expires_ms": 0, "lane": 99, "fee": 9_999}
    order: list[tuple[str, object, Refusal]] = [
        ("version", 1, AdmissionRefusal.UNKNOWN_VERSION),
        ("chain_id", world.chain_id, AdmissionRefusal.WRONG_CHAIN),
        ("signers", ("alice",), AuthorityRefusal.NOT_A_KEY_OF_THE_ACCOUNT),
        ("expires_ms", world.now_ms + 60_000, AdmissionRefusal.EXPIRED),
        ("lane", 0, AdmissionRefusal.WRONG_LANE),
        ("nonce", 0, AdmissionRefusal.NONCE_AHEAD),
        ("fee", 0, AdmissionRefusal.FEE_NOT_COVERED),
    ]
    arguments: dict[str, object] = {**everything_wrong, "nonce": 7, "signers": ("bob",)}
    for name, right, reason in order:
        assert refusal(world, world.transaction("alice", PAY, **arguments)) is reason  # type: ignore[arg-type]
        arguments[name] = right
    assert refusal(world, world.transaction("alice", PAY, **arguments)) is None  # type: ignore[arg-type]


def test_nonces_are_strict_within_a_lane_and_lanes_stand_side_by_side() -> None:
    world = World()
    first, second = (world.transaction("alice", PAY, nonce=nonce) for nonce in (0, 1))
    beside = world.transaction("alice", PAY, lane=3)
    execution = world.execute(second, first, beside, second, first)
    assert execution.transactions == (first, beside, second)
    assert [(refused.index, refused.reason) for refused in execution.refused_transactions] == [
        (0, AdmissionRefusal.NONCE_AHEAD),
        (4, AdmissionRefusal.NONCE_USED),
    ]
    world.commit(first, beside)
    view = world.ledger.account_views((address("alice"),))[0]
    assert [view.next_nonce(lane) for lane in range(5)] == [1, 0, 0, 1, 0]
    assert refusal(world, first) is AdmissionRefusal.NONCE_USED
    assert refusal(world, second) is None


def test_an_identity_occurs_once_even_with_other_signatures() -> None:
    world = World()
    once = world.transaction("alice", PAY)
    again = known(once.signed.transaction, (key("alice"),), signature=bytes(63) + b"\x01")
    execution = world.execute(once, again)
    assert execution.transactions == (once,)
    assert execution.refused_transactions[0].reason is AdmissionRefusal.NONCE_USED


def test_an_unknown_key_may_speak_for_its_own_address_only() -> None:
    world = World()
    assert refusal(world, world.transaction(STRANGER, PAY)) is None
    stolen = known(world.transaction("alice", PAY).signed.transaction, (key(STRANGER),))
    assert refusal(world, stolen) is AuthorityRefusal.NOT_A_KEY_OF_THE_ACCOUNT


@pytest.mark.parametrize(
    ("parameters", "fit"),
    [
        (Parameters(block_transactions_max=3), 3),
        (Parameters(block_work_max=10_420), 4),
        (Parameters(block_work_max=10_000), 1),
    ],
)
def test_a_block_is_full(parameters: Parameters, fit: int) -> None:
    world = World(make_genesis(parameters=parameters))
    transactions = [world.transaction("alice", PAY, nonce=nonce) for nonce in range(6)]
    execution = world.execute(*transactions)
    assert len(execution.transactions) == fit
    assert execution.refused_transactions[0] == Refused(fit, AdmissionRefusal.BLOCK_FULL, f"after {fit} transactions")
    assert all(refused.reason is AdmissionRefusal.NONCE_AHEAD for refused in execution.refused_transactions[1:])


def test_a_block_is_full_of_bytes() -> None:
    world = World(make_genesis(parameters=Parameters(block_bytes_max=65_536, transaction_bytes_max=65_536)))
    transactions = [world.transaction("alice", *(PAY,) * 64, nonce=nonce) for nonce in range(40)]
    fit = 65_536 // len(transactions[0].encoded)
    execution = world.execute(*transactions)
    assert len(execution.transactions) == fit < 40
    assert execution.refused_transactions[0].reason is AdmissionRefusal.BLOCK_FULL
