"""A transaction of our own, through the public port and back: sent, final, and its receipt checked from bytes."""

import time
from dataclasses import dataclass

from metanode.cli.bpi.local_network import LocalNetwork
from metanode.client import Client
from metanode.client.transactions import Sender
from metanode.client.verify import GenesisBasis, verify_receipt
from metanode.host.development import PASSWORD
from metanode.host.keys import load_account
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer
from metanode.records.genesis import load_toml

PAYER = "faucet"
"""It pays one of the smallest units to itself: nobody's balance changes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came back. `verify_ms`: how long the check of the receipt's bytes took here."""

    receipt: str
    height: int
    verify_ms: float


class SelfTest:
    """Sent first, verified later: between the two somebody may watch the chain."""

    def __init__(self, client: Client, network: LocalNetwork) -> None:
        self._client = client
        self._network = network
        self._identity = ""

    def send(self) -> None:
        """Sign and submit. Raises `ClientError`."""
        sender = Sender(self._client, load_account(self._network.accounts, PAYER, PASSWORD))
        call = CoinTransfer(coin="USD", to=sender.address, amount=amount_bytes(1))
        self._identity = sender.send(call, wait="none", memo="bpi up: self-test").identity

    def verify(self) -> Found:
        """Wait until it is final, take its receipt file and check it in this process against the local genesis.

        Raises `ClientError`, or `Rejected` naming the layer that is wrong.
        """
        self._client.transaction.wait(self._identity)
        exported = self._client.receipt.export(self._identity)
        basis = GenesisBasis(load_toml(self._network.genesis.read_text(encoding="utf-8")))
        data = bytes.fromhex(exported.file)
        began = time.perf_counter()
        verified = verify_receipt(data, basis)
        took_ms = (time.perf_counter() - began) * 1000
        return Found(exported.receipt, verified.height, took_ms)
