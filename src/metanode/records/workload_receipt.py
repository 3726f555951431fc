"""Receipts of workloads: what a node did with a replica, signed by it, one entry a step, each naming the one before."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.digest import Tag, digest
from metanode.primitives.names import Hash
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.cluster import ReceiptBatch, check_account
from metanode.records.demand import ENGINES, check_ascending, check_digest, check_name, check_range, check_word
from metanode.records.receipt_file import RECEIPT_FILE_BYTES_MAX
from metanode.records.workload import PROBES, REPLICAS_MAX

ENTRY_BYTES_MAX: Final = 4_096
"""Largest signed entry: nothing large is in it, only its digest."""
DETAIL_BYTES_MAX: Final = 256
"""Longest text of a detail: the longest entry of any step stays below its bound."""
NUMBER_MAX: Final = 1 << 62
"""No count and no number of an entry reaches it."""

_CODE: Final = re.compile(r"[a-z][a-z0-9-]{0,30}\.[a-z][a-z0-9-]{0,62}", re.ASCII)
_EXIT: Final = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)


class EntryRefusal(Refusal):
    """Why an entry says nothing that could be believed, whoever signed it."""

    VERSION = "wreceipt.version"
    """Of another version than this program knows."""
    UNKNOWN_STEP = "wreceipt.unknown-step"
    """A step that is none of those known."""
    BAD_SUBJECT = "wreceipt.bad-subject"
    """What the entry is about has not the parts that it must have together."""
    MISSING = "wreceipt.missing"
    """The step must say something that is not there."""
    UNEXPECTED = "wreceipt.unexpected"
    """The entry says something that its step has no place for."""
    BAD_CODE = "wreceipt.bad-code"
    """Neither an exit status nor a stable code, as the step demands."""
    BAD_DETAIL = "wreceipt.bad-detail"
    """A detail of another kind than its name says, or too long."""


DetailValue: TypeAlias = int | str | bytes


class CountDetail(Wire, tag="count"):
    """A number that a step tells, by name."""

    name: str
    value: int


class TextDetail(Wire, tag="text"):
    """A text that a step tells, by name."""

    name: str
    value: str


class BytesDetail(Wire, tag="bytes"):
    """A digest or an account that a step tells, by name."""

    name: str
    value: bytes


Detail: TypeAlias = CountDetail | TextDetail | BytesDetail
"""Something more that a step tells."""


def detail(name: str, value: DetailValue) -> Detail:
    """WREC-4. The detail that holds this value."""
    if isinstance(value, bytes):
        return BytesDetail(name=name, value=value)
    return TextDetail(name=name, value=value) if isinstance(value, str) else CountDetail(name=name, value=value)


class Entry(Wire, tag="metanode.workload-entry.1"):
    """WREC-1. One step, as the node saw it. Which of the parts a step has is in `STEPS`.

    `number` without gaps from 0, `previous` the digest of the signed entry before (zeroes for the first). `time_ms`:
    the node's clock, which nobody else has checked. `height`: the last header that the node had verified.
    `workload` empty: about no replica, then `index`, `attempt`, `revision` are 0 and `spec` is empty. `image` empty:
    the node's own /usr. `decision`: digest of the rule or agreement under which it happened, empty for none. `code`:
    an exit status, a stable code, or empty.
    """

    version: int
    chain_id: bytes
    cluster: str
    node: str
    number: int
    previous: bytes
    time_ms: int
    height: int
    step: str
    workload: str
    index: int
    attempt: int
    revision: int
    spec: bytes
    image: bytes
    engine: str
    decision: bytes
    code: str
    details: tuple[Detail, ...]


class SignedEntry(Wire):
    """WREC-2. An entry, the key of the node's account (32 bytes), and its Ed25519 signature (64)."""

    entry: Entry
    key: bytes
    signature: bytes


class WorkloadReceiptFile(Wire, tag="metanode.workload-receipt.1"):
    """WREC-8. A signed entry, its path in a batch, and the file that proves that the batch is pinned on a chain.

    `chain`: the bytes of the receipt file (LIGHT-10) of the transaction by which the node reported the batch.
    """

    version: int
    signed: bytes
    batch: ReceiptBatch
    path: tuple[bytes, ...]
    chain: bytes


class EntriesFile(Wire, tag="metanode.workload-entries.1"):
    """WREC-23. Signed entries that follow one another, without proof: what stands between receipts of one node."""

    version: int
    entries: tuple[bytes, ...]


SIGNED_ENTRIES: Final = Decoder[SignedEntry](SignedEntry, ENTRY_BYTES_MAX)
WORKLOAD_RECEIPT_FILES: Final = Decoder[WorkloadReceiptFile](
    WorkloadReceiptFile, RECEIPT_FILE_BYTES_MAX + 2 * ENTRY_BYTES_MAX
)
ENTRIES_MAX: Final = 1_024
"""Most entries of one file: four megabytes."""
ENTRIES_FILES: Final = Decoder[EntriesFile](EntriesFile, 64 + ENTRIES_MAX * (ENTRY_BYTES_MAX + 8))
FILE_BEGINS: Final = encode("metanode.workload-receipt.1")
"""What the bytes of such a file have after their first one, and those of another receipt file have not."""


@dataclass(frozen=True, slots=True)
class StepForm:
    """WREC-3. What a step says. `engine`: it must name one; `code`: `none`, `exit`, `refusal`, with `?` where it may be
    empty; details it `must` and `may` have; `alone`: it may be about no replica; `did`: in a sentence."""

    did: str
    engine: bool = True
    code: str = "none"
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    alone: bool = False


_APPLIED: Final = ("cpu-millicores", "memory-kib", "pids-max", "rootfs", "seccomp")
_LEFT: Final = ("log", "log-bytes", "output", "reason", "signal")
_SECRET: Final = ("commitment", "key", "secret", "secret-version")
_WHY: Final = ("caller", "change", "command", "limit", "policy", "reason", "rule", "signer", "source", "times")

STEPS: Final = {
    "pulled": StepForm("pulled the image for", engine=False, must=("source",), may=("bytes",), alone=True),
    "verified": StepForm("verified", engine=False, may=("policy", "signer"), alone=True),
    "created": StepForm("created", may=_APPLIED),
    "started": StepForm("started", may=(*_APPLIED, "input")),
    "healthy": StepForm("found healthy", may=("probe", "reason")),
    "unhealthy": StepForm("found unhealthy", may=("probe", "reason")),
    "execed": StepForm("executed a command in", code="exit?", must=("caller", "command"), may=("of", "reason")),
    "stopped": StepForm("stopped", code="exit?", may=_LEFT),
    "exited": StepForm("saw the end of", code="exit", may=(*_LEFT, "witness")),
    "killed": StepForm("killed", code="exit?", must=("reason",), may=_LEFT),
    "moved": StepForm("let go of", engine=False, may=("reason", "to")),
    "refused": StepForm("refused", engine=False, code="refusal", may=_WHY, alone=True),
    "restarted": StepForm("started again", may=(*_APPLIED, "delay-ms", "reason", "restarts")),
    "secret-received": StepForm("received a secret for", engine=False, must=(*_SECRET, "source")),
    "secret-released": StepForm("released a secret to", engine=False, must=_SECRET),
    "secret-resealed": StepForm("sealed a secret anew for", engine=False, must=(*_SECRET, "to")),
    "replayed": StepForm("ran again", code="refusal?", must=("witness",), may=("expected", "log", "of", "output")),
}
"""WREC-3. Every step, in the order of a life."""

DETAILS: Final = {
    "bytes": "count",  # of the image that was pulled
    "caller": "account",  # who asked
    "change": "text",  # the smallest change that would have been allowed
    "command": "digest",  # SHA-256 of the words of a command
    "commitment": "digest",  # of a secret's content, salted: nobody can try guesses against it
    "cpu-millicores": "count",  # the limit as applied, 0 where the engine cannot
    "delay-ms": "count",  # how long it rested before
    "expected": "digest",  # the witness root of the first run
    "input": "digest",
    "key": "digest",  # of the sealing key of the node that the secret is sealed to
    "limit": "text",  # the limit that was exceeded
    "log": "digest",  # SHA-256 of the output so far
    "log-bytes": "count",
    "memory-kib": "count",  # the limit as applied, 0 where the engine cannot
    "of": "digest",  # the signed entry that this one is about
    "output": "digest",
    "pids-max": "count",  # the limit as applied, 0 where the engine cannot
    "policy": "digest",  # the rule about signatures of images
    "probe": "probe",
    "reason": "text",
    "restarts": "count",  # which start of this attempt it is, less one
    "rootfs": "digest",  # the root file system as unpacked
    "rule": "text",  # the numbered rule
    "seccomp": "digest",  # the filter as loaded
    "secret": "name",
    "secret-version": "count",
    "signal": "text",
    "signer": "digest",  # the key that signed the image
    "source": "text",  # where the image came from
    "times": "count",  # how often the like was refused since, within a minute
    "to": "name",  # the node where it goes on, where that is known
    "witness": "digest",  # the root over all that a deterministic job did
}
"""WREC-4. Every detail, and what its value is."""


def command_digest(words: tuple[str, ...]) -> Hash:
    """WREC-4. What the detail `command` holds: SHA-256 of the words' canonical bytes. The words themselves may hold
    what is not for all eyes."""
    return Hash(sha256(encode(words)).digest())


def entry_digest(entry: Entry) -> Hash:
    """WREC-2. What the node signs."""
    return digest(Tag.WORKLOAD_ENTRY, encode(entry))


def signed_digest(signed: SignedEntry) -> Hash:
    """WREC-2. What names a signed entry: as `previous` of the next one, and as a leaf of its batch."""
    return digest(Tag.WORKLOAD_RECEIPT, encode(signed))


def shortened(text: str) -> str:
    """WREC-4. A text as a detail can carry it: printable, cut off where it is too long."""
    printable = "".join(one if one.isprintable() else "?" for one in text)
    if len(printable.encode()) <= DETAIL_BYTES_MAX:
        return printable
    return printable.encode()[: DETAIL_BYTES_MAX - 3].decode(errors="ignore") + "…"


def check_entry(entry: Entry) -> None:
    """WREC-1, WREC-3, WREC-4. An entry that says all that its step must, and nothing else. Raises `Rejected`."""
    if entry.version != 1:
        raise Rejected(EntryRefusal.VERSION, f"version {entry.version}, this program knows 1")
    form = STEPS.get(entry.step)
    if form is None:
        raise Rejected(EntryRefusal.UNKNOWN_STEP, f"{entry.step[:40]!r}, known: {', '.join(STEPS)}")
    check_name("cluster", entry.cluster)
    check_name("node", entry.node)
    check_digest("the chain", entry.chain_id)
    check_digest("the digest of the entry before", entry.previous)
    if (entry.number == 0) != (entry.previous == bytes(32)):
        raise Rejected(EntryRefusal.BAD_SUBJECT, "the first entry names none before it, every other one does")
    for what, number in (("number", entry.number), ("time_ms", entry.time_ms), ("height", entry.height)):
        check_range(what, number, 0, NUMBER_MAX)
    _check_subject(entry, form)
    _check_code(entry, form)
    _check_details(entry, form)


def _check_subject(entry: Entry, form: StepForm) -> None:
    """WREC-1, WREC-3. A replica with its specification, or nothing of the kind; an image, an engine where due."""
    if entry.workload:
        check_name("workload", entry.workload)
        check_digest("the specification", entry.spec)
        check_range("the index", entry.index, 0, REPLICAS_MAX - 1)
        check_range("the attempt", entry.attempt, 0, NUMBER_MAX)
        check_range("the revision", entry.revision, 0, NUMBER_MAX)
    elif not form.alone:
        raise Rejected(EntryRefusal.MISSING, f"{entry.step} is about a replica, and none is named")
    elif (entry.index, entry.attempt, entry.revision, entry.spec) != (0, 0, 0, b""):
        raise Rejected(EntryRefusal.BAD_SUBJECT, "about no workload, but with parts of one")
    if entry.image:
        check_digest("the image", entry.image)
    elif entry.step == "pulled":
        raise Rejected(EntryRefusal.MISSING, "pulled, and no image is named")
    if entry.engine:
        check_word("the engine", entry.engine, ENGINES)
    elif form.engine:
        raise Rejected(EntryRefusal.MISSING, f"{entry.step}, and no engine is named")
    if entry.decision:
        check_digest("the decision", entry.decision)


def _check_code(entry: Entry, form: StepForm) -> None:
    """WREC-3. No code, an exit status from 0 to 255, or a stable code."""
    kind = form.code.rstrip("?")
    if not entry.code:
        if kind != "none" and form.code == kind:
            raise Rejected(EntryRefusal.BAD_CODE, f"{entry.step} has a code ({kind})")
    elif kind == "none":
        raise Rejected(EntryRefusal.UNEXPECTED, f"{entry.step} has no code, {entry.code[:40]!r} is given")
    elif kind == "exit" and not (_EXIT.fullmatch(entry.code) and int(entry.code) <= 255):
        raise Rejected(EntryRefusal.BAD_CODE, f"{entry.code[:40]!r} is no exit status from 0 to 255")
    elif kind == "refusal" and not _CODE.fullmatch(entry.code):
        raise Rejected(EntryRefusal.BAD_CODE, f"{entry.code[:100]!r} is no stable code, like demand.bad-name")


def _check_details(entry: Entry, form: StepForm) -> None:
    """WREC-3, WREC-4. Ascending by name, each at most once; what must be there is, and nothing that may not."""
    names = tuple(one.name for one in entry.details)
    for name in names:
        if name not in form.must and name not in form.may:
            raise Rejected(EntryRefusal.UNEXPECTED, f"{entry.step} has no detail {name[:40]!r}")
    check_ascending("details", names)
    for name in form.must:
        if name not in names:
            raise Rejected(EntryRefusal.MISSING, f"{entry.step} must say {name}")
    for one in entry.details:
        _check_detail(one)


def _check_detail(one: Detail) -> None:
    kind, name = DETAILS[one.name], one.name
    match kind, one.value:
        case ("digest", bytes() as value):
            check_digest(name, value)
        case ("account", bytes() as value):
            check_account(name, value)
        case ("count", int() as value):
            check_range(name, value, 0, NUMBER_MAX)
        case ("name", str() as value):
            check_name(name, value)
        case ("probe", str() as value):
            check_word(name, value, PROBES)
        case ("text", str() as value) if value.isprintable() and 0 < len(value.encode()) <= DETAIL_BYTES_MAX:
            pass
        case _:
            raise Rejected(
                EntryRefusal.BAD_DETAIL, f"{name} is a {kind}; a text is printable, 1 … {DETAIL_BYTES_MAX} bytes"
            )
