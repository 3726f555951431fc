"""Move money: build a transaction, read what it says, sign it here, send it, wait until it is final.

    python examples/transfer.py http://127.0.0.1:26600

The seed below is that of the development account `acme`, which everybody can make. Never use such a key for value.
"""

import sys
from hashlib import sha256

from metanode.client import Client, ClientError
from metanode.client.transactions import Glossary, Sender, describe
from metanode.records.address import read_address
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer

seed = sha256(b"metanode development key account of acme").digest()

with Client(sys.argv[1]) as client:
    names = {account.name: read_address(account.address) for account in client.node.genesis().accounts}
    transfer = CoinTransfer(coin="USD", to=names["globex"], amount=amount_bytes(4_20))

    acme = Sender(client, seed)
    decimals = {coin.coin: coin.decimals for coin in client.coin.list().items}
    glossary = Glossary({address: name for name, address in names.items()}, decimals.get)
    print("to sign:", describe(acme.prepare(transfer), glossary))
    acme.lanes.resync()  # it was only shown: its nonce is free again

    status = acme.send(transfer, memo="invoice 17")
    print(f"final at height {status.height}: {status.receipt}")
    print("globex has", client.account.get("globex").balances[0].amount, "cents")

    try:
        acme.send(CoinTransfer(coin="EUR", to=names["globex"], amount=amount_bytes(1)))
    except ClientError as error:  # refused before it was in a block
        print(f"refused: {error.code}: {error.form.fix}")
    else:  # in a block, with a receipt that says why it failed
        receipts = client.receipt.list(account="acme")
        print("failed:", receipts.items[-1].code)
