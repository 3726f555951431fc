"""Deterministic jobs: what one is given and leaves, the seed of its chance, and the witness of a run."""

import re
from collections.abc import Mapping
from typing import Final

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.merkle import counted_root
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.demand import Demand, check_ascending, check_count, check_digest

FILES_MAX: Final = 32
"""Files that a job is given; as many that it may leave."""
FILE_BYTES_MAX: Final = 64 << 20
"""Largest of them: they are held in memory."""
WITNESS_BYTES_MAX: Final = 16_384
"""Largest witness: its parts are digests and numbers."""
ENGINE: Final = "sandbox"
"""Only its cage makes a run repeatable."""
ARCHITECTURE: Final = "x86_64"
"""The only machine whose system calls and instructions the cage knows."""
INPUT_FOLDER: Final = "/input"
OUTPUT_FOLDER: Final = "/tmp"  # noqa: S108 - inside the container, in memory
"""Where a job finds what it is given, and leaves what it makes."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class DeterminismRefusal(Refusal):
    """Why a job cannot be repeated, or a run of it not compared."""

    NOT_A_JOB = "determinism.not-a-job"
    """Only a job can be repeated: it ends, on the sandbox of x86-64, and is asked nothing on the way."""
    BAD_FILE = "determinism.bad-file"
    """The name of a file given or left: letters, digits, `.`, `_` and `-`, at most 64, beginning with one of the first
    two."""
    OPEN_TO_THE_WORLD = "determinism.open-to-the-world"
    """It would see what another node has not: volumes, secrets, the network, health checks."""
    NO_WITNESS = "determinism.no-witness"
    """The receipt tells no witness: the job did not end by itself, or is none that can be repeated."""
    OTHER_WITNESS = "determinism.other-witness"
    """A run again gave another witness than the receipt says."""
    MISSING = "determinism.missing"
    """The specification, an input, or what the chain says of them cannot be had now; it may be later."""
    BUSY = "determinism.busy"
    """This node runs another job again just now; one at a time."""


class InputFile(Wire):
    """DET-8. A file that a job finds at `/input/NAME`: the content that has this SHA-256."""

    name: str
    digest: bytes


class Said(Wire):
    """Everything that a job said on one stream: its length in bytes and SHA-256."""

    size: int
    digest: bytes


class LeftFile(Wire):
    """DET-9. A file that a job was to leave: length and SHA-256, 0 and empty where it left none."""

    path: str
    size: int
    digest: bytes


class Identity(Wire):
    """DET-3. What a run is of: an attempt of a replica, as it was placed, with its specification and image."""

    chain_id: bytes
    cluster: str
    workload: str
    index: int
    attempt: int
    revision: int
    spec: bytes
    image: bytes


class Witness(Wire, tag="metanode.witness.1"):
    """DET-7. All that a run did. `observations` told to it, whose chain ends in `chain`; `kept`: SHA-256 of the first
    of them, one by one; `processor`: what the processor can was made, too; `code`, `signal`: how it ended."""

    identity: Identity
    processor: bool
    observations: int
    chain: bytes
    kept: bytes
    out: Said
    err: Said
    code: int
    signal: int
    left: tuple[LeftFile, ...]


WITNESSES: Final = Decoder[Witness](Witness, WITNESS_BYTES_MAX)


def seed_of(identity: Identity) -> Hash:
    """DET-3. The seed of all chance: it follows from what was placed by consensus, not from the node."""
    return digest(Tag.WITNESS_SEED, encode(identity))


def witness_root(witness: Witness) -> Hash:
    """DET-7. The root over the parts, counted: whoever has it can be shown one part by itself."""
    parts = (
        ("job", encode(witness.identity)),
        ("observations", encode((witness.processor, witness.observations, witness.chain, witness.kept))),
        ("stdout", encode(witness.out)),
        ("stderr", encode(witness.err)),
        ("end", encode((witness.code, witness.signal))),
        *(("file", encode(one)) for one in witness.left),
    )
    return counted_root(Tag.WITNESS, [encode(part) for part in parts])


def check_file_name(name: str) -> None:
    """DET-8, DET-9. Raises `Rejected`."""
    if not _NAME.fullmatch(name):
        raise Rejected(DeterminismRefusal.BAD_FILE, f"{name[:80]!r}: like data.csv, at most 64 characters")


def check_deterministic_terms(workload: str, kind: str, demand: Demand) -> None:
    """DET-1. Where a deterministic job may be placed: the committee sees to it. Raises `Rejected`."""
    if (kind, demand.engines, demand.architecture) != ("job", (ENGINE,), ARCHITECTURE):
        asked = f"{kind} on {', '.join(demand.engines) or 'any engine'}, {demand.architecture or 'any machine'}"
        raise Rejected(DeterminismRefusal.NOT_A_JOB, f"{workload}: {asked}; a job on {ENGINE}, {ARCHITECTURE}")


def check_deterministic(
    inputs: tuple[InputFile, ...], outputs: tuple[str, ...], outside: Mapping[str, object], *, deterministic: bool
) -> None:
    """DET-8, DET-9, DET-10. What a job is given and leaves, and that it has nothing of the world `outside`, by what
    each thing is called. Raises `Rejected`."""
    for what, listed in (("inputs", tuple(one.name for one in inputs)), ("outputs", outputs)):
        check_count(what, len(listed), FILES_MAX)
        check_ascending(what, listed)
        for name in listed:
            check_file_name(name)
    for one in inputs:
        check_digest("an input", one.digest)
    if not deterministic:
        if inputs or outputs:
            raise Rejected(DeterminismRefusal.NOT_A_JOB, "inputs and outputs are those of a deterministic job")
        return
    found = [what for what, there in outside.items() if there]
    if found:
        raise Rejected(
            DeterminismRefusal.OPEN_TO_THE_WORLD, f"{', '.join(found)}; files are given by digest, as inputs"
        )
