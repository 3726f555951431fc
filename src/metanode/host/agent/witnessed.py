"""What an agent keeps of deterministic jobs: the witness of each run that ended by itself, and what it left."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.images.digests import Digest
from metanode.host.agent.content import Content
from metanode.host.blobs import BlobStore
from metanode.host.runtimes.caging import Cage, Input, Witnessed
from metanode.host.runtimes.driver import ContainerState
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.cage.said import LEFT, OBSERVATIONS
from metanode.host.runtimes.states import Exit
from metanode.primitives.codec import encode
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Rejected
from metanode.records.determinism import (
    FILE_BYTES_MAX,
    INPUT_FOLDER,
    OUTPUT_FOLDER,
    WITNESS_BYTES_MAX,
    Identity,
    LeftFile,
    Said,
    Witness,
    seed_of,
    witness_root,
)
from metanode.records.workload import WorkloadSpec
from metanode.records.workload_receipt import DetailValue

SEEN_MAX: Final = 1_024
"""Runs that ended and are not yet written down; more are not remembered."""
PIECE_BYTES: Final = 1 << 20
"""One read of a file that a job left."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run that ended by itself: what was seen of it, the digest of its single observations, how it ended."""

    witness: Witnessed
    kept: bytes
    end: Exit


def witness_of(identity: Identity, one: Witnessed, kept: bytes, end: Exit) -> Witness:
    """DET-7. The witness of a run, by what its supervisor and the shim saw. `kept`: of its single observations."""
    out, err = (Said(size=stream.size, digest=stream.digest) for stream in one.streams)
    return Witness(
        identity=identity,
        processor=one.processor,
        observations=one.count,
        chain=one.chain,
        kept=kept,
        out=out,
        err=err,
        code=min(end.code, 255),
        signal=end.signal,
        left=tuple(LeftFile(path=left.path, size=left.size, digest=left.digest) for left in one.left),
    )


class Witnesses:
    """DET-7 to DET-9. `cage`: why no deterministic jobs run here, empty where they do."""

    def __init__(self, chain_id: bytes, cluster: str, blobs: BlobStore, content: Content, cage: str) -> None:
        self._chain_id: Final = chain_id
        self._cluster: Final = cluster
        self._blobs: Final = blobs
        self._content: Final = content
        self._cage: Final = cage
        self._seen: Final[dict[str, Seen]] = {}
        self._awaited: Final[dict[str, asyncio.Future[ContainerState]]] = {}

    # --- before a run -----------------------------------------------------------------------------------------------

    def gather(self, spec: WorkloadSpec) -> bool:
        """DET-8. Whether all that the job is given is here. Raises `Rejected` where such jobs do not run here."""
        if not spec.terms.deterministic:
            return True
        if self._cage:
            raise Rejected(RuntimeRefusal.NO_CAGE, self._cage)
        return all(self._content.have(Digest(one.digest.hex()), FILE_BYTES_MAX) for one in spec.inputs)

    def identity(self, one: Assignment, image: bytes) -> Identity:
        """DET-3. What a run of an assignment is of."""
        return Identity(
            chain_id=self._chain_id,
            cluster=self._cluster,
            workload=one.workload,
            index=one.index,
            attempt=one.attempt,
            revision=one.revision,
            spec=one.spec,
            image=image,
        )

    def cage(self, one: Assignment, spec: WorkloadSpec) -> Cage | None:
        """DET-1, DET-3, DET-8. The cage of an assignment; nothing where it is not deterministic."""
        if not spec.terms.deterministic:
            return None
        inputs = tuple(
            Input(str(self._blobs.path(Digest(file.digest.hex()))), f"{INPUT_FOLDER}/{file.name}", file.digest)
            for file in spec.inputs
        )
        seed = seed_of(self.identity(one, spec.terms.demand.image))
        return Cage(bytes(seed), inputs, tuple(f"{OUTPUT_FOLDER}/{name}" for name in spec.outputs))

    # --- after it ---------------------------------------------------------------------------------------------------

    async def adopt(self, states: Iterable[ContainerState]) -> None:
        """What ended while no agent was there."""
        for state in states:
            await self.took(state)

    async def took(self, state: ContainerState) -> bool:
        """A container has ended. Keep what was seen of it, before anybody removes it; true where it was a run again,
        which nobody else need know of."""
        awaited = self._awaited.get(state.id)
        if awaited is not None:
            if not awaited.done():
                awaited.set_result(state)
            return True
        if state.witness is not None and state.exit is not None and len(self._seen) < SEEN_MAX:
            self._seen[state.id] = await asyncio.to_thread(self.keep, state.witness, state.exit)
        return False

    def await_end(self, name: str) -> "asyncio.Future[ContainerState]":
        """The end of a run again. Whoever asks calls `forget` at last."""
        self._awaited[name] = asyncio.get_running_loop().create_future()
        return self._awaited[name]

    def forget(self, name: str) -> None:
        """It is not waited for any more."""
        self._awaited.pop(name, None)

    def keep(self, witness: Witnessed, end: Exit) -> Seen:
        """DET-9, DET-11. Single observations and files left, as content by their digests. Raises `Fault`."""
        folder = Path(witness.folder)
        kept = self._stored(folder / OBSERVATIONS)
        for place, left in enumerate(witness.left):
            if left.digest:
                self._stored(folder / LEFT / str(place))
        return Seen(witness, kept, end)

    def _stored(self, path: Path) -> bytes:
        with path.open("rb") as file:
            stored = self._blobs.put(iter(lambda: file.read(PIECE_BYTES), b""), FILE_BYTES_MAX)
        return stored.digest.raw

    def witness(self, identity: Identity, seen: Seen) -> tuple[Witness, Hash, bytes]:
        """DET-7. The witness of a run, its root, and the digest by which it is kept. Raises `Fault`."""
        made = witness_of(identity, seen.witness, seen.kept, seen.end)
        data = encode(made)
        self._blobs.put((data,), WITNESS_BYTES_MAX)
        return made, witness_root(made), sha256(data).digest()

    def told(self, name: str, one: Assignment, image: bytes) -> dict[str, DetailValue]:
        """DET-7. What the receipt of an end says of a run: its root, and the digest of the witness."""
        seen = self._seen.pop(name, None)
        if seen is None:
            return {}
        _, root, digest = self.witness(self.identity(one, image), seen)
        return {"witness": bytes(root), "output": digest}
