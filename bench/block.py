"""How long the fullest blocks take: made by a leader out of a full pool, and judged by a validator that had none of it.

python -m bench.block [--accounts N] [--json FILE]. Goal: making and judging together within half of `round_timeout_ms`.

Made: executed out of everything the pool would offer. Judged: bodies decoded, their signatures checked, executed. The
state lies in a store of this machine.
"""

import gc
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from time import perf_counter

from bench.kit.report import Report, parser

from metanode.host.run import is_account_key
from metanode.host.store import Store
from metanode.host.verify import check_signatures
from metanode.ledger import BlockInput, Ledger, Mathematics, genesis_state
from metanode.ledger.accounts import Account
from metanode.node.known import known_transaction
from metanode.node.modules import MODULES as STATE_MODULES
from metanode.node.rows import STATE
from metanode.node.storage import StateRows
from metanode.primitives import bls
from metanode.primitives.codec import encode
from metanode.primitives.ed25519 import SigningKey
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Seat
from metanode.records.address import address_of_key
from metanode.records.block import KnownTransaction
from metanode.records.calls import AccountsSetPolicy, Call, CoinBurn, CoinDefine, CoinMint, CoinTransfer
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

PARAMETERS = Parameters()
SENDERS = PARAMETERS.block_transactions_max
SIGNERS = sorted((SigningKey(sha256(b"signer %d" % n).digest()) for n in range(16)), key=lambda key: key.public_key)
POLICY = tuple(key.public_key for key in SIGNERS)


def genesis() -> Genesis:
    """One validator, one coin; accounts are put beside it."""
    only = Validator(
        name="only", transport_key=bytes(32), vote_key=bytes(32), bls_key=bytes(48), possession=bytes(96),
        operator=bytes(20), addresses=(),
    )  # fmt: skip
    coin = GenesisCoin(coin="BPI", decimals=2, issuer=bytes(20), minters=(), supply_max=b"")
    return Genesis(
        version=1, name="bench", rules_version=1, development=True, started_ms=0, parameters=PARAMETERS,
        modules=MODULES, fee_coin="BPI", validators=(only,), accounts=(), coins=(coin,),
    )  # fmt: skip


class Bank:
    """Senders with one key and with sixteen, and payees that are there or new."""

    def __init__(self, chain_id: Hash, accounts: int) -> None:
        self.chain_id = chain_id
        self.keys = [SigningKey(sha256(b"sender %d" % n).digest()) for n in range(SENDERS)]
        self.payees = [sha256(b"payee %d" % n).digest()[:20] for n in range(accounts)]
        self.councils = [sha256(b"council %d" % n).digest()[:20] for n in range(SENDERS)]
        self.news = 0

    def state(self) -> Iterator[tuple[bytes, bytes]]:
        """Accounts and balances."""
        plain = encode(Account(nonces=(), keys=(), threshold=0))
        council = encode(Account(nonces=(), keys=POLICY, threshold=16))
        rich = (10**9).to_bytes(16, "big")
        for address in [*(address_of_key(key.public_key) for key in self.keys), *self.payees]:
            yield b"aa" + address, plain
            yield b"cb" + address + b"BPI", rich
        for address in self.councils:
            yield b"aa" + address, council
            yield b"cb" + address + b"BPI", rich
        yield b"csBPI", (10**17).to_bytes(16, "big")

    def new(self) -> bytes:
        """An address that nobody has seen."""
        self.news += 1
        return sha256(b"new %d" % self.news).digest()[:20]

    def signed(self, sender: bytes, signers: list[SigningKey], calls: tuple[Call, ...], limit: int) -> KnownTransaction:
        """A transaction, really signed."""
        transaction = Transaction(
            version=1, chain_id=self.chain_id, sender=sender, lane=0, nonce=0, expires_ms=500_000, fee=b"",
            work_limit=limit, calls=calls, memo="",
        )  # fmt: skip
        name = identity(transaction)
        made = tuple(Authorization(kind=1, key=key.public_key, signature=key.sign(name)) for key in signers)
        whole = SignedTransaction(version=1, transaction=transaction, authorizations=made)
        return KnownTransaction(encode(whole), whole, name, authorizations_digest(made))

    def of_sender(self, number: int, calls: tuple[Call, ...], limit: int) -> KnownTransaction:
        """From an account of one key."""
        key = self.keys[number]
        return self.signed(address_of_key(key.public_key), [key], calls, limit)

    def of_council(self, number: int, calls: tuple[Call, ...], limit: int) -> KnownTransaction:
        """From an account of sixteen keys."""
        return self.signed(self.councils[number], SIGNERS, calls, limit)

    def pay(self, to: bytes) -> CoinTransfer:
        """The smallest payment."""
        return CoinTransfer(coin="BPI", to=to, amount=b"\x01")

    def old(self, number: int) -> bytes:
        """A payee that is there, far from the one before."""
        return self.payees[number * 7_919 % len(self.payees)]


def coin(number: int, call: int) -> CoinDefine:
    """A coin of its own."""
    return CoinDefine(coin=f"C{number}X{call}", decimals=2, supply_max=b"", minters=(bytes(19) + b"\x01",))


Shape = Callable[[Bank, int], KnownTransaction]
SHAPES: dict[str, Shape] = {
    "1 transfer": lambda b, n: b.of_sender(n, (b.pay(b.old(n)),), 200),
    "1 transfer to a new account": lambda b, n: b.of_sender(n, (b.pay(b.new()),), 200),
    "64 transfers": lambda b, n: b.of_sender(n, tuple(b.pay(b.old(n * 64 + c)) for c in range(64)), 2_100),
    "64 transfers to new accounts": lambda b, n: b.of_sender(n, tuple(b.pay(b.new()) for _ in range(64)), 4_000),
    "64 transfers, the last refused": lambda b, n: b.of_sender(
        n, (*(b.pay(b.new()) for _ in range(63)), CoinTransfer(coin="NO", to=bytes(20), amount=b"\x01")), 4_000
    ),
    "1 transfer, 16 signatures": lambda b, n: b.of_council(n, (b.pay(b.old(n)),), 1_100),
    "a policy of 16 keys": lambda b, n: b.of_sender(n, (AccountsSetPolicy(keys=POLICY, threshold=1),), 1_100),
    "30 coins": lambda b, n: b.of_sender(n, tuple(coin(n, c) for c in range(30)), 6_200),
    "64 burns": lambda b, n: b.of_sender(n, (CoinBurn(coin="BPI", amount=b"\x01"),) * 64, 3_400),
    "a coin that is not there": lambda b, n: b.of_sender(
        n, (CoinMint(coin="NO", to=b.old(n), amount=b"\x01"),), 200
    ),
}  # fmt: skip


def offered(bank: Bank, shape: Shape) -> list[KnownTransaction]:
    """What a pool full of this would offer for one block."""
    found: list[KnownTransaction] = []
    size = 0
    for number in range(SENDERS):
        one = shape(bank, number)
        size += len(one.encoded)
        if size > PARAMETERS.block_bytes_max:
            break
        found.append(one)
    return found


def measure(ledger: Ledger, bank: Bank, name: str, shape: Shape) -> dict[str, object]:
    """One row."""
    pool = offered(bank, shape)
    times = []
    for _ in range(3):
        gc.collect()
        began = perf_counter()
        made = ledger.execute(NO_HASH, BlockInput(Height(1), Millis(1), Seat(0), (), tuple(pool)))
        times.append((perf_counter() - began) * 1000)
        bodies = [known.encoded for known in made.transactions]
        began = perf_counter()
        known = [known_transaction(body) for body in bodies]
        claims = tuple((a.key, k.identity, a.signature) for k in known for a in k.signed.authorizations)
        assert all(check_signatures(claims))
        checked_ms = (perf_counter() - began) * 1000
        began = perf_counter()
        judged = ledger.execute(NO_HASH, BlockInput(Height(1), Millis(1), Seat(0), (), tuple(known)))
        judged_ms = (perf_counter() - began) * 1000
        assert judged.state_root == made.state_root
    return {
        "block": name,
        "transactions": len(bodies),
        "work": made.work,
        "made ms": min(times),
        "judged, pool held it, ms": judged_ms,
        "judged, nothing known, ms": judged_ms + checked_ms,
        "us a unit": (judged_ms + checked_ms) * 1000 / made.work,
        "made + judged ms": max(times) + judged_ms + checked_ms,
    }


def main() -> None:
    """All shapes."""
    options = parser(__doc__)
    options.add_argument("--accounts", type=int, default=200_000, help="payees in the state")
    asked = options.parse_args()
    report = Report("block", asked.json)
    world = genesis()
    bank = Bank(genesis_hash(world), asked.accounts)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        rows = {**genesis_state(world, STATE_MODULES), **dict(bank.state())}
        store.write({STATE + key: value for key, value in rows.items()})
        store.flush()
        mathematics = Mathematics(bls.verify_possession, is_account_key)
        ledger = Ledger(world, StateRows(store), Height(0), NO_HASH, mathematics, STATE_MODULES)
        del rows
        gc.collect()
        gc.freeze()
        report.table(
            f"the fullest blocks: block_work_max = {PARAMETERS.block_work_max:,}, {2 * asked.accounts:,} keys",
            [measure(ledger, bank, name, shape) for name, shape in SHAPES.items()],
        )
        store.close()
    report.remark(f"round_timeout_ms = {PARAMETERS.round_timeout_ms}")
    report.finish()


if __name__ == "__main__":
    main()
