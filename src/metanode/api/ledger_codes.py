"""What the codes of the ledger, the pool and the proofs mean for a caller: by their stable text, for this floor stands
beside theirs and does not know them otherwise."""

from typing import Final

from metanode.api.cluster_codes import CLUSTER_CODES
from metanode.api.exits import ExitStatus
from metanode.api.explanation import Explanation
from metanode.api.image_codes import IMAGE_CODES
from metanode.api.mesh_codes import MESH_CODES
from metanode.api.runtime_codes import RUNTIME_CODES
from metanode.api.secret_codes import SECRET_CODES

_E: Final = ExitStatus

_SIGN_AGAIN: Final = "correct what the message names, sign again and submit"
_NEXT_NONCE: Final = "ask account.get for the lane's next nonce, sign again and submit"
_OTHER_FILE: Final = "do not trust this; get it again from another node"


def _refused(rule: str, fix: str = _SIGN_AGAIN) -> Explanation:
    return Explanation(_E.USAGE, 422, -32010, rule, fix)


def _not_allowed(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NOT_ALLOWED, 403, -32002, rule, fix)


def _not_found(rule: str, fix: str = "check the name") -> Explanation:
    return Explanation(_E.NOT_FOUND, 404, -32001, rule, fix)


def _conflict(rule: str, fix: str, *, retryable: bool = False) -> Explanation:
    return Explanation(_E.CONFLICT, 409, -32003, rule, fix, retryable)


def _insufficient(rule: str, fix: str) -> Explanation:
    return Explanation(_E.INSUFFICIENT, 422, -32010, rule, fix)


def _crowded(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NETWORK, 503, -32021, rule, fix, retryable=True)


def _expired(rule: str) -> Explanation:
    return Explanation(_E.EXPIRED, 422, -32010, rule, "sign again with a later expires_ms", retryable=True)


REFUSED: Final = _refused("HTTP-2")
"""A code that no table knows: something a caller asked for that the ledger does not do."""

CODES: Final[dict[str, Explanation]] = {
    **CLUSTER_CODES,
    **IMAGE_CODES,
    **MESH_CODES,
    **RUNTIME_CODES,
    **SECRET_CODES,
    "ledger.unknown-version": _refused("LEDGER-N1", "use version 1 of transactions"),
    "ledger.too-large": _refused("LEDGER-N1", "fewer calls or a shorter memo: see transaction_bytes_max"),
    "ledger.out-of-range": _refused("LEDGER-N1"),
    "ledger.wrong-chain": _conflict("LEDGER-N2", "sign for the chain_id that node.status shows"),
    "ledger.expired": _expired("LEDGER-N4"),
    "ledger.expires-too-late": _refused("LEDGER-N4", "choose expires_ms within expiry_max_ms from now"),
    "ledger.wrong-lane": _refused("LEDGER-N5", "use a lane below lanes_max"),
    "ledger.nonce-used": _conflict("LEDGER-N5", _NEXT_NONCE),
    "ledger.nonce-ahead": _conflict("LEDGER-N5", _NEXT_NONCE),
    "ledger.fee-too-low": _refused("LEDGER-N6", "offer at least fee_min"),
    "ledger.fee-not-covered": _insufficient("LEDGER-N6", "fund the account with the fee coin first"),
    "ledger.block-full": _crowded("LEDGER-N7", "wait: it stays for a later block"),
    "ledger.height-not-kept": Explanation(
        _E.DATA_UNAVAILABLE, 410, -32030, "LEDGER-X3", "ask for one of the last history_blocks heights"
    ),
    "authority.malformed": _refused("LEDGER-N3", "sign with Ed25519 keys: 32 bytes, signatures of 64"),
    "authority.not-sorted": _refused("LEDGER-N3", "sort authorizations by key, each once"),
    "authority.not-a-key-of-the-account": _not_allowed("LEDGER-N3", "sign with a key that account.get lists"),
    "authority.not-the-threshold": _not_allowed("LEDGER-N3", "sign with exactly as many keys as the threshold"),
    "work.limit-reached": _refused("LEDGER-W1", "raise work_limit, or put fewer calls into one transaction"),
    "work.receipt-too-large": _refused("LEDGER-R2", "put fewer calls into one transaction"),
    "pool.unknown-version": _refused("POOL-2", "use version 1 of transactions"),
    "pool.too-large": _refused("POOL-2", "fewer calls or a shorter memo: see transaction_bytes_max"),
    "pool.out-of-range": _refused("POOL-2"),
    "pool.wrong-chain": _conflict("POOL-2", "sign for the chain_id that node.status shows"),
    "pool.bad-authorizations": _refused("POOL-2", "sign with 1 to 16 Ed25519 keys, sorted by key"),
    "pool.bad-signature": _not_allowed("POOL-2", "sign the identity of exactly this transaction again"),
    "pool.expired": _expired("LEDGER-N4"),
    "pool.expires-too-late": _refused("LEDGER-N4", "choose expires_ms within expiry_max_ms from now"),
    "pool.wrong-lane": _refused("LEDGER-N5", "use a lane below lanes_max"),
    "pool.nonce-used": _conflict("LEDGER-N5", _NEXT_NONCE),
    "pool.nonce-too-far": _conflict("LEDGER-N5", _NEXT_NONCE, retryable=True),
    "pool.fee-too-low": _refused("LEDGER-N6", "offer at least fee_min"),
    "pool.fee-not-covered": _insufficient("LEDGER-N6", "fund the account with the fee coin first"),
    "pool.replacement-too-cheap": _conflict("POOL-4", "offer a fee a tenth higher than that of the one to replace"),
    "pool.replaced": _conflict("POOL-4", "nothing: another transaction of yours took its place"),
    "pool.sender-full": _crowded("POOL-4", "wait until earlier transactions of this account are final"),
    "pool.full": _crowded("POOL-10", "wait, or offer a higher fee"),
    "pool.crowded-out": _crowded("POOL-10", "submit again with a higher fee"),
    "accounts.bad-keys": _refused("LEDGER-A4", "1 to 16 distinct keys in ascending order"),
    "accounts.wrong-address": _refused("LEDGER-A1", "an address has 20 bytes"),
    "accounts.nobody-could-sign": _refused("LEDGER-A4", "choose a threshold from 1 to the number of keys"),
    "accounts.bad-role": _refused("LEDGER-A5", "a letter, then letters, digits and hyphens, at most 32"),
    "accounts.has-role": _conflict("LEDGER-A5", "nothing: the account has this role"),
    "accounts.lacks-role": _conflict("LEDGER-A5", "nothing: the account does not have this role"),
    "accounts.last-root": _not_allowed("LEDGER-A5", "give root to another account first"),
    "accounts.not-root": _not_allowed("LEDGER-A5", "sign with an account that has the role root"),
    "coin.unknown": _not_found("LEDGER-C1", "check the symbol with coin.list"),
    "coin.exists": _conflict("LEDGER-C1", "choose another symbol"),
    "coin.bad-symbol": _refused("LEDGER-C1", "a letter, then letters, digits, dots and hyphens, at most 32"),
    "coin.bad-decimals": _refused("LEDGER-C1", "0 to 36 decimals"),
    "coin.bad-minters": _refused("LEDGER-C1", "1 to 16 distinct minters in ascending order"),
    "coin.not-a-minter": _not_allowed("LEDGER-C3", "sign with a minter that coin.get lists"),
    "coin.above-maximum": _insufficient("LEDGER-C3", "mint less: see supply and supply_max of coin.get"),
    "coin.insufficient": _insufficient("LEDGER-C2", "lower the amount, or fund the account first"),
    "coin.zero-amount": _refused("LEDGER-C4", "move at least one unit"),
    "governance.not-an-operator": _not_allowed("LEDGER-V1", "sign with the operator's account of a validator"),
    "governance.not-open": _conflict("LEDGER-V1", "see governance.get: the vote is closed, or never was"),
    "governance.voted-already": _conflict("LEDGER-V2", "nothing: your vote is counted"),
    "governance.too-many-proposals": _conflict("LEDGER-V1", "wait until one of yours is closed", retryable=True),
    "governance.unknown-validator": _not_found("LEDGER-V3", "check the name with validator.list"),
    "governance.name-in-use": _conflict("LEDGER-V3", "choose another name"),
    "governance.key-in-use": _conflict("LEDGER-V3", "make new keys: bpi node init"),
    "governance.key-convicted": _not_allowed("LEDGER-V6", "make new keys; a convicted key never sits again"),
    "governance.bad-possession": _refused("LEDGER-V3", "prove possession of the BLS key again"),
    "governance.set-full": _conflict("LEDGER-V4", "let another validator leave first"),
    "governance.set-too-small": _conflict("LEDGER-V4", "add a validator first, or lower validators_min"),
    "governance.bad-rules-version": _refused("LEDGER-V5", "a higher version, at a height that is still ahead"),
    "governance.expired": _expired("LEDGER-V1"),
    "light.encoding": Explanation(_E.INVALID_PROOF, 422, -32010, "BYTES-1", _OTHER_FILE),
}
"""HTTP-2. Each code a caller can be told, with the rule it broke and the smallest change that would pass."""

ROOMS: Final[dict[str, Explanation]] = {
    "codec": _refused("BYTES-1", "encode canonically, as bpi and metanode.client do"),
    "address": _refused("LEDGER-A1", "check the address: one character differs, or it is cut off"),
    "amount": _refused("BYTES-3", "a whole number from 0 to 2^128 - 1"),
    "light": Explanation(_E.INVALID_PROOF, 422, -32010, "HTTP-16", _OTHER_FILE),
    "forensics": Explanation(_E.INVALID_PROOF, 422, -32010, "EVID-13", _OTHER_FILE),
    "stall": Explanation(_E.INVALID_PROOF, 422, -32010, "STALL-2", _OTHER_FILE),
    "wreceipt": Explanation(_E.INVALID_PROOF, 422, -32010, "WREC-9", _OTHER_FILE),
    "merkle": Explanation(_E.INVALID_PROOF, 422, -32010, "HTTP-16", _OTHER_FILE),
    "proof": Explanation(_E.INVALID_PROOF, 422, -32010, "HTTP-16", _OTHER_FILE),
    "state-proof": Explanation(_E.INVALID_PROOF, 422, -32010, "HTTP-16", _OTHER_FILE),
    "header": Explanation(_E.INVALID_PROOF, 422, -32010, "HTTP-16", _OTHER_FILE),
    "bitmap": Explanation(_E.INVALID_PROOF, 422, -32010, "HTTP-16", _OTHER_FILE),
    "bls": Explanation(_E.INVALID_PROOF, 422, -32010, "BLS-B5", _OTHER_FILE),
    "commit": Explanation(_E.INVALID_PROOF, 422, -32010, "BLS-B5", _OTHER_FILE),
    "genesis": Explanation(_E.CONFIGURATION, 422, -32010, "GEN-3", "correct the genesis: bpi genesis check"),
    "parameter": Explanation(_E.CONFIGURATION, 422, -32010, "GEN-2", "choose a value within the parameter's range"),
    "settings": Explanation(_E.CONFIGURATION, 422, -32010, "HTTP-7", "correct the settings file"),
    "compose": Explanation(_E.CONFIGURATION, 422, -32010, "COMPOSE-2", "correct the file where the message says"),
    "keystore": Explanation(_E.NOT_ALLOWED, 422, -32010, "HTTP-2", "check the password and the file"),
}
"""HTTP-2. Of rooms whose codes all mean the same to a caller."""
