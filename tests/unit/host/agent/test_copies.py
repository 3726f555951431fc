"""Receipts outlive their node: others keep batches, of the right account and within bounds; they prove themselves."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.docklock.receipts.samples import (
    NODE_KEY,
    OTHER_KEY,
    PAIRING,
    author,
    basis,
    chain_file,
    happening,
    pinned,
    refusal,
    written,
)

from metanode.docklock.receipts import (
    WorkloadReceiptRefusal,
    batch_copy,
    batch_of,
    read_copy,
    verify_workload_receipt,
    workload_receipt_file,
)
from metanode.host.agent import copies
from metanode.host.agent.chain import ChainUnreachable
from metanode.host.agent.copies import TRIES_MAX, WAITING_MAX, Copier, CopyStore
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.agent.records import Records
from metanode.host.disk import Disk
from metanode.primitives.codec import encode
from metanode.records.address import address_of_key
from metanode.records.agent_request import Asker, RequestRefusal
from metanode.records.pinned_batch import BATCH_COPIES, PinnedBatch
from metanode.records.workload_receipt import SignedEntry

NODE = Asker(address_of_key(NODE_KEY.public_key), NODE_KEY.public_key)
OTHER = Asker(address_of_key(OTHER_KEY.public_key), OTHER_KEY.public_key)
ACCOUNT = NODE.account.hex()


def row(count: int) -> list[SignedEntry]:
    return written(*(happening(time_ms=n + 1) for n in range(count)))


def proof(entries: list[SignedEntry]) -> PinnedBatch:
    batch = batch_of(entries)
    return PinnedBatch(height=1, batch=batch, chain=chain_file(pinned(batch)))


def copy_of(first: int, count: int) -> bytes:
    entries = row(first + count)[first:]
    return batch_copy(proof(entries), entries)


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_a_copy_holds_proves_itself(tmp_path: Path) -> None:
    store = CopyStore(tmp_path / "copies", Disk())
    store.put(copy_of(2, 3), NODE)
    assert store.kept() == [{"node": "node-2", "account": ACCOUNT, "first": [2]}]
    data = CopyStore(tmp_path / "copies", Disk()).read("node-2", ACCOUNT, 2)
    assert data == copy_of(2, 3)
    found, entries = read_copy(data)
    for number in (2, 3, 4):
        file = encode(workload_receipt_file(entries, number, found.chain))
        assert verify_workload_receipt(file, basis(), PAIRING).signed.entry.number == number


def test_a_node_has_only_its_own_kept(tmp_path: Path) -> None:
    store = CopyStore(tmp_path / "copies", Disk())
    assert refusal(store.put, copy_of(0, 2), OTHER) == RequestRefusal.NOT_ALLOWED
    assert store.kept() == []


def test_a_copy_is_all_of_one_batch_of_one_author() -> None:
    entries = row(4)
    good = BATCH_COPIES.decode(batch_copy(proof(entries), entries))
    other = written(happening(), by=author(OTHER_KEY), key=OTHER_KEY)
    mixed = [*entries[:3], *other]
    for wrong, layer in (
        (b"", WorkloadReceiptRefusal.ENCODING),
        (encode(replace(good, entries=good.entries[:3])), WorkloadReceiptRefusal.BATCH),
        (encode(replace(good, entries=())), WorkloadReceiptRefusal.BATCH),
        (encode(replace(good, entries=(b"\x90", *good.entries[1:]))), WorkloadReceiptRefusal.ENTRY),
        (encode(replace(good, entries=(*good.entries[:3], encode(other[0])))), WorkloadReceiptRefusal.BATCH),
        (batch_copy(proof(mixed), mixed), WorkloadReceiptRefusal.CHAIN),
    ):
        assert refusal(read_copy, wrong) == layer


def test_what_is_kept_of_a_node_is_bounded_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = CopyStore(tmp_path / "copies", Disk())
    monkeypatch.setattr(copies, "NODE_BYTES_MAX", 2 * len(copy_of(4, 2)) + 10)
    for first in range(0, 10, 2):
        store.put(copy_of(first, 2), NODE)
    assert store.kept()[0]["first"] == [6, 8]


def test_so_many_nodes_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "NODES_MAX", 1)
    store = CopyStore(tmp_path / "copies", Disk())
    store.put(copy_of(0, 1), NODE)
    store.put(copy_of(1, 1), NODE)
    entries = written(happening(), by=author(OTHER_KEY), key=OTHER_KEY)
    assert refusal(store.put, batch_copy(proof(entries), entries), OTHER) == RequestRefusal.NOT_ALLOWED


@pytest.mark.parametrize("wrong", [("..", ACCOUNT, 0), ("node-2", "../" + ACCOUNT[3:], 0), ("node-2", ACCOUNT, 7)])
def test_nothing_else_is_read(tmp_path: Path, wrong: tuple[str, str, int]) -> None:
    store = CopyStore(tmp_path / "copies", Disk())
    store.put(copy_of(0, 1), NODE)
    assert store.read(*wrong) is None


# --- given to others --------------------------------------------------------------------------------------------------


class Others:
    """The other agents of a cluster, as the chain tells them; None: it does not answer."""

    def __init__(self, *endpoints: str) -> None:
        self.endpoints: tuple[str, ...] | None = endpoints

    def agents(self) -> tuple[str, ...]:
        if self.endpoints is None:
            raise ChainUnreachable("nobody answers")
        return self.endpoints


class Giving:
    """A copier at `b:1`, and what it has given to whom; `deaf` take nothing."""

    def __init__(self, folder: Path, *others: str) -> None:
        self.log = ReceiptLog(folder, Disk(), lambda count: bytes(range(count)), author(), NODE_KEY.sign)
        self.entries = list(self.log.append([happening(time_ms=n + 1) for n in range(6)]))
        self.others = Others(*others)
        self.deaf: set[str] = set()
        self.given: list[str] = []
        records = Records(self.log, "sandbox", lambda: 0, lambda: 1_000)
        self.copier = Copier(records, self.others, "shop", "b:1", NODE_KEY)  # type: ignore[arg-type]
        self.runner = asyncio.Runner()

        def put(endpoint: str, data: bytes) -> bool:
            assert read_copy(data)
            self.given += [endpoint] if endpoint not in self.deaf else []
            return endpoint not in self.deaf

        self.copier._put = put  # type: ignore[method-assign]

    def at(self, now_s: float) -> list[str]:
        """Who got something when it is this late."""
        self.given = []
        self.runner.run(self.copier.give_due(now_s))
        return self.given


@pytest.fixture
def giving(tmp_path: Path) -> Iterator[Callable[..., Giving]]:
    made: list[Giving] = []

    def make(*others: str) -> Giving:
        made.append(Giving(tmp_path / "receipts", *others))
        made[-1].copier.copy(proof(made[-1].entries[:4]))
        return made[-1]

    yield make
    for one in made:
        one.runner.close()


def test_the_next_two_keep_a_batch_once(giving: Callable[..., Giving]) -> None:
    desk = giving("a:1", "c:1", "d:1")
    assert desk.at(0) == ["c:1", "d:1"]
    assert desk.at(1e9) == [], "it is kept"


def test_who_is_away_is_passed_over_and_the_circle_closes(giving: Callable[..., Giving]) -> None:
    desk = giving("a:1", "c:1", "d:1")
    desk.deaf = {"c:1"}
    assert desk.at(0) == ["d:1", "a:1"]


def test_what_too_few_keep_is_tried_again_with_the_others_alone(giving: Callable[..., Giving]) -> None:
    desk = giving("a:1", "c:1")
    desk.deaf = {"a:1"}
    assert desk.at(0) == ["c:1"]
    assert desk.at(1) == [], "not yet"
    desk.deaf = set()
    assert desk.at(100) == ["a:1"]
    assert desk.at(1e9) == []


def test_it_is_given_up_at_last_and_only_so_many_wait(giving: Callable[..., Giving]) -> None:
    desk = giving("a:1", "c:1")
    desk.deaf = {"a:1", "c:1"}
    for number in range(TRIES_MAX):
        desk.at(1e6 * number)
    desk.deaf = set()
    assert desk.at(1e9) == [], "given up"
    for _ in range(WAITING_MAX + 3):
        desk.copier.copy(proof(desk.entries[:4]))
    assert len(desk.at(2e9)) == 2 * WAITING_MAX


def test_a_chain_that_is_away_and_a_cluster_of_one_wait(giving: Callable[..., Giving]) -> None:
    desk = giving()
    assert desk.at(0) == []
    desk.others.endpoints = None
    assert desk.at(100) == []
    desk.others.endpoints = ("a:1",)
    assert desk.at(1e6) == ["a:1"], "as many as there are"
