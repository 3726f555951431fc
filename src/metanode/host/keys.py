"""Keys on the disk: the three of a validator, and those of accounts. A password opens them; nothing prints them."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from metanode.host.disk import Disk, read_file, write_durably
from metanode.host.fault import Fault, FaultReason, disk_fault
from metanode.primitives import bls, ed25519
from metanode.primitives.bls_derivation import derive_master
from metanode.primitives.keystore import (
    KEYSTORE_BYTES_MAX,
    AccountFile,
    Argon2Cost,
    KeystoreRefusal,
    Pbkdf2Cost,
    ScryptCost,
    ValidatorFile,
    decrypt_account,
    decrypt_validator,
    encrypt_account,
    encrypt_validator,
    read_account,
)
from metanode.primitives.refusal import Rejected

DEVELOPMENT_MARK: Final = "DEVELOPMENT ONLY"
"""What the description of a development key begins with; such a key is refused on any other chain."""
DEVELOPMENT_PASSWORD: Final = "development"  # noqa: S105
"""Of development keys, which everybody can make: it protects nothing, it only keeps one path through the code."""
PASSWORD_VARIABLE: Final = "METANODE_KEY_PASSWORD"  # noqa: S105
"""Environment variable with the password itself."""
PASSWORD_FILE_VARIABLE: Final = "METANODE_KEY_PASSWORD_FILE"  # noqa: S105
"""Environment variable with the path of a file with the password."""
PASSWORD_BYTES_MAX: Final = 4096
"""A password file is one line."""
ACCOUNTS_MAX: Final = 10_000
"""Key files listed of one folder."""
_DEVELOPMENT_ARGON: Final = Argon2Cost(memory_kib=64, passes=1, lanes=1)
_DEVELOPMENT_PBKDF: Final = Pbkdf2Cost(c=1)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_TRANSPORT, _VOTE, _BLS = "transport.json", "vote.json", "bls.json"
_NAMES: Final = (_TRANSPORT, _VOTE, _BLS)


@dataclass(frozen=True, slots=True)
class ValidatorSecrets:
    """The three secrets of a validator, 32 bytes each. Shows none of them when printed."""

    transport: bytes = field(repr=False)
    vote: bytes = field(repr=False)
    bls: bytes = field(repr=False)
    is_development: bool

    @property
    def public(self) -> "ValidatorPublic":
        """What goes into genesis."""
        return ValidatorPublic(
            ed25519.public_key(self.transport),
            ed25519.public_key(self.vote),
            bls.public_key(self.bls),
            bls.prove_possession(self.bls),
        )


@dataclass(frozen=True, slots=True)
class ValidatorPublic:
    """The public side: transport key and vote key (32 bytes), BLS key (48) and the proof that we hold it (96)."""

    transport_key: bytes
    vote_key: bytes
    bls_key: bytes
    possession: bytes


def fresh_secrets(random: Callable[[int], bytes]) -> ValidatorSecrets:
    """New keys from 32 random bytes each; the BLS key by EIP-2333."""
    return ValidatorSecrets(random(32), random(32), derive_master(random(32)), is_development=False)


def development_secrets(name: str) -> ValidatorSecrets:
    """Keys that everybody can make from a name: for a laptop, never for value."""
    made = [sha256(f"metanode development key {kind} of {name}".encode()).digest() for kind in _NAMES]
    return ValidatorSecrets(made[0], made[1], derive_master(made[2]), is_development=True)


def write_validator_keys(
    folder: Path, secrets: ValidatorSecrets, password: str, random: Callable[[int], bytes], disk: Disk
) -> None:
    """Three key files: the BLS key as EIP-2335, the Ed25519 keys under Argon2id. Raises `Fault`, also where one
    of them is there already: a key written over is a key lost."""
    for name in _NAMES:
        if (folder / name).exists():
            fix = "use these keys, or move them aside where nobody will delete them"
            raise Fault(FaultReason.KEY_EXISTS, f"{folder / name} exists", fix)
    mark = f"{DEVELOPMENT_MARK}: " if secrets.is_development else ""
    argon = _DEVELOPMENT_ARGON if secrets.is_development else Argon2Cost()
    cost = _DEVELOPMENT_PBKDF if secrets.is_development else ScryptCost()
    disk.make_folder(folder)
    for name, seed, kind in ((_TRANSPORT, secrets.transport, "transport"), (_VOTE, secrets.vote, "vote")):
        label = f"{mark}{kind} key of a validator"
        text = encrypt_account(seed, password, label=label, salt=random(32), nonce=random(12), cost=argon)
        write_durably(disk, folder / name, text)
    file = ValidatorFile(
        random(32), random(16), str(UUID(bytes=random(16), version=4)), description=f"{mark}BLS key of a validator"
    )
    write_durably(disk, folder / _BLS, encrypt_validator(secrets.bls, password, file, cost))


def load_validator_keys(folder: Path, password: str, *, development: bool) -> ValidatorSecrets:
    """The secrets of the three files. `development`: what genesis says; development keys are refused where it
    does not. Raises `Fault` naming the file."""
    texts = {name: _read_validator_key(folder / name) for name in _NAMES}
    marked = [name for name, text in texts.items() if f'"{DEVELOPMENT_MARK}'.encode() in text]
    if marked and not development:
        fix = "make real keys with `bpi node init`, or mark the chain as a development chain in genesis"
        detail = f"{folder / marked[0]} holds a development key, which everybody can make"
        raise Fault(FaultReason.KEY_DEVELOPMENT_ONLY, detail, fix)
    transport = _opened(folder / _TRANSPORT, lambda: decrypt_account(texts[_TRANSPORT], password))
    vote = _opened(folder / _VOTE, lambda: decrypt_account(texts[_VOTE], password))
    bls_secret = _opened(folder / _BLS, lambda: decrypt_validator(texts[_BLS], password))
    return ValidatorSecrets(transport, vote, bls_secret, is_development=bool(marked))


def find_password(password_file: str, environment: Mapping[str, str]) -> str:
    """The password: of the file the settings name, else of the file or the text the environment names. Never an
    argument of a command, which every user of the machine can read. Raises `Fault`."""
    path = password_file or environment.get(PASSWORD_FILE_VARIABLE, "")
    if path:
        data = read_file(Path(path), PASSWORD_BYTES_MAX)
        try:
            return data[:PASSWORD_BYTES_MAX].decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            fix = "write the password as one line of UTF-8"
            raise Fault(FaultReason.KEY_FILE_UNREADABLE, f"{path} is not text", fix) from error
    if PASSWORD_VARIABLE in environment:
        return environment[PASSWORD_VARIABLE]
    fix = f"set keys.password_file in node.toml, or {PASSWORD_FILE_VARIABLE}, or {PASSWORD_VARIABLE}"
    raise Fault(FaultReason.KEY_PASSWORD_MISSING, "the key files are locked and nobody gave a password", fix)


@dataclass(frozen=True, slots=True)
class Account:
    """One key file of an account, as anybody can read it: its name, and what stands in it."""

    name: str
    file: AccountFile


def create_account(
    folder: Path,
    name: str,
    seed: bytes,
    password: str,
    random: Callable[[int], bytes],
    disk: Disk,
    *,
    is_development: bool = False,
) -> None:
    """A key file for an account's 32-byte seed. `is_development`: marked, and cheap to open.

    Raises `Fault` where the name is taken or is no name.
    """
    path = _account_path(folder, name)
    if path.exists():
        fix = "choose another name; a key is never written over"
        raise Fault(FaultReason.KEY_EXISTS, f"{path} exists", fix)
    label = f"{DEVELOPMENT_MARK}: {name}" if is_development else name
    cost = _DEVELOPMENT_ARGON if is_development else Argon2Cost()
    disk.make_folder(folder)
    text = encrypt_account(seed, password, label=label, salt=random(32), nonce=random(12), cost=cost)
    write_durably(disk, path, text)


def load_account(folder: Path, name: str, password: str) -> bytes:
    """The 32-byte seed of an account. Raises `Fault`."""
    path = _account_path(folder, name)
    if not path.exists():
        known = ", ".join(account.name for account in list_accounts(folder)[:8]) or "none"
        fix = f"name one of: {known}"
        raise Fault(FaultReason.KEY_UNKNOWN, f"there is no account {name!r} in {folder}", fix)
    text = _read_key_file(path)
    return _opened(path, lambda: decrypt_account(text, password))


def list_accounts(folder: Path) -> tuple[Account, ...]:
    """The accounts of a folder by name. Raises `Fault` for a file that is none."""
    if not folder.is_dir():
        return ()
    found = []
    for path in sorted(folder.glob("*.json"))[:ACCOUNTS_MAX]:
        text = _read_key_file(path)
        found.append(Account(path.stem, _account_file(path, text)))
    return tuple(found)


def _account_file(path: Path, text: bytes) -> AccountFile:
    try:
        return read_account(text)
    except Rejected as rejected:
        raise _unreadable(path, rejected.detail) from rejected


def _account_path(folder: Path, name: str) -> Path:
    if _NAME.fullmatch(name) is None:
        fix = "use small letters, digits, dot, dash and underscore, at most 63, beginning with a letter or digit"
        raise Fault(FaultReason.KEY_UNKNOWN, f"{name!r} is no name for a key", fix)
    return folder / f"{name}.json"


def _read_validator_key(path: Path) -> bytes:
    """A key file that was there when the directory was made. Raises `Fault`."""
    try:
        return _read_key_file(path)
    except Fault as fault:
        if fault.reason is not FaultReason.DISK_MISSING:
            raise
        fix = "put the key files back, from where you keep them or from a backup: without them this node is nobody"
        raise Fault(FaultReason.KEY_UNKNOWN, f"{path} is not there", fix) from fault


def _read_key_file(path: Path) -> bytes:
    """A key file that only its owner can read."""
    text = read_file(path, KEYSTORE_BYTES_MAX)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise disk_fault(error, f"reading {path}") from error
    if os.name == "posix" and mode & 0o077:
        fix = f"chmod 600 {path}"
        raise Fault(FaultReason.KEY_FILE_UNREADABLE, f"{path} is open to others (mode {mode & 0o777:o})", fix)
    return text


def _opened(path: Path, decrypt: Callable[[], bytes]) -> bytes:
    try:
        return decrypt()
    except Rejected as rejected:
        if rejected.reason is KeystoreRefusal.WRONG_PASSWORD:
            fix = "check the password (and the file: a changed one looks the same)"
            raise Fault(FaultReason.KEY_WRONG_PASSWORD, f"{path} does not open", fix) from rejected
        raise _unreadable(path, f"{rejected.reason}: {rejected.detail}") from rejected


def _unreadable(path: Path, detail: str) -> Fault:
    return Fault(FaultReason.KEY_FILE_UNREADABLE, f"{path}: {detail}", "restore the key file from its backup")
