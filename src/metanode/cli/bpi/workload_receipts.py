"""Receipts of workloads at a terminal: what was proved, and the same told to other tools."""

from collections.abc import Sequence
from typing import Any

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.keys import own_signer
from metanode.cli.bpi.offline import Checked, invalid
from metanode.cli.bpi.showing import instant, short
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_bytes
from metanode.cli.session import Session
from metanode.client.verify import Attested, GenesisBasis, Verified, verify_any_receipt, verify_workload_receipt
from metanode.docklock.receipts import check_together, entry_facts, is_workload_receipt, seal, sentence, statement
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key, show_address


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


def show_many(session: Session, files: Sequence[str], genesis_file: str) -> None:
    """Several receipts: each by itself, and then what nodes say in all of them. Raises `Failure`, with 21 where one
    does not hold, or where they do not go together."""
    trusted = trusted_genesis(session, genesis_file)
    session.output.line(trusted.words)
    basis, proven = GenesisBasis(trusted.genesis), []
    for file in files:
        data = read_bytes(file)
        try:
            proven.append(verify_any_receipt(data, basis))
        except Rejected as rejected:
            raise invalid(file, rejected) from None
    told = [one.entry for one in proven if isinstance(one, Attested)]
    try:
        check_together([one.signed for one in told])
    except Rejected as rejected:
        raise invalid("these files together", rejected) from None
    items = [_item(file, one) for file, one in zip(files, proven, strict=True)]

    def human() -> None:
        for item in items:
            session.output.line(f"{item['sentence']}; pinned in block {item['height']}   ({item['file']})")
        of = f"{len(told)} of workloads, and no node contradicts itself"
        session.output.line(f"{session.output.styled('VALID', 'good')}  {len(items)} receipts, {of}")

    session.output.result("receipt.verify.many/1", {"valid": True, "items": items}, human)


def _item(file: str, proven: Attested | Verified) -> dict[str, Any]:
    if isinstance(proven, Attested):
        entry = proven.entry.signed.entry
        said = sentence(entry, instant(entry.time_ms))
        return {"file": file, "form": proven.form, "height": proven.entry.chain.height, "sentence": said}
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
    trusted = trusted_genesis(session, genesis_file)
    session.output.note(trusted.words)
    try:
        verified = verify_workload_receipt(data, GenesisBasis(trusted.genesis)).entry
    except Rejected as rejected:
        raise invalid(file, rejected) from None
    payload = statement(data, verified)
    if form == "intoto":
        return payload
    signer = own_signer(session, account)
    if signer.key.public_key != verified.signed.key:
        session.output.note(
            f"the envelope is signed by {signer.name}, not by the node: it says that {signer.name} made it; what the "
            "node signed is inside"
        )
    return seal(payload, signer.key.public_key, signer.key.sign)
