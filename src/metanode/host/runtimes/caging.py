"""What makes a container a deterministic job: its seed, the files it is given, the files it leaves."""

from dataclasses import dataclass
from typing import Any, Final

from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.refusal import Rejected

SEED_BYTES: Final = 32
"""Of all chance that a job sees."""
INPUTS_MAX: Final = 32
"""Files that a job is given; as many that it may leave."""
FILE_BYTES_MAX: Final = 64 << 20
"""Largest file given or left: they are held in memory."""
ARCHITECTURE: Final = "x86_64"
"""The only machine whose system calls and instructions the cage knows."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file of the host whose content has this SHA-256, and where the job finds a copy of it."""

    source: str
    target: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Cage:
    """DET-1. A job of one process that sees nothing of the machine. `outputs`: absolute paths in its /tmp."""

    seed: bytes
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """DET-8, DET-9. A seed; inputs below /srv or /input, outputs below /tmp, each once."""
        if len(self.seed) != SEED_BYTES:
            raise Rejected(RuntimeRefusal.BAD_CAGE, f"a seed has {SEED_BYTES} bytes")
        targets = [one.target for one in self.inputs]
        for listed, below in ((targets, INPUT_FOLDER), (list(self.outputs), OUTPUT_FOLDER)):
            if len(listed) > INPUTS_MAX or len(set(listed)) < len(listed):
                raise Rejected(RuntimeRefusal.BAD_CAGE, f"at most {INPUTS_MAX} files below {below}, each once")
            for path in listed:
                name = path.removeprefix(f"{below}/")
                if name == path or not name or "/" in name or name in {".", ".."} or len(name.encode()) > 255:
                    raise Rejected(RuntimeRefusal.BAD_CAGE, f"{path[:80]!r} is no file in {below}")
        if any(len(one.digest) != 32 for one in self.inputs):
            raise Rejected(RuntimeRefusal.BAD_CAGE, "an input is named by 32 bytes of SHA-256")


INPUT_FOLDER: Final = "/input"
"""Where a job finds what it is given."""
OUTPUT_FOLDER: Final = "/tmp"  # noqa: S108 - the job's own, in memory
"""Where a job leaves what it makes."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Everything that a job said on one stream: how many bytes, and their SHA-256."""

    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Left:
    """A file that a job was to leave: its length and SHA-256, empty where it left none."""

    path: str
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Witnessed:
    """DET-7. What was seen of a job that ended by itself. `count` observations, whose chain ends in `chain`;
    `processor`: the processor was made, too; `folder`: where single observations and the files left are."""

    count: int
    chain: bytes
    processor: bool
    streams: tuple[Stream, Stream]
    left: tuple[Left, ...]
    folder: str


def witnessed_of(message: dict[str, Any] | None) -> Witnessed | None:
    """What the shim sent."""
    if message is None:
        return None
    out, err = (Stream(length, bytes.fromhex(digest)) for length, digest in message["streams"])
    left = tuple(Left(path, length, bytes.fromhex(digest)) for path, length, digest in message["left"])
    return Witnessed(
        message["count"], bytes.fromhex(message["chain"]), message["processor"], (out, err), left, message["folder"]
    )
