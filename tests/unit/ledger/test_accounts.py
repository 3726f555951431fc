"""Accounts: policies that never lock themselves out, roles that never run out of a root."""

import pytest
from tests.unit.ledger.world import World, address, key, known

from metanode.ledger.accounts import AccountsRefusal, AuthorityRefusal
from metanode.ledger.queries import account_details
from metanode.primitives.names import Address
from metanode.primitives.refusal import Refusal
from metanode.records.calls import AccountsGrantRole, AccountsRevokeRole, AccountsSetPolicy, Call
from metanode.records.receipt import PolicySet, RoleGranted, RoleRevoked, Status

ALICE, BOB, CAROL = (address(name) for name in ("alice", "bob", "carol"))
THREE = tuple(sorted(key(name) for name in ("alice", "bob", "carol")))
TWO_OF_THREE = AccountsSetPolicy(keys=THREE, threshold=2)
NOTHING = AccountsSetPolicy(keys=(key("alice"),), threshold=1)


def roles(world: World, who: Address) -> tuple[str, ...]:
    return account_details(world.ledger, who, 10).roles


def test_a_policy_asks_for_exactly_its_threshold() -> None:
    world = World()
    execution = world.commit(world.transaction("alice", TWO_OF_THREE))
    assert execution.receipts[0].events == (PolicySet(account=ALICE, keys=THREE, threshold=2),)
    assert execution.receipts[0].work == 50 + 60 + 100 + 3 * 50
    details = account_details(world.ledger, ALICE, 10)
    assert (details.keys, details.threshold, details.nonces) == (THREE, 2, (1,))

    def reason(*signers: str) -> Refusal | None:
        verdict = world.ledger.judge(
            [world.transaction("alice", NOTHING, signers=signers)], world.block().timestamp_ms
        )[0]
        return None if verdict is None else verdict.reason

    assert reason("alice") is AuthorityRefusal.NOT_THE_THRESHOLD
    assert reason("alice", "bob", "carol") is AuthorityRefusal.NOT_THE_THRESHOLD
    assert reason("alice", "stranger") is AuthorityRefusal.NOT_A_KEY_OF_THE_ACCOUNT
    assert reason("bob", "carol") is None
    world.commit(world.transaction("alice", NOTHING, signers=("bob", "carol")))
    assert reason("alice") is None


def test_a_policy_counts_from_the_next_transaction_of_the_same_block() -> None:
    world = World()
    change = world.transaction("alice", TWO_OF_THREE)
    old_way = known(world.transaction("alice", NOTHING, nonce=1).signed.transaction, (key("alice"),))
    execution = world.execute(change, old_way)
    assert execution.refused_transactions[0].reason is AuthorityRefusal.NOT_THE_THRESHOLD


FAILURES: list[tuple[Refusal, str, Call]] = [
    (AccountsRefusal.BAD_KEYS, "alice", AccountsSetPolicy(keys=(), threshold=0)),
    (AccountsRefusal.BAD_KEYS, "alice", AccountsSetPolicy(keys=THREE[::-1], threshold=1)),
    (AccountsRefusal.BAD_KEYS, "alice", AccountsSetPolicy(keys=(THREE[0], THREE[0]), threshold=1)),
    (AccountsRefusal.BAD_KEYS, "alice", AccountsSetPolicy(keys=(bytes(31),), threshold=1)),
    (AccountsRefusal.BAD_KEYS, "alice", AccountsSetPolicy(keys=(bytes(32),), threshold=1)),
    (
        AccountsRefusal.BAD_KEYS,
        "alice",
        AccountsSetPolicy(keys=tuple(bytes(31) + bytes([n]) for n in range(17)), threshold=1),
    ),
    (AccountsRefusal.NOBODY_COULD_SIGN, "alice", AccountsSetPolicy(keys=THREE, threshold=4)),
    (AccountsRefusal.NOBODY_COULD_SIGN, "alice", AccountsSetPolicy(keys=THREE, threshold=0)),
    (AccountsRefusal.NOBODY_COULD_SIGN, "alice", AccountsSetPolicy(keys=THREE, threshold=-1)),
    (AccountsRefusal.NOT_ROOT, "bob", AccountsGrantRole(account=BOB, role="root")),
    (AccountsRefusal.NOT_ROOT, "bob", AccountsRevokeRole(account=ALICE, role="root")),
    (AccountsRefusal.BAD_ROLE, "alice", AccountsGrantRole(account=BOB, role="Root")),
    (AccountsRefusal.BAD_ROLE, "alice", AccountsGrantRole(account=BOB, role="r" * 33)),
    (AccountsRefusal.BAD_ROLE, "alice", AccountsRevokeRole(account=BOB, role="")),
    (AccountsRefusal.WRONG_ADDRESS, "alice", AccountsGrantRole(account=BOB[:5], role="auditor")),
    (AccountsRefusal.WRONG_ADDRESS, "alice", AccountsRevokeRole(account=b"", role="auditor")),
    (AccountsRefusal.HAS_ROLE, "alice", AccountsGrantRole(account=ALICE, role="root")),
    (AccountsRefusal.LACKS_ROLE, "alice", AccountsRevokeRole(account=BOB, role="auditor")),
    (AccountsRefusal.LACKS_ROLE, "bob", AccountsRevokeRole(account=BOB, role="auditor")),
    (AccountsRefusal.LAST_ROOT, "alice", AccountsRevokeRole(account=ALICE, role="root")),
]


@pytest.mark.parametrize(("reason", "sender", "call"), FAILURES)
def test_a_refused_call(reason: Refusal, sender: str, call: Call) -> None:
    world = World()
    execution = world.commit(world.transaction(sender, call))
    assert (execution.receipts[0].status, execution.receipts[0].code) == (Status.FAILED, reason.value)
    assert len(execution.writes) == 1, "the nonce"


def test_roles_are_given_taken_and_laid_down() -> None:
    world = World()
    grant = AccountsGrantRole(account=BOB, role="root")
    assert world.commit(world.transaction("alice", grant)).receipts[0].events == (
        RoleGranted(account=BOB, role="root"),
    )
    assert roles(world, BOB) == ("root",)
    lay_down = AccountsRevokeRole(account=ALICE, role="root")
    assert world.commit(world.transaction("alice", lay_down)).receipts[0].events == (
        RoleRevoked(account=ALICE, role="root"),
    )
    assert roles(world, ALICE) == ()
    last = AccountsRevokeRole(account=BOB, role="root")
    assert world.commit(world.transaction("bob", last)).receipts[0].code == AccountsRefusal.LAST_ROOT.value
    world.commit(world.transaction("bob", AccountsGrantRole(account=CAROL, role="auditor")))
    world.commit(world.transaction("carol", AccountsRevokeRole(account=CAROL, role="auditor")))
    assert roles(world, CAROL) == ()
