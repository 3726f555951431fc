"""Send many transactions at once: signed here, one request, each judged alone, then waited for.

python examples/batch.py http://127.0.0.1:26600
"""

import sys
from hashlib import sha256

from metanode.client import Client
from metanode.client.transactions import Sender, encode_signed
from metanode.records.amount import amount_bytes
from metanode.records.calls import CoinTransfer
from metanode.records.transaction import identity

with Client(sys.argv[1]) as client:
    acme = Sender(client, sha256(b"metanode development key account of acme").digest())
    payees = [sha256(b"payee %d" % number).digest()[:20] for number in range(50)]

    # Twenty payments under one signature are all or nothing; fifty transactions are judged one by one.
    together = [CoinTransfer(coin="USD", to=to, amount=amount_bytes(1)) for to in payees[:20]]
    signed = [acme.sign(acme.prepare(*together))]
    signed += [acme.sign(acme.prepare(CoinTransfer(coin="USD", to=to, amount=amount_bytes(1)))) for to in payees]

    outcomes = client.transaction.submit_batch([encode_signed(one) for one in signed])
    print(sum(outcome.accepted for outcome in outcomes), "of", len(outcomes), "accepted")

    statuses = [client.transaction.wait(identity(one.transaction).hex()) for one in signed]
    print(sum(status.succeeded for status in statuses), "final at height", max(status.height for status in statuses))
