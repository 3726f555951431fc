"""Watch what becomes final, and take the stream up again where it broke, also in another process.

python examples/watch.py http://127.0.0.1:26600 [CURSOR]
"""

import itertools
import sys

from metanode.api.transactions import ReceiptView, TransactionView
from metanode.client import Client

with Client(sys.argv[1]) as client:
    stream = client.events(after=sys.argv[2] if len(sys.argv) > 2 else "0:0")
    for event in itertools.islice(stream, 5):
        match event.data:
            case TransactionView(sentence=sentence):
                print(event.id, "asked:  ", sentence)
            case ReceiptView(succeeded=succeeded, code=code):
                print(event.id, "outcome:", "done" if succeeded else code)
            case block:
                print(event.id, "block:  ", block.hash)
    stream.close()
    print("go on with:", stream.cursor)
