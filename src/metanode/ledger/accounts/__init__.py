"""Accounts: addresses, lanes of nonces, keys and thresholds, roles."""

from metanode.ledger.accounts.module import ACCOUNTS
from metanode.ledger.accounts.rules import AccountsRefusal, AuthorityRefusal, check_authority
from metanode.ledger.accounts.state import ROLE_ROOT, Account, account_key

__all__ = ["ACCOUNTS", "ROLE_ROOT", "Account", "AccountsRefusal", "AuthorityRefusal", "account_key", "check_authority"]
