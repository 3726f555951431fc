"""Names and keys of accounts on this side: what a name means, and which key signs for it."""

import os
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.local_network import ACCOUNTS
from metanode.cli.bpi.trust import TrustedGenesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.client import Client
from metanode.host.keys import (
    DEVELOPMENT_MARK,
    DEVELOPMENT_PASSWORD,
    PASSWORD_FILE_VARIABLE,
    PASSWORD_VARIABLE,
    Account,
    find_password,
    list_accounts,
    load_account,
)
from metanode.primitives import ed25519
from metanode.records.address import PREFIX, address_of_key, read_address

DEFAULT_ACCOUNT = "acme"
"""Signs where nobody is named and the folder holds several keys: an account of every development network."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An unlocked key and the account it speaks for."""

    name: str
    address: bytes
    key: ed25519.SigningKey
    is_development: bool


def accounts_folder(session: Session) -> Path:
    """Where account keys are kept."""
    return session.data / ACCOUNTS


def is_development_key(account: Account) -> bool:
    """Whether everybody could make this key, or it opens with a password everybody knows."""
    return account.file.label.startswith(DEVELOPMENT_MARK)


class Names:
    """What names mean: first the keys of this folder and the trusted genesis, and only without one the node's word."""

    def __init__(self, session: Session, trusted: TrustedGenesis | None, client: Client) -> None:
        self._folder = accounts_folder(session)
        self._session = session
        self._client = client
        self._own = {account.name: account for account in list_accounts(self._folder)}
        self._genesis = {a.name: a.address for a in trusted.genesis.accounts} if trusted else None

    def _known(self) -> dict[str, bytes]:
        if self._genesis is None:
            view = self._client.node.genesis()
            self._genesis = {account.name: read_address(account.address) for account in view.accounts}
        own = {name: bytes(address_of_key(account.file.public_key)) for name, account in self._own.items()}
        return {**self._genesis, **own}

    def by_address(self) -> dict[bytes, str]:
        """Names for showing, of the trusted genesis and of own keys."""
        own = {bytes(address_of_key(account.file.public_key)): name for name, account in self._own.items()}
        return {**{address: name for name, address in (self._genesis or {}).items()}, **own}

    def address(self, text: str) -> bytes:
        """The address of a name, or of the text of an address. Raises `Failure` or `Rejected`."""
        if text.startswith(f"{PREFIX}1"):
            return read_address(text)
        known = self._known()
        if text not in known:
            near = get_close_matches(text, known, n=3)
            fix = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known)[:8])}"
            raise Failure(CliRefusal.UNKNOWN_ACCOUNT, ExitStatus.NOT_FOUND, f"no account {text!r}", fix=fix)
        return known[text]

    @property
    def default(self) -> str:
        """The account that is meant where none is named: the configured one, the only one here, or acme."""
        return _default(self._session, self._own)

    def default_address(self) -> bytes:
        """Its address. Raises `Failure`."""
        return self.address(self.default)

    def signer(self, name: str = "") -> Signer:
        """The unlocked key of this account, of the default one where none is named. Raises `Failure`, `Fault`."""
        return _unlocked(self._folder, self._own, name or self.default)


def own_signer(session: Session, name: str = "") -> Signer:
    """The same where no node is asked. Raises `Failure`, `Fault`."""
    folder = accounts_folder(session)
    own = {account.name: account for account in list_accounts(folder)}
    return _unlocked(folder, own, name or _default(session, own))


def _default(session: Session, own: dict[str, Account]) -> str:
    return session.setting("account") or (next(iter(own)) if len(own) == 1 else DEFAULT_ACCOUNT)


def _unlocked(folder: Path, own: dict[str, Account], name: str) -> Signer:
    if name not in own:
        near = get_close_matches(name, own, n=3)
        there = " or ".join(near) if near else ", ".join(list(own)[:4]) or "none is here"
        message = f"no key of account {name!r} in {folder}"
        fix = f"--account names one: {there}; bpi account create makes one"
        raise Failure(CliRefusal.UNKNOWN_ACCOUNT, ExitStatus.NOT_FOUND, message, fix=fix)
    account = own[name]
    seed = load_account(folder, name, password_of(account))
    return Signer(name, address_of_key(account.file.public_key), ed25519.SigningKey(seed), is_development_key(account))


def password_of(account: Account) -> str:
    """The password of a key file: known for development keys, else of the environment, else asked on a terminal."""
    if is_development_key(account):
        return DEVELOPMENT_PASSWORD
    return ask_password(f"Password of {account.name}")


def ask_password(prompt: str, *, twice: bool = False) -> str:
    """Of the environment's file or text, else asked on the terminal. Raises `Fault` where nobody can be asked."""
    named = PASSWORD_VARIABLE in os.environ or PASSWORD_FILE_VARIABLE in os.environ
    if named or not sys.stdin.isatty():
        return find_password("", os.environ)
    import click

    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))
