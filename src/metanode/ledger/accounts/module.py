"""The module `accounts`: policies and roles."""

from typing import Final

from metanode.ledger.accounts.rules import AccountsRefusal, check_address, check_policy, check_role
from metanode.ledger.accounts.state import (
    ROLE_ROOT,
    Account,
    has_role,
    read_account,
    role_holders,
    set_role,
    write_account,
)
from metanode.ledger.frame import Frame
from metanode.ledger.module import Method, Module
from metanode.ledger.view import View
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.calls import AccountsGrantRole, AccountsRevokeRole, AccountsSetPolicy
from metanode.records.genesis import Genesis
from metanode.records.receipt import PolicySet, RoleGranted, RoleRevoked

WORK_SET_POLICY: Final = 100
"""Replacing a policy."""
WORK_KEY: Final = 50
"""Checking that one key could sign."""
WORK_ROLE: Final = 60
"""Giving or taking a role: two or three keys of the state."""


def set_policy(call: AccountsSetPolicy, frame: Frame) -> None:
    """LEDGER-A4. Other keys and threshold for the sender, by the old policy's quorum, never locking it out."""
    check_policy(call.keys, call.threshold)
    frame.charge(WORK_KEY * len(call.keys))
    for key in call.keys:
        if not frame.block.mathematics.is_account_key(key):
            raise Rejected(AccountsRefusal.BAD_KEYS, f"{key.hex()} could never sign")
    account = read_account(frame.view, frame.sender)
    changed = Account(nonces=account.nonces, keys=call.keys, threshold=call.threshold)
    write_account(frame.view, frame.sender, changed)
    frame.events.append(PolicySet(account=frame.sender, keys=call.keys, threshold=call.threshold))


def grant_role(call: AccountsGrantRole, frame: Frame) -> None:
    """LEDGER-A5. A holder of `root` gives an account a role it lacks."""
    check_address(call.account)
    check_role(call.role)
    if not has_role(frame.view, frame.sender, ROLE_ROOT):
        raise Rejected(AccountsRefusal.NOT_ROOT, "only the role root gives roles")
    if has_role(frame.view, call.account, call.role):
        raise Rejected(AccountsRefusal.HAS_ROLE, call.role)
    set_role(frame.view, call.account, call.role, held=True)
    frame.events.append(RoleGranted(account=call.account, role=call.role))


def revoke_role(call: AccountsRevokeRole, frame: Frame) -> None:
    """LEDGER-A5. A holder of `root`, or the account itself, gives a role up; the last `root` stays."""
    check_address(call.account)
    check_role(call.role)
    if call.account != frame.sender and not has_role(frame.view, frame.sender, ROLE_ROOT):
        raise Rejected(AccountsRefusal.NOT_ROOT, "only the role root takes roles")
    if not has_role(frame.view, call.account, call.role):
        raise Rejected(AccountsRefusal.LACKS_ROLE, call.role)
    if call.role == ROLE_ROOT and role_holders(frame.view, ROLE_ROOT) == 1:
        raise Rejected(AccountsRefusal.LAST_ROOT, "grant root to another account first")
    set_role(frame.view, call.account, call.role, held=False)
    frame.events.append(RoleRevoked(account=call.account, role=call.role))


def genesis_accounts(genesis: Genesis, view: View) -> None:
    """LEDGER-G1. The accounts of genesis, their policies and roles. Raises `Rejected`."""
    for entry in genesis.accounts:
        check_address(entry.address)
        check_policy(entry.keys, entry.threshold)
        plain = entry.threshold == 1 and len(entry.keys) == 1 and address_of_key(entry.keys[0]) == entry.address
        account = Account(nonces=(), keys=() if plain else entry.keys, threshold=0 if plain else entry.threshold)
        write_account(view, entry.address, account)
        for role in entry.roles:
            check_role(role)
            if has_role(view, entry.address, role):
                raise Rejected(AccountsRefusal.HAS_ROLE, f"{entry.name!r} twice {role!r}")
            set_role(view, entry.address, role, held=True)


ACCOUNTS: Final = Module(
    name="accounts",
    methods={
        AccountsSetPolicy: Method(WORK_SET_POLICY, set_policy),
        AccountsGrantRole: Method(WORK_ROLE, grant_role),
        AccountsRevokeRole: Method(WORK_ROLE, revoke_role),
    },
    genesis=genesis_accounts,
)
"""Policies and roles of accounts."""
