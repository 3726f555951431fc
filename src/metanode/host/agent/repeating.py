"""A deterministic job is run once more, from the same specification, image, inputs and seed, and compared."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.images.digests import Digest
from metanode.docklock.receipts.differing import KEPT, Difference, first_difference
from metanode.host.agent.content import Content
from metanode.host.agent.planning import NO_IMAGE, Unpacked, plan_of
from metanode.host.agent.witnessed import Seen, Witnesses
from metanode.host.blobs import BlobStore
from metanode.host.runtimes.driver import ContainerState, Driver
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.cage.numbers import name_of
from metanode.host.runtimes.shim.cage.observed import KEPT_MAX
from metanode.primitives.refusal import Rejected
from metanode.records.determinism import WITNESS_BYTES_MAX, WITNESSES, DeterminismRefusal, Witness, witness_root
from metanode.records.workload import Terms, WorkloadSpec
from metanode.records.workload_receipt import DetailValue

WITHIN_S: Final = 600.0
"""Longest run again: then it is ended, and nothing is said of it."""
KEPT_BYTES_MAX: Final = KEPT.size * KEPT_MAX
"""Single observations of a run."""


@dataclass(frozen=True, slots=True)
class Original:
    """DET-11. The run that is repeated, as its receipt tells it: the assignment, its image, the root, the digest of the
    witness (empty: not known), the name of the receipt."""

    one: Assignment
    image: bytes
    root: bytes
    witness: bytes
    receipt: bytes


@dataclass(frozen=True, slots=True)
class Repeated:
    """What came of it. `difference`: the first, where one can be named."""

    root: bytes
    witness: Witness
    equal: bool
    difference: Difference | None

    def message(self) -> dict[str, Any]:
        """All of it, for whoever asked."""
        found = self.difference
        told = None
        if found is not None:
            name = f"{found.what} ({name_of(found.call)})" if found.call >= 0 else found.what
            told = {"what": name, "first": found.first, "again": found.again}
        return {
            "equal": self.equal,
            "root": self.root.hex(),
            "observations": self.witness.observations,
            "processor": self.witness.processor,
            "code": self.witness.code,
            "stdout": self.witness.out.digest.hex(),
            "files": {one.path: one.digest.hex() for one in self.witness.left},
            "difference": told,
        }


@dataclass(frozen=True, slots=True)
class Means:
    """What a run again is made with."""

    driver: Driver
    content: Content
    blobs: BlobStore
    image: Callable[[bytes], Unpacked]
    volumes: Path


class Pinned(Protocol):
    """Who knows terms: the chain, for an agent."""

    def terms(self, workload: str, revision: int) -> Terms:
        """The terms of a revision. Raises `Rejected`."""


class Written(Protocol):
    """Who writes down what came of it."""

    async def write(
        self, step: str, one: Assignment | None, image: bytes, told: dict[str, DetailValue], code: str = ""
    ) -> object:
        """A step that is durable when this returns."""


class Repeating:
    """DET-11. One at a time, beside what is placed here; each is a receipt, equal or not."""

    def __init__(self, cluster: str, means: Means, witnesses: Witnesses, chain: Pinned, records: Written) -> None:
        self._cluster: Final = cluster
        self._means: Final = means
        self._witnesses: Final = witnesses
        self._chain: Final = chain
        self._records: Final = records
        self._turn: Final = asyncio.Lock()
        self._numbers: Final = count(1)

    async def again(self, first: Original) -> Repeated:
        """Run it, compare, write it down. Raises `Rejected`, `Fault`, `ChainUnreachable`."""
        if self._turn.locked():
            raise Rejected(DeterminismRefusal.BUSY, "one job is run again here just now")
        async with self._turn:
            spec, image = await asyncio.to_thread(self._gathered, first)
            seen = await self._ran(first, spec, image)
            identity = self._witnesses.identity(first.one, first.image)
            made, root, digest = await asyncio.to_thread(self._witnesses.witness, identity, seen)
            equal = bytes(root) == first.root
            difference = None if equal else await asyncio.to_thread(self._differs, first, made)
        told: dict[str, DetailValue] = {"witness": bytes(root), "expected": first.root, "output": digest}
        if first.receipt:
            told["of"] = first.receipt
        code = "" if equal else str(DeterminismRefusal.OTHER_WITNESS)
        await self._records.write("replayed", first.one, first.image, told, code)
        return Repeated(bytes(root), made, equal, difference)

    def _gathered(self, first: Original) -> tuple[WorkloadSpec, Unpacked]:
        """The specification, the image and the inputs, as for any other start."""
        terms = self._chain.terms(first.one.workload, first.one.revision)
        spec = self._means.content.spec(first.one.spec, terms)
        if spec is None:
            raise Rejected(DeterminismRefusal.MISSING, f"no agent has the specification {first.one.spec.hex()[:16]}…")
        if not terms.deterministic:
            raise Rejected(DeterminismRefusal.NOT_A_JOB, f"{terms.workload} does not say that it is deterministic")
        if terms.demand.image != first.image:
            raise Rejected(DeterminismRefusal.NO_WITNESS, "the receipt names another image than the specification")
        if not self._witnesses.gather(spec):
            raise Rejected(DeterminismRefusal.MISSING, "no agent has one of its inputs")
        return spec, self._means.image(first.image) if first.image else NO_IMAGE

    async def _ran(self, first: Original, spec: WorkloadSpec, image: Unpacked) -> Seen:
        """In a container of its own, which is gone when this returns."""
        one, driver = first.one, self._means.driver
        name = f"{self._cluster}.{one.workload}.{one.index}.{one.attempt}.again-{next(self._numbers)}"
        cage = self._witnesses.cage(one, spec)
        plan = plan_of(name, one.index, spec, image, self._means.volumes, (), cage)
        ended = self._witnesses.await_end(name)
        try:
            await driver.create(plan)
            await driver.start(name)
            async with asyncio.timeout(WITHIN_S):
                state = await ended
            return await asyncio.to_thread(self._seen, state)
        except TimeoutError:
            raise Rejected(DeterminismRefusal.NO_WITNESS, f"it did not end within {WITHIN_S:g} s") from None
        finally:
            await self._clear(name)

    def _seen(self, state: ContainerState) -> Seen:
        if state.witness is None or state.exit is None or state.exit.oom:
            raise Rejected(DeterminismRefusal.NO_WITNESS, "it did not end by itself this time")
        return self._witnesses.keep(state.witness, state.exit)

    async def _clear(self, name: str) -> None:
        for act in (self._means.driver.kill, self._means.driver.remove):
            try:
                await act(name)
            except Rejected as refused:
                if refused.reason not in {RuntimeRefusal.UNKNOWN, RuntimeRefusal.WRONG_PHASE}:
                    raise
        self._witnesses.forget(name)

    def _differs(self, first: Original, made: Witness) -> Difference:
        """DET-11. Where: by the witness that the receipt names, from whichever agent has it."""
        theirs = self._witness_of(first)
        if theirs is None:
            return Difference("the root", first.root.hex(), witness_root(made).hex())
        if bytes(witness_root(theirs)) != first.root:
            return Difference("the receipt", first.root.hex(), f"its own witness has {witness_root(theirs).hex()}")
        found = first_difference(theirs, made, self._kept(theirs.kept), self._kept(made.kept))
        assert found is not None, "other roots are of other witnesses"
        return found

    def _witness_of(self, first: Original) -> Witness | None:
        if not first.witness:
            return None
        digest = Digest(first.witness.hex())
        if not self._means.content.have(digest, WITNESS_BYTES_MAX):
            return None
        try:
            return WITNESSES.decode(self._means.blobs.read(digest, WITNESS_BYTES_MAX))
        except Rejected:
            return None

    def _kept(self, digest: bytes) -> bytes:
        name = Digest(digest.hex())
        return self._means.blobs.read(name, KEPT_BYTES_MAX) if self._means.content.have(name, KEPT_BYTES_MAX) else b""
