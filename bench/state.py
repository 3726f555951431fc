"""What the state costs: the tree by itself, and blocks of transfers through the ledger.

python -m bench.state [--keys 10000,100000,1000000] [--json FILE]. Times are of the processor, on one core.
"""

import gc
from pathlib import Path
from time import process_time
from typing import Any

from bench.kit.report import Report, parser

from metanode.ledger import BlockInput, Ledger, Mathematics, MemoryReader, genesis_state
from metanode.ledger.accounts import Account
from metanode.ledger.state import build_tree, verify_state_proof
from metanode.node.modules import MODULES as STATE_MODULES
from metanode.primitives.codec import encode
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Seat
from metanode.records.address import address_of_key
from metanode.records.block import KnownTransaction
from metanode.records.calls import CoinTransfer
from metanode.records.genesis import MODULES, Genesis, GenesisCoin, genesis_hash
from metanode.records.parameters import Parameters
from metanode.records.transaction import (
    Authorization,
    SignedTransaction,
    Transaction,
    authorizations_digest,
    identity,
)
from metanode.records.validators import Validator


def resident_mib() -> float:
    """Memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def balance_of(number: int) -> bytes:
    """A raw key like those of balances."""
    return b"cb" + number.to_bytes(20, "big") + b"BPI"


def tree(keys: int) -> dict[str, Any]:
    """Build, update in batches, prove, verify."""
    before = resident_mib()
    started = process_time()
    version = build_tree((balance_of(number), number.to_bytes(16, "big")) for number in range(keys))
    took = process_time() - started
    row: dict[str, Any] = {
        "keys": keys,
        "build us/key": took / keys * 1e6,
        "memory B/key": (resident_mib() - before) * 2**20 / keys,
    }
    step = 7_919  # a prime: batches are spread over the whole tree
    at = 0
    for batch in (200, 2_000, 10_000):
        spent = 0.0
        rounds = 20_000 // batch
        for number in range(rounds):
            writes: dict[bytes, bytes | None] = {}
            for _ in range(batch):
                at = (at + step) % (keys + keys // 20)
                writes[balance_of(at)] = (number + 1).to_bytes(16, "big")
            started = process_time()
            version = version.update(writes)
            spent += process_time() - started
        row[f"update of {batch:,} us/key"] = spent / (rounds * batch) * 1e6
    started = process_time()
    proofs = [(balance_of(number), version.prove(balance_of(number))) for number in range(1_000)]
    row["prove us"] = (process_time() - started) * 1e3
    row["proof B"] = len(encode(proofs[0][1]))
    started = process_time()
    assert not any(verify_state_proof(version.root, key, b"forged", proof) for key, proof in proofs)
    row["verify us"] = (process_time() - started) * 1e3
    return row


def make_genesis() -> Genesis:
    """One validator, one coin, no accounts: balances are put beside it."""
    validator = Validator(
        name="only",
        transport_key=bytes(32),
        vote_key=bytes(32),
        bls_key=bytes(48),
        possession=bytes(96),
        operator=bytes(20),
        addresses=(),
    )
    coin = GenesisCoin(coin="BPI", decimals=2, issuer=bytes(20), minters=(), supply_max=b"")
    return Genesis(
        version=1,
        name="bench",
        rules_version=1,
        development=True,
        started_ms=0,
        parameters=Parameters(
            block_work_max=10**7, round_timeout_ms=60_000, round_timeout_max_ms=60_000
        ),  # nothing is left out
        modules=MODULES,
        fee_coin="BPI",
        validators=(validator,),
        accounts=(),
        coins=(coin,),
    )


def payment(chain_id: Hash, key: bytes, nonce: int, calls: tuple[CoinTransfer, ...]) -> KnownTransaction:
    """A transaction whose signature somebody else has checked."""
    transaction = Transaction(
        version=1,
        chain_id=chain_id,
        sender=address_of_key(key),
        lane=0,
        nonce=nonce,
        expires_ms=500_000,
        fee=b"",
        work_limit=1_000,
        calls=calls,
        memo="",
    )
    authorizations = (Authorization(kind=1, key=key, signature=bytes(64)),)
    signed = SignedTransaction(version=1, transaction=transaction, authorizations=authorizations)
    return KnownTransaction(encode(signed), signed, identity(transaction), authorizations_digest(authorizations))


def transfers(accounts: int, size: int, calls: int) -> dict[str, Any]:
    """Blocks of `size` transactions of `calls` transfers, executed and committed."""
    genesis = make_genesis()
    state = genesis_state(genesis, STATE_MODULES)
    keys = [number.to_bytes(32, "big") for number in range(accounts)]
    addresses = [address_of_key(key) for key in keys]
    account = encode(Account(nonces=(), keys=(), threshold=0))
    for address in addresses:
        state[b"cb" + address + b"BPI"] = (1_000_000).to_bytes(16, "big")
        state[b"aa" + address] = account
    reader = MemoryReader(state)
    mathematics = Mathematics(lambda _key, _proof: True, lambda _key: True)
    ledger = Ledger(genesis, reader, Height(0), NO_HASH, mathematics, STATE_MODULES)
    chain_id = genesis_hash(genesis)
    spent = tree_time = 0.0
    rounds = 5
    for height in range(1, rounds + 1):
        block = []
        for number in range(size):
            payees = [addresses[(number * 31 + height * 17 + call * 101) % accounts] for call in range(calls)]
            pay = tuple(CoinTransfer(coin="BPI", to=payee, amount=b"\x01") for payee in payees)
            block.append(payment(chain_id, keys[number], height - 1, pay))
        name = Hash(height.to_bytes(32, "big"))
        gc.collect()
        started = process_time()
        execution = ledger.execute(ledger.tip[1], BlockInput(Height(height), Millis(height), Seat(0), (), tuple(block)))
        spent += process_time() - started
        assert len(execution.transactions) == size
        assert all(receipt.status == 1 for receipt in execution.receipts)
        started = process_time()
        ledger.tree_at(Height(height - 1)).update(execution.writes)
        tree_time += process_time() - started
        ledger.adopt(name, execution)
        ledger.commit(name)
        reader.apply(execution.writes)
        ledger.settle(Height(height))
    each = rounds * size
    return {
        "accounts": accounts,
        "transactions a block": size,
        "calls": calls,
        "us/transaction": spent / each * 1e6,
        "us/transfer": spent / each / calls * 1e6,
        "tree us/transaction": tree_time / each * 1e6,
        "keys written a block": len(execution.writes),
    }


def main() -> None:
    """Both, at every size."""
    arguments = parser(__doc__)
    arguments.add_argument("--keys", default="10000,100000,1000000", help="sizes of the tree")
    options = arguments.parse_args()
    report = Report("state", options.json)
    sizes = [int(text) for text in options.keys.split(",")]
    rows = []
    for keys in sizes:
        gc.collect()
        rows.append(tree(keys))
    report.table("the tree of the state", rows)
    paid = [transfers(max(1_000, min(keys // 10, 20_000)), 1_000, calls) for keys in sizes for calls in (1, 20)]
    report.table("blocks executed by the ledger, signatures checked before", paid)
    report.finish()


if __name__ == "__main__":
    main()
