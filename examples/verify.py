"""Check a chain without believing the node: every header, certificate and receipt, from the genesis that you know.

python examples/verify.py http://127.0.0.1:26600 CHAIN_ID
"""

import sys

from metanode.client import Client
from metanode.client.verify import GenesisBasis, LightClient, fetch_genesis, verify_receipt
from metanode.primitives.refusal import Rejected

with Client(sys.argv[1]) as client:
    # The node may hand out what it likes: a genesis with another digest is refused here.
    basis = GenesisBasis(fetch_genesis(client, bytes.fromhex(sys.argv[2])))

    light = LightClient(client, basis)
    receipts = 0
    for checked in light.advance():
        receipts += light.check_block(checked.header)
    print(f"{light.trusted.height} headers and certificates and {receipts} receipts are as they should be")

    # A receipt file is checked the same way, and needs no node at all.
    with_receipts = client.receipt.list(limit=1)
    file = bytes.fromhex(client.receipt.export(with_receipts.items[0].receipt).file)
    proved = verify_receipt(file, basis)
    print(f"receipt of height {proved.height} proved by {proved.signers} of {proved.seats} validators")

    try:
        verify_receipt(file[:-1] + bytes([file[-1] ^ 1]), basis)
    except Rejected as rejected:
        print("with one bit flipped:", rejected.reason)
