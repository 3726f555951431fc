"""Receipts of workloads at a terminal: what was proved, and the same told to other tools."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.keys import own_signer
from metanode.cli.bpi.offline import Checked, invalid
from metanode.cli.bpi.showing import instant, short
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_bytes
from metanode.cli.session import Session
from metanode.client.verify import Attested, GenesisBasis, Verified, verify_any_receipt, verify_workload_receipt
from metanode.docklock.receipts import (
    Continuity,
    VerifiedEntry,
    continuity,
    entry_facts,
    entry_name,
    is_entries_file,
    is_workload_receipt,
    read_entries,
    seal,
    sentence,
    statement,
)
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key, show_address
from metanode.records.workload_receipt import SignedEntry

ENTRIES: Final = ".entries"
"""Of a file that holds what stands between receipts."""
ENDINGS: Final = (".receipt", ".json", ENTRIES)
"""Of the files in a folder that are looked at."""
GAPS_SHOWN: Final = 8
"""Gaps in a node's entries that a line names."""


def show_attested(session: Session, checked: Checked[Attested]) -> None:
    """What a workload's receipt proved, by which chain, and who made the envelope around it."""
    entry, keys = checked.proven.entry, checked.proven.keys
    signed, chain = entry.signed.entry, entry.chain
    said = sentence(signed, instant(signed.time_ms))
    makers = [show_address(address_of_key(key)) for key in keys]
    facts = {
        "valid": True,
        "form": checked.proven.form,
        "chain": chain.chain_id.hex(),
        "height": chain.height,
        "final_height": chain.final_height,
        "header": chain.header_hash.hex(),
        "timestamp_ms": chain.timestamp_ms,
        "account": show_address(entry.account),
        "key": entry.signed.key.hex(),
        "entry": entry_facts(signed),
        "batch": {"first": entry.batch.first, "count": entry.batch.count, "root": entry.batch.root.hex()},
        "envelope": makers,
        "sentence": said,
        "signers": chain.signers,
        "seats": chain.seats,
        "verify_ms": checked.took_ms,
    }

    def human() -> None:
        line = session.output.line
        line(f"{said}; pinned in block {chain.height}")
        line(f"entry     {signed.number} of {signed.node} · signed by {show_address(entry.account)}")
        for name, value in facts["entry"]["details"].items():  # type: ignore[index]
            line(f"          {name} {value}")
        last = entry.batch.first + entry.batch.count - 1
        line(f"pinned    with {entry.batch.first} to {last} · {instant(chain.timestamp_ms)}")
        by = f"final by {chain.signers} of {chain.seats} validators"
        line(f"header    {short(chain.header_hash.hex(), 16)} · {by}")
        for key, maker in zip(keys, makers, strict=True):
            whose = "the node itself" if key == entry.signed.key else f"{maker}, who is not the node"
            line(f"envelope  made by {whose}")
        line(f"{session.output.styled('VALID', 'good')}  the node said so · {checked.took_ms:.1f} ms")

    session.output.result("receipt.verify.workload/1", facts, human)


@dataclass(slots=True)
class Read:
    """What several files proved, each by itself: receipts by file, and entries that only stand between them."""

    receipts: dict[str, Attested | Verified] = field(default_factory=dict)
    beside: list[SignedEntry] = field(default_factory=list)

    @property
    def of_workloads(self) -> list[VerifiedEntry]:
        """Those that are about workloads."""
        return [one.entry for one in self.receipts.values() if isinstance(one, Attested)]


def _all_files(names: Sequence[str]) -> Iterator[str]:
    """The files that are named, and those of a folder that are receipts, statements, envelopes or entries."""
    for name in names:
        path = Path(name)
        if not path.is_dir():
            yield name
            continue
        found = sorted(str(one) for one in path.iterdir() if one.is_file() and one.suffix in ENDINGS)
        if not found:
            message = f"there is no receipt in {name}"
            raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix="bpi receipt export --to writes")
        yield from found


def _read(names: Sequence[str], basis: GenesisBasis) -> Read:
    """Every file by itself. Raises `Failure` with 21 and the layer of the first that does not hold."""
    read = Read()
    for file in _all_files(names):
        data = read_bytes(file)
        try:
            if is_entries_file(data):
                read.beside += read_entries(data)
            else:
                read.receipts[file] = verify_any_receipt(data, basis)
        except Rejected as rejected:
            raise invalid(file, rejected) from None
    return read


def show_many(session: Session, files: Sequence[str], genesis_file: str) -> None:
    """WREC-23. Several receipts: each by itself, then what nodes say in all of them, and whether anything is missing
    between. Raises `Failure`, with 21 where one does not hold, or where they do not go together."""
    trusted = trusted_genesis(session, genesis_file)
    session.output.line(trusted.words)
    read = _read(files, GenesisBasis(trusted.genesis))
    told = read.of_workloads
    try:
        chains = continuity((one.signed for one in told), read.beside)
    except Rejected as rejected:
        raise invalid("these files together", rejected) from None
    items = [_item(file, one) for file, one in read.receipts.items()]

    def human() -> None:
        for item in items:
            session.output.line(f"{item['sentence']}; pinned in block {item['height']}   ({item['file']})")
        for chain in chains:
            session.output.line(_chain_words(chain))
        of = f"{len(told)} of workloads, and no node contradicts itself"
        session.output.line(f"{session.output.styled('VALID', 'good')}  {len(items)} receipts, {of}")

    data = {"valid": True, "items": items, "chains": [_chain_facts(one) for one in chains]}
    session.output.result("receipt.verify.many/1", data, human)


def _chain_words(chain: Continuity) -> str:
    """What is known of a node's entries between the first and the last, as one line."""
    of = f"{chain.author.node} of {chain.author.cluster}: entries {chain.first} to {chain.last}"
    if chain.whole:
        return f"{of}: whole, none is missing; {chain.receipts} with their receipts"
    gaps = [f"{first}" if first == last else f"{first} to {last}" for first, last in chain.missing]
    said = [f"not here: {', '.join(gaps[:GAPS_SHOWN])}{' …' if len(gaps) > GAPS_SHOWN else ''}"] if gaps else []
    said += [f"{chain.loose} lead to no receipt"] if chain.loose else []
    return f"{of}: {'; '.join(said)}; {chain.receipts} with their receipts"


def _chain_facts(chain: Continuity) -> dict[str, Any]:
    return {
        "cluster": chain.author.cluster,
        "node": chain.author.node,
        "account": show_address(address_of_key(chain.author.key)),
        "first": chain.first,
        "last": chain.last,
        "whole": chain.whole,
        "missing": [list(one) for one in chain.missing],
        "loose": chain.loose,
        "receipts": chain.receipts,
    }


def _item(file: str, proven: Attested | Verified) -> dict[str, Any]:
    if isinstance(proven, Attested):
        entry = proven.entry.signed.entry
        said, name = sentence(entry, instant(entry.time_ms)), str(entry_name(proven.entry.signed))
        height = proven.entry.chain.height
        return {"file": file, "form": proven.form, "height": height, "receipt": name, "sentence": said}
    outcome = f"failed: {proven.receipt.code}" if proven.receipt.code else "succeeded"
    return {"file": file, "form": "transaction", "height": proven.height, "sentence": f"a transaction {outcome}"}


def converted(session: Session, file: str, form: str, genesis_file: str, account: str) -> bytes:
    """A workload's receipt file in another form, after it was checked. Raises `Failure`, with 21 where it does not
    hold."""
    data = read_bytes(file)
    if not is_workload_receipt(data):
        message = f"{file} is no workload's receipt file: only these have an image and a specification to speak of"
        fix = "name a file that an agent has exported"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix=fix)
    return maker(session, form, genesis_file, account, file)(data)


def maker(
    session: Session, form: str, genesis_file: str, account: str, file: str = "the receipt"
) -> Callable[[bytes], bytes]:
    """Puts receipt files into a form, after each was checked: the file itself, a statement, an envelope. Raises
    `Failure`, with 21 where one does not hold."""
    trusted = trusted_genesis(session, genesis_file)
    session.output.note(trusted.words)
    basis, signer = GenesisBasis(trusted.genesis), own_signer(session, account) if form == "dsse" else None
    told: list[str] = []

    def make(data: bytes) -> bytes:
        try:
            verified = verify_workload_receipt(data, basis).entry
        except Rejected as rejected:
            raise invalid(file, rejected) from None
        if form == "file":
            return data
        payload = statement(data, verified)
        if signer is None:
            return payload
        if signer.key.public_key != verified.signed.key and not told:
            told.append(signer.name)
            session.output.note(
                f"the envelope is signed by {signer.name}, not by the node: it says that {signer.name} made it; what "
                "the node signed is inside"
            )
        return seal(payload, signer.key.public_key, signer.key.sign)

    return make
