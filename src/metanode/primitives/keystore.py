"""Keys at rest under a password: EIP-2335 files for BLS keys, our own for the Ed25519 keys of accounts.

Pure: salts, initialization vectors, nonces and identifiers are handed in. Deriving a key from a password is slow and
takes memory by design, so a caller does it where waiting is allowed; what a stranger's file may ask for is bounded.
"""

import unicodedata
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, scrypt, sha256
from hmac import compare_digest
from typing import Final, TypeAlias, TypeVar

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from metanode.primitives import bls, ed25519
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Refusal, Rejected
from metanode.primitives.sealing import KEY_BYTES, NONCE_BYTES, open_once, seal_once

KEYSTORE_BYTES_MAX: Final = 16_384
"""A keystore file is about one kilobyte; what is larger is something else."""
MEMORY_BYTES_MAX: Final = 1 << 28
"""Most memory a file may ask for: 256 MiB, what scrypt takes with the cost EIP-2335 prescribes."""
SCRYPT_PARALLEL_MAX: Final = 4
"""Most runs of scrypt over that memory, which follow one another: some seconds."""
SCRYPT_BLOCK_MAX: Final = 64
"""Widest block of scrypt, in units of 128 bytes: what it takes beside its table stays small."""
PBKDF2_ROUNDS_MAX: Final = 1 << 22
"""Most rounds of PBKDF2-SHA256: sixteen times what EIP-2335 prescribes, some seconds."""
ARGON2_PASSES_MAX: Final = 16
"""Most passes of Argon2id over its memory: some seconds with the most memory."""
ARGON2_LANES_MAX: Final = 16
"""Most lanes, thus threads, of Argon2id."""
SALT_BYTES_MIN: Final = 8
"""Shortest salt Argon2 takes (RFC 9106 §3.1)."""
SALT_BYTES_MAX: Final = 64
"""Longest salt of a file; 32 is usual."""
LABEL_MAX: Final = 128
"""Longest label of an account, in characters."""
_IV_BYTES: Final = 16
_EIP2335_VERSION: Final = 4
_ACCOUNT_VERSION: Final = 1

Shape = TypeVar("Shape", bound=msgspec.Struct)


class KeystoreRefusal(Refusal):
    """Why a file gives no key."""

    TOO_LARGE = "keystore.too-large"
    """More bytes than a keystore has."""
    MALFORMED = "keystore.malformed"
    """Not JSON of a keystore's shape, or a value no keystore has."""
    UNSUPPORTED = "keystore.unsupported"
    """Another version, hash or cipher."""
    TOO_COSTLY = "keystore.too-costly"
    """Asks for more memory or time than a stranger's file may."""
    WRONG_PASSWORD = "keystore.wrong-password"  # noqa: S105 - a code, not a password
    """The password is not the one, or the file was changed."""
    WRONG_KEY = "keystore.wrong-key"
    """The public key in the file is not the secret's: whoever imports it would sign under another name."""


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """Cost of scrypt: 128 · n · r bytes of memory, p times. The defaults are EIP-2335's: 256 MiB, about a second."""

    n: int = 262_144
    r: int = 8
    p: int = 1

    def check(self) -> None:
        """Refuse what is no cost, and what a stranger's file may not ask for."""
        if self.n < 2 or self.n & (self.n - 1) or self.r < 1 or self.p < 1:
            raise Rejected(KeystoreRefusal.MALFORMED, f"scrypt with n = {self.n}, r = {self.r}, p = {self.p}")
        costly = 128 * self.n * self.r > MEMORY_BYTES_MAX
        if costly or self.r > SCRYPT_BLOCK_MAX or self.p > SCRYPT_PARALLEL_MAX:
            raise Rejected(KeystoreRefusal.TOO_COSTLY, f"scrypt with n = {self.n}, r = {self.r}, p = {self.p}")

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """The 32-byte key (RFC 7914)."""
        memory = 128 * self.r * (self.n + self.p + 2)
        return scrypt(password, salt=salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=32)


@dataclass(frozen=True, slots=True)
class Pbkdf2Cost:
    """Cost of PBKDF2-HMAC-SHA256, in rounds. The default is EIP-2335's."""

    c: int = 262_144

    def check(self) -> None:
        """Refuse what is no cost, and what a stranger's file may not ask for."""
        if self.c < 1:
            raise Rejected(KeystoreRefusal.MALFORMED, f"PBKDF2 with {self.c} rounds")
        if self.c > PBKDF2_ROUNDS_MAX:
            raise Rejected(KeystoreRefusal.TOO_COSTLY, f"PBKDF2 with {self.c} rounds")

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """The 32-byte key (RFC 8018)."""
        return pbkdf2_hmac("sha256", password, salt, self.c, dklen=32)


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Cost of Argon2id. The defaults are RFC 9106's second choice: 64 MiB, 3 passes, 4 lanes, about a tenth second."""

    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 4

    def check(self) -> None:
        """Refuse what is no cost, and what a stranger's file may not ask for."""
        if self.passes < 1 or self.lanes < 1 or self.memory_kib < 8 * self.lanes:
            raise Rejected(KeystoreRefusal.MALFORMED, f"Argon2id with {self}")
        if (
            self.memory_kib * 1024 > MEMORY_BYTES_MAX
            or self.passes > ARGON2_PASSES_MAX
            or self.lanes > ARGON2_LANES_MAX
        ):
            raise Rejected(KeystoreRefusal.TOO_COSTLY, f"Argon2id with {self}")

    def derive(self, password: bytes, salt: bytes) -> bytes:
        """The 32-byte key (RFC 9106)."""
        kdf = Argon2id(
            salt=salt, length=KEY_BYTES, iterations=self.passes, lanes=self.lanes, memory_cost=self.memory_kib
        )
        return kdf.derive(password)


class _Json(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a file in which nothing may stand that is not understood."""


class _ScryptParameters(_Json, frozen=True):
    dklen: int
    n: int
    p: int
    r: int
    salt: str


class _Scrypt(_Json, frozen=True, tag_field="function", tag="scrypt"):
    params: _ScryptParameters
    message: str = ""

    def cost(self) -> ScryptCost:
        return ScryptCost(self.params.n, self.params.r, self.params.p)


class _Pbkdf2Parameters(_Json, frozen=True):
    dklen: int
    c: int
    prf: str
    salt: str


class _Pbkdf2(_Json, frozen=True, tag_field="function", tag="pbkdf2"):
    params: _Pbkdf2Parameters
    message: str = ""

    def cost(self) -> Pbkdf2Cost:
        if self.params.prf != "hmac-sha256":
            raise Rejected(KeystoreRefusal.UNSUPPORTED, f"PBKDF2 with {self.params.prf[:40]}")
        return Pbkdf2Cost(self.params.c)


class _Nothing(_Json, frozen=True):
    pass


class _Checksum(_Json, frozen=True):
    function: str
    params: _Nothing
    message: str


class _CipherParameters(_Json, frozen=True):
    iv: str


class _Cipher(_Json, frozen=True):
    function: str
    params: _CipherParameters
    message: str


class _Crypto(_Json, frozen=True):
    kdf: _Scrypt | _Pbkdf2
    checksum: _Checksum
    cipher: _Cipher


class _Eip2335(msgspec.Struct, frozen=True):
    """A whole file; unknown fields beside these are allowed by the EIP's schema."""

    crypto: _Crypto
    path: str
    uuid: str
    version: int
    description: str = ""
    pubkey: str = ""


class _AccountFile(_Json, frozen=True):
    kind: str
    version: int
    label: str
    public_key: str
    memory_kib: int
    passes: int
    lanes: int
    salt: str
    nonce: str
    sealed: str


ACCOUNT_KIND: Final = "metanode account"
"""What an account's keystore calls itself."""
ValidatorCost: TypeAlias = ScryptCost | Pbkdf2Cost


@dataclass(frozen=True, slots=True)
class ValidatorFile:
    """What stands beside the secret in an EIP-2335 file: salt (32 bytes), initialization vector (16), and names."""

    salt: bytes
    iv: bytes
    uuid: str
    path: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class AccountFile:
    """What anybody can read in an account's keystore: its label and its 32-byte public key."""

    label: str
    public_key: bytes


def _read(text: bytes, shape: type[Shape]) -> Shape:
    if len(text) > KEYSTORE_BYTES_MAX:
        raise Rejected(KeystoreRefusal.TOO_LARGE, f"{len(text)} bytes, at most {KEYSTORE_BYTES_MAX}")
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected(KeystoreRefusal.MALFORMED, str(error)) from None


def _write(file: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def _unhex(text: str, least: int, most: int) -> bytes:
    """Bytes written in hexadecimal and nothing else (`bytes.fromhex` would pass over spaces)."""
    if not 2 * least <= len(text) <= 2 * most or not text.isalnum():
        raise Rejected(KeystoreRefusal.MALFORMED, f"{len(text)} hexadecimal digits, from {2 * least} to {2 * most}")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Rejected(KeystoreRefusal.MALFORMED, "not hexadecimal") from None


def _eip2335_password(password: str) -> bytes:
    """NFKD, without C0, C1 and DEL control codes, in UTF-8 (EIP-2335, "Password requirements")."""
    normal = unicodedata.normalize("NFKD", password)
    kept = "".join(letter for letter in normal if not (ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0))
    return kept.encode(errors="surrogatepass")


def _account_password(password: str) -> bytes:
    """NFKC in UTF-8: the same word typed on two keyboards opens the same file."""
    return unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")


def _aes_ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-128 in counter mode, both ways (EIP-2335 uses the first 16 bytes of the derived key)."""
    context = Cipher(AES(key[:16]), modes.CTR(iv)).encryptor()
    return context.update(data) + context.finalize()


def encrypt_validator(secret: bytes, password: str, file: ValidatorFile, cost: ValidatorCost | None = None) -> bytes:
    """BLS-K2. The EIP-2335 version 4 file of a 32-byte BLS secret, as JSON text. Scrypt unless told otherwise."""
    cost = ScryptCost() if cost is None else cost
    assert len(file.salt) == 32, "a salt has 32 bytes"
    assert len(file.iv) == _IV_BYTES, "an initialization vector has 16 bytes"
    cost.check()
    key = cost.derive(_eip2335_password(password), file.salt)
    message = _aes_ctr(key, file.iv, secret)
    kdf: _Scrypt | _Pbkdf2
    match cost:
        case ScryptCost():
            kdf = _Scrypt(_ScryptParameters(dklen=32, n=cost.n, p=cost.p, r=cost.r, salt=file.salt.hex()))
        case Pbkdf2Cost():
            kdf = _Pbkdf2(_Pbkdf2Parameters(dklen=32, c=cost.c, prf="hmac-sha256", salt=file.salt.hex()))
    crypto = _Crypto(
        kdf=kdf,
        checksum=_Checksum("sha256", _Nothing(), sha256(key[16:32] + message).hexdigest()),
        cipher=_Cipher("aes-128-ctr", _CipherParameters(file.iv.hex()), message.hex()),
    )
    return _write(
        _Eip2335(
            crypto=crypto,
            path=file.path,
            uuid=file.uuid,
            version=_EIP2335_VERSION,
            description=file.description,
            pubkey=bls.public_key(secret).hex(),
        )
    )


def decrypt_validator(text: bytes, password: str) -> bytes:
    """BLS-K2. The 32-byte BLS secret in an EIP-2335 file.

    Raises `Rejected` with a `KeystoreRefusal`, also when the secret is none (`WRONG_KEY`) or the public key that the
    file names is not the secret's.
    """
    file = _read(text, _Eip2335)
    crypto = file.crypto
    if file.version != _EIP2335_VERSION:
        raise Rejected(KeystoreRefusal.UNSUPPORTED, f"version {file.version}")
    if crypto.checksum.function != "sha256" or crypto.cipher.function != "aes-128-ctr":
        raise Rejected(KeystoreRefusal.UNSUPPORTED, "another checksum or cipher")
    if crypto.kdf.params.dklen != 32:
        raise Rejected(KeystoreRefusal.UNSUPPORTED, f"a derived key of {crypto.kdf.params.dklen} bytes")
    cost = crypto.kdf.cost()
    cost.check()
    salt = _unhex(crypto.kdf.params.salt, 0, SALT_BYTES_MAX)
    iv = _unhex(crypto.cipher.params.iv, _IV_BYTES, _IV_BYTES)
    message = _unhex(crypto.cipher.message, bls.SECRET_BYTES, bls.SECRET_BYTES)
    checksum = _unhex(crypto.checksum.message, 32, 32)
    public_key = _unhex(file.pubkey, bls.PUBLIC_KEY_BYTES, bls.PUBLIC_KEY_BYTES) if file.pubkey else None
    key = cost.derive(_eip2335_password(password), salt)
    if not compare_digest(sha256(key[16:32] + message).digest(), checksum):
        raise Rejected(KeystoreRefusal.WRONG_PASSWORD, "the checksum does not fit")
    secret = _aes_ctr(key, iv, message)
    try:
        derived = bls.public_key(secret)
    except Rejected as rejected:
        raise Rejected(KeystoreRefusal.WRONG_KEY, rejected.detail) from None
    if public_key is not None and derived != public_key:
        raise Rejected(KeystoreRefusal.WRONG_KEY, f"the secret's public key is {derived.hex()}")
    return secret


def _associated(file: _AccountFile) -> bytes:
    """Everything in the file that is not sealed is authenticated."""
    return encode(
        (file.kind, file.version, file.label, file.public_key, file.memory_kib, file.passes, file.lanes, file.salt)
    )


def encrypt_account(
    seed: bytes, password: str, *, label: str, salt: bytes, nonce: bytes, cost: Argon2Cost | None = None
) -> bytes:
    """The keystore of an account's 32-byte Ed25519 seed, as JSON text. `salt` and `nonce` (12 bytes) are random."""
    cost = Argon2Cost() if cost is None else cost
    assert SALT_BYTES_MIN <= len(salt) <= SALT_BYTES_MAX, "a salt has 8 to 64 bytes"
    assert len(nonce) == NONCE_BYTES, "a nonce has 12 bytes"
    assert len(label) <= LABEL_MAX, "a label is short"
    cost.check()
    file = _AccountFile(
        kind=ACCOUNT_KIND,
        version=_ACCOUNT_VERSION,
        label=label,
        public_key=ed25519.public_key(seed).hex(),
        memory_kib=cost.memory_kib,
        passes=cost.passes,
        lanes=cost.lanes,
        salt=salt.hex(),
        nonce=nonce.hex(),
        sealed="",
    )
    key = cost.derive(_account_password(password), salt)
    return _write(msgspec.structs.replace(file, sealed=seal_once(key, nonce, seed, _associated(file)).hex()))


def _read_account(text: bytes) -> _AccountFile:
    file = _read(text, _AccountFile)
    if file.kind != ACCOUNT_KIND or file.version != _ACCOUNT_VERSION:
        raise Rejected(KeystoreRefusal.UNSUPPORTED, f"{file.kind[:40]} version {file.version}")
    if len(file.label) > LABEL_MAX:
        raise Rejected(KeystoreRefusal.MALFORMED, f"a label of {len(file.label)} characters")
    return file


def read_account(text: bytes) -> AccountFile:
    """Label and public key of an account's keystore, without its password and so without proof."""
    file = _read_account(text)
    return AccountFile(file.label, _unhex(file.public_key, ed25519.PUBLIC_KEY_BYTES, ed25519.PUBLIC_KEY_BYTES))


def decrypt_account(text: bytes, password: str) -> bytes:
    """The 32-byte Ed25519 seed in an account's keystore. Raises `Rejected` with a `KeystoreRefusal`."""
    file = _read_account(text)
    cost = Argon2Cost(file.memory_kib, file.passes, file.lanes)
    cost.check()
    salt = _unhex(file.salt, SALT_BYTES_MIN, SALT_BYTES_MAX)
    nonce = _unhex(file.nonce, NONCE_BYTES, NONCE_BYTES)
    public_key = _unhex(file.public_key, ed25519.PUBLIC_KEY_BYTES, ed25519.PUBLIC_KEY_BYTES)
    sealed = _unhex(file.sealed, ed25519.SEED_BYTES + 16, ed25519.SEED_BYTES + 16)
    key = cost.derive(_account_password(password), salt)
    try:
        seed = open_once(key, nonce, sealed, _associated(file))
    except Rejected:
        raise Rejected(KeystoreRefusal.WRONG_PASSWORD, "the seal does not open") from None
    if ed25519.public_key(seed) != public_key:
        raise Rejected(KeystoreRefusal.WRONG_KEY, "the seed's public key is another")
    return seed
