"""An agent keeps what was seen of deterministic jobs, and runs one again when it is asked to: equal, or the first
difference; each is a receipt."""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.docklock.agent.desk import assignment
from tests.unit.docklock.receipts.samples import NODE_KEY, author
from tests.unit.records.test_determinism import job

from metanode.docklock.images.digests import Digest
from metanode.docklock.receipts import NO_ENTRIES, Happening, details, write_entry
from metanode.docklock.receipts.differing import KEPT
from metanode.docklock.receipts.refusals import WorkloadReceiptRefusal
from metanode.host.agent.chain import ChainUnreachable
from metanode.host.agent.content import Content
from metanode.host.agent.planning import NO_IMAGE
from metanode.host.agent.receipt_log import ReceiptLog
from metanode.host.agent.records import Records
from metanode.host.agent.repeat_pages import RepeatPages, original_of
from metanode.host.agent.repeating import Means, Original, Repeating
from metanode.host.agent.witnessed import Witnesses
from metanode.host.blobs import BlobStore
from metanode.host.disk import Disk
from metanode.host.runtimes.caging import Left, Stream, Witnessed
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.plan import ContainerPlan
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Exit, LogMark, Phase
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.determinism import WITNESSES, DeterminismRefusal, InputFile, seed_of, witness_root
from metanode.records.workload import Terms, WorkloadSpec, spec_digest
from metanode.records.workload_receipt import SignedEntry, signed_digest

GIVEN = b"1,2,3\n"
CHAIN = bytes(32)


def said(text: bytes) -> Stream:
    return Stream(len(text), sha256(text).digest())


class Engine:
    """A driver whose jobs end as they are told to: `outcome` makes what was seen, `witness` may be nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plans: list[ContainerPlan] = []
        self.removed: list[str] = []
        self.observations = KEPT.pack(228, 0, b"12345678")
        self.out = b"6\n"
        self.left = b"sum"
        self.ends = True
        self.witnessed = True
        self.ended: Any = None

    async def create(self, plan: ContainerPlan) -> None:
        self.plans.append(plan)

    async def start(self, name: str) -> None:
        if self.ends:
            await self.ended(self.state(name))

    def state(self, name: str) -> ContainerState:
        folder = self.folder / name
        (folder / "left").mkdir(parents=True, exist_ok=True)
        (folder / "observations").write_bytes(self.observations)
        (folder / "left" / "0").write_bytes(self.left)
        seen = Witnessed(
            count=len(self.observations) // KEPT.size,
            chain=sha256(self.observations).digest(),
            processor=True,
            streams=(said(self.out), said(b"")),
            left=(Left("/tmp/sum", len(self.left), sha256(self.left).digest()),),
            folder=str(folder),
        )
        end = Exit(0, 0, oom=False, at_ns=1)
        mark = LogMark(0, 0, 0, "")
        return ContainerState(
            name, "sandbox", Phase.EXITED, 0, 0, 0, end, mark, witness=seen if self.witnessed else None
        )

    async def kill(self, name: str) -> None:
        raise Rejected(RuntimeRefusal.WRONG_PHASE, name)

    async def remove(self, name: str) -> None:
        self.removed.append(name)


class Chain:
    """Knows the terms of one revision."""

    def __init__(self, terms: Terms) -> None:
        self.told = terms
        self.away = False

    def terms(self, workload: str, revision: int) -> Terms:
        if self.away:
            raise ChainUnreachable("nobody there")
        assert (workload, revision) == (self.told.workload, 1)
        return self.told


class Room:
    """An agent with a job that has run here once."""

    def __init__(self, folder: Path, spec: WorkloadSpec | None = None, cage: str = "") -> None:
        wanted = job(inputs=(InputFile(name="a.csv", digest=sha256(GIVEN).digest()),), outputs=("sum",))
        self.spec = spec or wanted
        self.blobs = BlobStore(folder / "content", Disk(), bytes)
        self.content = Content(self.blobs, lambda: (), lambda _verb, _path: {})
        for data in (GIVEN, encode(self.spec)):
            self.blobs.put((data,), 1 << 20)
        self.one = msgspec.structs.replace(
            assignment(), workload=self.spec.terms.workload, revision=1, spec=bytes(spec_digest(self.spec))
        )
        self.witnesses = Witnesses(CHAIN, "main", self.blobs, self.content, cage)
        self.engine = Engine(folder)
        self.engine.ended = self.witnesses.took
        self.log = ReceiptLog(folder / "receipts", Disk(), lambda count: bytes(range(count)), author(), NODE_KEY.sign)
        self.records = Records(self.log, "sandbox", lambda: 7, lambda: 1_000)
        self.chain = Chain(self.spec.terms)
        driver: Any = self.engine
        chain: Any = self.chain
        means = Means(driver, self.content, self.blobs, lambda _: NO_IMAGE, folder)
        self.repeating = Repeating("main", means, self.witnesses, chain, self.records)

    def first_run(self) -> Original:
        """As it happens on the node where the job was placed, and what its receipt then says."""

        async def run() -> dict[str, Any]:
            assert not await self.witnesses.took(self.engine.state("main.web.0.1"))
            return dict(self.witnesses.told("main.web.0.1", self.one, b""))

        told = asyncio.run(run())
        return Original(self.one, b"", told["witness"], told["output"], b"r" * 32)

    def again(self, first: Original) -> Any:
        return asyncio.run(self.repeating.again(first))

    def entries(self) -> list[Any]:
        return [one.entry for one in self.log.read(0, 100)]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_what_was_seen_is_kept_by_its_digests_before_the_container_goes(room: Room) -> None:
    first = room.first_run()
    witness = WITNESSES.decode(room.blobs.read(Digest(first.witness.hex())))
    assert witness_root(witness) == first.root
    assert room.blobs.read(Digest(witness.left[0].digest.hex())) == b"sum"
    assert room.blobs.read(Digest(witness.kept.hex())) == room.engine.observations
    assert witness.identity == room.witnesses.identity(room.one, b"")
    assert room.witnesses.told("main.web.0.1", room.one, b"") == {}, "it is told once"


def test_the_same_job_in_the_same_cage_is_equal_and_that_is_written_down(room: Room) -> None:
    first = room.first_run()
    repeated = room.again(first)
    assert (repeated.equal, repeated.root, repeated.difference) == (True, first.root, None)
    assert repeated.message()["equal"] is True
    plan = room.engine.plans[0]
    assert plan.cage is not None
    assert plan.cage.seed == seed_of(room.witnesses.identity(room.one, b""))
    assert [(one.target, one.digest) for one in plan.cage.inputs] == [("/input/a.csv", sha256(GIVEN).digest())]
    assert Path(plan.cage.inputs[0].source).read_bytes() == GIVEN
    assert plan.cage.outputs == ("/tmp/sum",)
    assert plan.read_only_root
    assert room.engine.removed == [plan.id], "nothing of it is left"
    (entry,) = room.entries()
    told = {one.name: one.value for one in entry.details}
    assert (entry.step, entry.code, entry.workload, entry.attempt) == ("replayed", "", "web", room.one.attempt)
    assert (told["witness"], told["expected"], told["of"]) == (first.root, first.root, b"r" * 32)


@pytest.mark.parametrize(
    ("part", "value", "what"),
    [
        ("observations", KEPT.pack(228, 1, b"87654321"), "observation 0 (clock_gettime)"),
        ("out", b"7\n", "stdout"),
        ("left", b"mus", "file /tmp/sum"),
    ],
)
def test_what_differs_first_is_named_and_written_down(room: Room, part: str, value: bytes, what: str) -> None:
    first = room.first_run()
    setattr(room.engine, part, value)
    repeated = room.again(first)
    assert (repeated.equal, repeated.message()["difference"]["what"]) == (False, what)
    (entry,) = room.entries()
    assert entry.code == DeterminismRefusal.OTHER_WITNESS


def test_a_receipt_whose_witness_has_another_root_is_named_as_what_lies(room: Room) -> None:
    first = room.first_run()
    lie = Original(first.one, b"", bytes([1]) + first.root[1:], first.witness, b"")
    found = room.again(lie).difference
    assert (found.what, found.first) == ("the receipt", lie.root.hex())
    unknown = Original(first.one, b"", lie.root, bytes(32), b"")
    assert room.again(unknown).difference.what == "the root"
    assert room.again(Original(first.one, b"", lie.root, b"", b"")).difference.what == "the root"
    room.blobs.put((b"no witness",), 100)
    no_witness = Original(first.one, b"", lie.root, sha256(b"no witness").digest(), b"")
    assert room.again(no_witness).difference.what == "the root"


def refusal_of(room: Room, first: Original) -> object:
    with pytest.raises(Rejected) as refused:
        room.again(first)
    return refused.value.reason


def test_what_cannot_be_run_again_is_refused_by_name(tmp_path: Path) -> None:
    room = Room(tmp_path / "one")
    first = room.first_run()
    other = msgspec.structs.replace(first.one, spec=bytes(32))
    assert refusal_of(room, Original(other, b"", first.root, b"", b"")) is DeterminismRefusal.MISSING
    assert refusal_of(room, Original(first.one, bytes(32), first.root, b"", b"")) is DeterminismRefusal.NO_WITNESS
    room.engine.witnessed = False
    assert refusal_of(room, first) is DeterminismRefusal.NO_WITNESS
    gone = Room(tmp_path / "two", job(inputs=(InputFile(name="a", digest=bytes(32)),)))
    assert refusal_of(gone, gone.first_run()) is DeterminismRefusal.MISSING
    terms = msgspec.structs.replace(job().terms, deterministic=False)
    usual = Room(tmp_path / "three", job(terms=terms))
    assert refusal_of(usual, usual.first_run()) is DeterminismRefusal.NOT_A_JOB
    lacking = Room(tmp_path / "four", cage="no deterministic jobs: a trial failed")
    assert refusal_of(lacking, lacking.first_run()) is RuntimeRefusal.NO_CAGE
    assert all(one.entries() == [] for one in (room, gone, usual, lacking))


def test_one_at_a_time_and_what_does_not_end_is_ended(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.host.agent.repeating.WITHIN_S", 0.05)
    first = room.first_run()
    room.engine.ends = False

    async def both() -> list[object]:
        return await asyncio.gather(*(room.repeating.again(first) for _ in range(2)), return_exceptions=True)

    found = asyncio.run(both())
    reasons = [one.reason for one in found if isinstance(one, Rejected)]
    assert reasons == [DeterminismRefusal.NO_WITNESS, DeterminismRefusal.BUSY]
    assert len(room.engine.removed) == 1


def test_an_ordinary_container_has_no_cage_and_lacks_nothing(tmp_path: Path) -> None:
    spec = job(terms=msgspec.structs.replace(job().terms, deterministic=False))
    room = Room(tmp_path, spec, cage="no deterministic jobs: no x86_64")
    assert room.witnesses.gather(spec)
    assert room.witnesses.cage(room.one, spec) is None


def test_what_ended_while_no_agent_was_there_is_kept_too(room: Room) -> None:
    asyncio.run(room.witnesses.adopt((room.engine.state("main.web.0.1"),)))
    assert set(room.witnesses.told("main.web.0.1", room.one, b"")) == {"witness", "output"}


# --- the page ---------------------------------------------------------------------------------------------------------


def signed(room: Room, first: Original, **changed: Any) -> SignedEntry:
    """The receipt of the first run."""
    one = first.one
    told = details(witness=first.root, output=first.witness)
    base = {
        "time_ms": 1, "height": 1, "step": "exited", "workload": one.workload, "index": one.index,
        "attempt": one.attempt, "revision": one.revision, "spec": one.spec, "engine": "sandbox", "code": "0",
        "details": told,
    }  # fmt: skip
    return write_entry(author(), NO_ENTRIES, Happening(**{**base, **changed}), NODE_KEY.sign)


def test_a_receipt_says_which_run_is_meant(room: Room) -> None:
    first = room.first_run()
    entry = signed(room, first)
    found = original_of(encode(entry), author().cluster)
    assert (found.one.workload, found.one.spec, found.root, found.witness) == (
        first.one.workload, first.one.spec, first.root, first.witness,
    )  # fmt: skip
    assert found.receipt == signed_digest(entry)


def test_what_is_no_receipt_of_a_run_is_refused(room: Room) -> None:
    first = room.first_run()
    good = signed(room, first)
    forged = SignedEntry(entry=msgspec.structs.replace(good.entry, code="1"), key=good.key, signature=good.signature)
    for data, reason in (
        (encode(signed(room, first, details=())), DeterminismRefusal.NO_WITNESS),
        (encode(signed(room, first, step="started", code="", details=())), DeterminismRefusal.NO_WITNESS),
        (encode(forged), WorkloadReceiptRefusal.SIGNATURE),
    ):
        with pytest.raises(Rejected) as refused:
            original_of(data, author().cluster)
        assert refused.value.reason is reason
    with pytest.raises(Rejected) as refused:
        original_of(encode(good), "another")
    assert refused.value.reason is DeterminismRefusal.NO_WITNESS


def lines(room: Room, first: Original) -> list[dict[str, Any]]:
    async def read() -> list[bytes]:
        return [line async for line in RepeatPages("main", room.repeating)._lines(first)]

    return [msgspec.json.decode(line) for line in asyncio.run(read())]


def test_whoever_asks_hears_what_came_of_it_or_why_nothing_did(room: Room) -> None:
    first = room.first_run()
    assert lines(room, first)[-1]["equal"] is True
    room.engine.witnessed = False
    assert lines(room, first)[-1]["error"]["code"] == "determinism.no-witness"
    room.chain.away = True
    assert lines(room, first)[-1]["error"]["code"] == "determinism.missing"


def test_a_long_run_is_heard_of_while_it_goes_on(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metanode.host.agent.repeating.WITHIN_S", 0.2)
    monkeypatch.setattr("metanode.host.agent.repeat_pages.BEAT_S", 0.01)
    first = room.first_run()
    room.engine.ends = False
    told = lines(room, first)
    assert told[0] == {"running": True}
    assert told[-1]["error"]["code"] == "determinism.no-witness"
