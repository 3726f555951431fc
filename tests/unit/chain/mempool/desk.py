"""A pool on pretended accounts, and a short way to talk to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.unit.chain.samples import START_MS, Person, transaction

from metanode.chain import mempool
from metanode.primitives import ed25519
from metanode.primitives.names import Address, Hash, Height
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import KnownTransaction
from metanode.records.parameters import Parameters
from metanode.records.transaction import Authorization

CHAIN_ID = Hash(b"\x01" * 32)
NOW = START_MS


class AuthorityRefusal(Refusal):
    """Stands in for the ledger's."""

    STRANGER = "test.stranger"
    """Another key."""


@dataclass
class Account:
    """What the pretended ledger knows of one sender."""

    address: Address
    spendable: int = 1_000
    nonces: dict[int, int] = field(default_factory=dict)
    keys: tuple[bytes, ...] = ()

    @property
    def policy(self) -> object:
        return self.keys

    def next_nonce(self, lane: int) -> int:
        return self.nonces.get(lane, 0)

    def check_authority(self, authorizations: tuple[Authorization, ...]) -> None:
        keys = self.keys or (next((Person(n).key for n in range(100) if Person(n).address == self.address), bytes(32)),)
        if tuple(one.key for one in authorizations) != keys:
            raise Rejected(AuthorityRefusal.STRANGER, "not its key")


class Ledger:
    """All accounts; each exists when asked for. `asked` counts lookups."""

    def __init__(self) -> None:
        self.accounts: dict[bytes, Account] = {}
        self.asked = 0

    def account_views(self, addresses: Sequence[Address]) -> list[Account]:
        self.asked += len(addresses)
        known = [self.of(address) for address in addresses]
        return [Account(one.address, one.spendable, dict(one.nonces), one.keys) for one in known]

    def of(self, address: bytes) -> Account:
        return self.accounts.setdefault(address, Account(Address(address)))

    def person(self, number: int) -> Account:
        return self.of(Person(number).address)


class Pool:
    """A pool and its surroundings. Signatures are checked at once unless `hold`."""

    def __init__(self, parameters: Parameters | None = None, **limits: int) -> None:
        self.ledger = Ledger()
        self.parameters = parameters or Parameters()
        self.machine = mempool.Mempool(
            CHAIN_ID, self.parameters, self.ledger, mempool.PoolLimits(**limits), timestamp_ms=NOW - 1_000
        )
        self.hold = False
        self.held: list[mempool.CheckSignatures] = []
        self.now_ms = NOW
        self.height = 0
        self.checked = 0

    def tell(self, event: mempool.Event) -> list[mempool.Effect]:
        """All effects but signature checks, which are carried out."""
        out: list[mempool.Effect] = []
        for effect in self.machine.handle(event):
            if isinstance(effect, mempool.CheckSignatures):
                self.held.append(effect)
            else:
                out.append(effect)
        return out + ([] if self.hold else self.release())

    def release(self) -> list[mempool.Effect]:
        out: list[mempool.Effect] = []
        held, self.held = self.held, []
        for check in held:
            verdicts = tuple(ed25519.verify(*item) for item in check.items)
            self.checked += len(verdicts)
            out += self.tell(mempool.SignaturesChecked(self.now_ms, check.token, verdicts))
        return out

    def submit(self, *encoded: bytes, request: int = 1) -> list[mempool.Effect]:
        return self.tell(mempool.Submitted(self.now_ms, request, encoded))

    def gossip(self, peer: bytes, *encoded: bytes) -> list[mempool.Effect]:
        batch = mempool.TransactionBatch(version=1, transactions=encoded)
        return self.tell(mempool.Gossiped(self.now_ms, peer, batch))

    def codes(self, *encoded: bytes) -> list[str]:
        """Submit; the codes of the outcome."""
        (outcome,) = [effect for effect in self.submit(*encoded) if isinstance(effect, mempool.Outcome)]
        return [item.code for item in outcome.items]

    def select(self, **wanted: int) -> list[KnownTransaction]:
        values = {"timestamp_ms": self.now_ms, "bytes_max": 1 << 22, "count_max": 4_000, "work_max": 1 << 22} | wanted
        (selected,) = self.tell(mempool.Select(now_ms=self.now_ms, **values))
        assert isinstance(selected, mempool.Selected)
        return list(selected.transactions)

    def final(
        self, *known: KnownTransaction, parameters: Parameters | None = None, touched: tuple[int, ...] = ()
    ) -> list[mempool.Effect]:
        """A block with these: the ledger moves on first."""
        for one in known:
            asked = one.signed.transaction
            self.ledger.of(asked.sender).nonces[asked.lane] = asked.nonce + 1
        self.height += 1
        people = tuple(Address(Person(number).address) for number in touched)
        self.parameters = parameters or self.parameters
        return self.tell(
            mempool.BlockFinal(self.now_ms, Height(self.height), self.now_ms, known, people, self.parameters)
        )


def tx(number: int = 0, **fields: int | str | bool) -> bytes:
    return transaction(CHAIN_ID, number, **fields)  # type: ignore[arg-type]


def known(encoded: bytes) -> KnownTransaction:
    return mempool.read_transaction(encoded)


def name(encoded: bytes) -> Hash:
    return known(encoded).identity
