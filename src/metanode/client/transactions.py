"""Transactions built, described and signed on the caller's side: the key never leaves this process."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from metanode.api.errors import ApiRefusal
from metanode.api.plain_calls import read_call
from metanode.api.sentences import Glossary, transaction_sentence
from metanode.api.transactions import TransactionStatus
from metanode.client.client import Client
from metanode.client.failures import ClientError, DeadlinePassed
from metanode.client.work import work_estimate
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.records.address import address_of_key, show_address
from metanode.records.amount import amount_bytes
from metanode.records.calls import Call
from metanode.records.transaction import KEY_ED25519, Authorization, SignedTransaction, Transaction, identity

LIFETIME_MS: Final = 60_000
"""How long a transaction may wait to be included, where the caller does not say."""
NONCE_CONFLICTS: Final = frozenset({"pool.nonce-used", "pool.nonce-too-far", "pool.replacement-too-cheap"})
"""What a node answers where somebody else used the lane meanwhile: the next nonce is asked again."""
ATTEMPTS_MAX: Final = 4
"""How often a nonce is asked again before giving up: other programs use the same lane."""

__all__ = ["Glossary", "Lanes", "Sender", "Terms", "build", "describe", "encode_signed", "read_call", "sign"]


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything of a transaction but who asks for what. `expires_ms`: in the chain's time. `fee`: in smallest units.

    `work_limit` 0 takes what the calls cost at most with so many `signatures`.
    """

    nonce: int
    expires_ms: int
    lane: int = 0
    fee: int = 0
    work_limit: int = 0
    memo: str = ""
    signatures: int = 1


def build(chain_id: bytes, sender: bytes, calls: Sequence[Call], terms: Terms) -> Transaction:
    """A transaction that is not signed yet."""
    return Transaction(
        version=1,
        chain_id=chain_id,
        sender=sender,
        lane=terms.lane,
        nonce=terms.nonce,
        expires_ms=terms.expires_ms,
        fee=amount_bytes(terms.fee),
        work_limit=terms.work_limit or work_estimate(calls, terms.signatures),
        calls=tuple(calls),
        memo=terms.memo,
    )


def describe(transaction: Transaction, glossary: Glossary | None = None) -> str:
    """What is asked for, as one sentence; nothing that is signed is left out but chain, lane, nonce and limits."""
    return transaction_sentence(transaction, glossary or Glossary())


def sign(transaction: Transaction, *keys: ed25519.SigningKey) -> SignedTransaction:
    """LEDGER-N3. One authorization a key, sorted by key, over the identity."""
    name = identity(transaction)
    return SignedTransaction(
        version=1,
        transaction=transaction,
        authorizations=tuple(
            Authorization(kind=KEY_ED25519, key=key.public_key, signature=key.sign(name))
            for key in sorted(keys, key=lambda one: one.public_key)
        ),
    )


def encode_signed(signed: SignedTransaction) -> bytes:
    """The canonical bytes that are submitted."""
    return encode(signed)


class Lanes:
    """HTTP-20. The next nonce of each lane of one account: asked once, then counted here, asked again on conflict."""

    def __init__(self, client: Client, account: str) -> None:
        self._client: Final = client
        self._account: Final = account
        self._next: Final[dict[int, int]] = {}

    def take(self, lane: int = 0) -> int:
        """The next nonce of a lane; it counts as used from now on."""
        if lane not in self._next:
            lanes = {view.lane: view.next_nonce_pooled for view in self._client.account.get(self._account).lanes}
            self._next[lane] = lanes.get(lane, 0)
        nonce = self._next[lane]
        self._next[lane] = nonce + 1
        return nonce

    def resync(self, lane: int = 0) -> None:
        """Forget what was counted: the next `take` asks the node."""
        self._next.pop(lane, None)


class Sender:
    """Signs with one Ed25519 seed for a 1-of-1 account and sends. For one thread at a time.

    `account`: its address where it is not the one of the key. `now_ms`: a clock near the chain's.
    """

    def __init__(
        self,
        client: Client,
        seed: bytes,
        account: bytes = b"",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._client: Final = client
        self._key: Final = ed25519.SigningKey(seed)
        self._now_ms: Final = now_ms
        self._chain_id: bytes = b""
        self.address: Final = account or address_of_key(self._key.public_key)
        self.lanes: Final = Lanes(client, show_address(self.address))

    def prepare(self, *calls: Call, lane: int = 0, fee: int = 0, memo: str = "", work_limit: int = 0) -> Transaction:
        """The transaction that would be signed next in this lane: describe it, show it, sign it."""
        self._chain_id = self._chain_id or bytes.fromhex(self._client.node.status().chain_id)
        nonce, expires_ms = self.lanes.take(lane), self._now_ms() + LIFETIME_MS
        terms = Terms(nonce, expires_ms, lane=lane, fee=fee, memo=memo, work_limit=work_limit)
        return build(self._chain_id, self.address, calls, terms)

    def sign(self, transaction: Transaction) -> SignedTransaction:
        """Sign what was prepared."""
        return sign(transaction, self._key)

    def send(
        self,
        *calls: Call,
        wait: Literal["final", "included", "none"] = "final",
        timeout_s: float = 30.0,
        lane: int = 0,
        fee: int = 0,
        memo: str = "",
    ) -> TransactionStatus:
        """HTTP-20. Prepare, sign, submit and wait. On a conflict of nonces the next one is asked and signed again.

        Raises `ClientError`, or `DeadlinePassed` with the identity to wait for.
        """
        for attempt in range(ATTEMPTS_MAX):
            signed = self.sign(self.prepare(*calls, lane=lane, fee=fee, memo=memo))
            try:
                name = self._submit(signed, lane, timeout_s)
            except ClientError as error:
                if error.code in NONCE_CONFLICTS and attempt + 1 < ATTEMPTS_MAX:
                    continue
                raise
            if wait == "none":
                return self._client.transaction.get(name)
            return self._client.transaction.wait(name, wait, timeout_s)
        raise AssertionError("the last attempt returns or raises")

    def _submit(self, signed: SignedTransaction, lane: int, timeout_s: float) -> str:
        """The identity. Where the answer is lost, the same bytes are sent again: that is safe, another nonce is not."""
        encoded, name = encode_signed(signed), identity(signed.transaction).hex()
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self._client.transaction.submit(encoded).identity
            except ClientError as error:
                unknown = isinstance(error, DeadlinePassed) or error.code == ApiRefusal.UNKNOWN_OUTCOME
                if unknown and time.monotonic() < deadline:
                    continue
                self.lanes.resync(lane)
                if unknown:
                    raise DeadlinePassed(error.form, name) from None
                raise
