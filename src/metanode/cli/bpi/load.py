"""Load on a development network: many senders, open loop, counted only when the node says final."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from metanode.client import Client, ClientError
from metanode.client.transactions import LIFETIME_MS, Sender, Terms, build, encode_signed, sign
from metanode.primitives import ed25519
from metanode.records.address import address_of_key
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer
from metanode.records.transaction import identity

TICK_S: Final = 0.05
"""A batch leaves this often: the rate is kept whatever the answers take."""
FUNDING_CALLS: Final = 50
"""Transfers in one funding transaction: below transaction_calls_max and its work limit."""
DRAIN_S: Final = 30.0
"""How long what was accepted may take to become final after the last batch."""
COIN: Final = "USD"


@dataclass(slots=True)
class Report:
    """What happened. Seconds; `latencies` of each final transaction, from its submission to when it was seen."""

    sent: int = 0
    refused: int = 0
    final: int = 0
    took_s: float = 0.0
    codes: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Accepted, and not seen final in time."""
        return self.sent - self.refused - self.final

    def percentile(self, part: float) -> float:
        """Of the latencies, in seconds; 0 where there are none."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


class _Watch(threading.Thread):
    """Notes when each transaction was seen final, on a stream of its own."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.failed: list[ClientError] = []
        self._client = Client(url)
        self._stream = self._client.events(after=f"{self._client.node.status().height}:999999", kinds=("receipt",))

    def run(self) -> None:
        try:
            for event in self._stream:
                origin = getattr(event.data, "origin", None)
                if origin is not None:
                    self.seen[origin.identity] = time.monotonic()
        except ClientError as error:
            self.failed.append(error)

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self.join()
        self._client.close()


@dataclass(slots=True)
class Crowd:
    """Senders with fresh keys, each with its own nonces."""

    chain_id: bytes
    keys: list[ed25519.SigningKey]
    nonces: list[int]

    @classmethod
    def fresh(cls, chain_id: bytes, count: int, salt: bytes) -> "Crowd":
        """So many senders nobody has seen before."""
        keys = [ed25519.SigningKey(sha256(salt + index.to_bytes(4, "big")).digest()) for index in range(count)]
        return cls(chain_id, keys, [0] * count)

    def addresses(self) -> list[bytes]:
        """Of all of them."""
        return [address_of_key(key.public_key) for key in self.keys]

    def transfer(self, index: int) -> tuple[str, bytes]:
        """The next transaction of a sender: its identity, and its bytes."""
        key, to = self.keys[index], self.keys[(index + 1) % len(self.keys)]
        call = CoinTransfer(coin=COIN, to=address_of_key(to.public_key), amount=amount_bytes(1))
        terms = Terms(self.nonces[index], time.time_ns() // 1_000_000 + LIFETIME_MS)
        self.nonces[index] += 1
        transaction = build(self.chain_id, address_of_key(key.public_key), (call,), terms)
        return identity(transaction).hex(), encode_signed(sign(transaction, key))


def fund(client: Client, faucet_seed: bytes, addresses: Sequence[bytes], units: int) -> None:
    """Give each address so many units, and wait until all of it is final. Raises `ClientError`."""
    sender = Sender(client, faucet_seed)
    for at in range(0, len(addresses), FUNDING_CALLS):
        calls = [
            CoinTransfer(coin=COIN, to=address, amount=amount_bytes(units))
            for address in addresses[at : at + FUNDING_CALLS]
        ]
        sender.send(*calls, memo="bpi testnet load")


def run_load(urls: Sequence[str], crowd: Crowd, rate: int, seconds: int) -> Report:
    """Send `rate` transactions a second to the nodes in turn for so long, then wait for the last to become final.

    Raises `ClientError` where a node, or the stream of events, fails.
    """
    report = Report()
    sent_at: dict[str, float] = {}
    watch = _Watch(urls[0])
    watch.start()
    clients = [Client(url) for url in urls]
    began, index, total = time.monotonic(), 0, rate * seconds
    while index < total:
        due = min(total, int((time.monotonic() - began) * rate) + 1)
        batch = [crowd.transfer(number % len(crowd.keys)) for number in range(index, due)]
        if batch:
            now = time.monotonic()
            # A sender's transactions go to one node, so that they arrive in the order of their nonces.
            for turn, client in enumerate(clients):
                part = [one for at, one in enumerate(batch, index) if at % len(crowd.keys) % len(clients) == turn]
                _submit(client, part, report, sent_at, now)
            index = due
        time.sleep(max(0.0, min(TICK_S, began + index / rate - time.monotonic())))
    deadline = time.monotonic() + DRAIN_S
    while any(name not in watch.seen for name in sent_at) and time.monotonic() < deadline:
        if watch.failed:
            raise watch.failed[0]  # blind is not the same as lost
        time.sleep(TICK_S)
    seen = {name: at for name, at in watch.seen.items() if name in sent_at}
    report.final = len(seen)
    report.latencies = [max(0.0, at - sent_at[name]) for name, at in seen.items()]
    report.took_s = (max(seen.values()) if seen else time.monotonic()) - began
    watch.close()
    for client in clients:
        client.close()
    return report


def _submit(
    client: Client, part: Sequence[tuple[str, bytes]], report: Report, sent_at: dict[str, float], now: float
) -> None:
    if not part:
        return
    outcomes = client.transaction.submit_batch([encoded for _, encoded in part])
    for (name, _), outcome in zip(part, outcomes, strict=True):
        report.sent += 1
        if outcome.accepted:
            sent_at[name] = now
        else:
            report.refused += 1
            report.codes[outcome.code] = report.codes.get(outcome.code, 0) + 1
