"""The receipt file of a workload: a true one verifies offline, and each forgery is refused by the layer it breaks."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.chain.samples import Chain, transaction
from tests.unit.docklock.cluster.town import Town
from tests.unit.docklock.receipts.samples import (
    NODE_KEY,
    OTHER_KEY,
    PAIRING,
    author,
    basis,
    chain,
    chain_file,
    file_of,
    happening,
    life,
    pinned,
    refusal,
    written,
)
from tests.unit.ledger.world import address

from metanode.chain.light import GenesisBasis, LightRefusal
from metanode.docklock.receipts import (
    WorkloadReceiptRefusal,
    batch_of,
    is_workload_receipt,
    sentence,
    verify_workload_receipt,
    workload_receipt_file,
)
from metanode.primitives.codec import encode
from metanode.records.address import address_of_key
from metanode.records.cluster import ReceiptBatch
from metanode.records.cluster_events import ReceiptsPinned
from metanode.records.receipt import RECEIPTS, Status
from metanode.records.receipt_file import RECEIPT_FILES, CommitStep, ReceiptStep, Step
from metanode.records.workload_receipt import WorkloadReceiptFile, entry_digest


def refused(file: WorkloadReceiptFile, to: GenesisBasis | None = None) -> str:
    return refusal(verify_workload_receipt, encode(file), to or basis(), PAIRING)


def good(number: int = 3) -> WorkloadReceiptFile:
    return file_of(life(), number)


@pytest.mark.parametrize("number", range(len(life())))
def test_every_step_is_proved_from_genesis(number: int) -> None:
    found = verify_workload_receipt(encode(good(number)), basis(), PAIRING)
    assert found.signed == life()[number]
    assert found.account == address_of_key(NODE_KEY.public_key)
    assert found.batch == batch_of(life())
    assert (found.chain.height, found.chain.signers, found.chain.seats) == (1, 3, 4)
    assert found.chain.chain_id == chain().chain_id


def test_a_batch_may_begin_anywhere() -> None:
    some = life()[5:9]
    for number in range(5, 9):
        found = verify_workload_receipt(encode(file_of(some, number)), basis(), PAIRING)
        assert (found.signed, found.batch.first) == (life()[number], 5)


def test_a_file_says_of_itself_what_it_is() -> None:
    assert is_workload_receipt(encode(good()))
    assert not is_workload_receipt(good().chain)
    assert not is_workload_receipt(b"")
    assert refusal(verify_workload_receipt, good().chain, basis(), PAIRING) == WorkloadReceiptRefusal.ENCODING


# --- forgeries, one a layer -------------------------------------------------------------------------------------------


def test_encoding() -> None:
    data = encode(good())
    for wrong in (b"", b"\xff", data[:-1], data + b"\0", data.replace(b"receipt.1", b"receipt.2", 1)):
        assert refusal(verify_workload_receipt, wrong, basis(), PAIRING) == WorkloadReceiptRefusal.ENCODING
    assert refused(replace(good(), version=2)) == WorkloadReceiptRefusal.ENCODING


def test_an_entry_that_is_none() -> None:
    signed = life()[3]
    unknown = replace(signed, entry=replace(signed.entry, step="vanished"))
    for wrong in (b"", b"\x90", encode(signed) + b"\0", encode(unknown), encode(signed).ljust(5_000, b"\0")):
        assert refused(replace(good(), signed=wrong)) == WorkloadReceiptRefusal.ENTRY


def test_a_signature_of_another_key_or_entry() -> None:
    signed = life()[3]
    for wrong in (
        replace(signed, key=OTHER_KEY.public_key),
        replace(signed, signature=OTHER_KEY.sign(entry_digest(signed.entry))),
        replace(signed, entry=replace(signed.entry, revision=4)),
    ):
        assert refused(replace(good(), signed=encode(wrong))) == WorkloadReceiptRefusal.SIGNATURE


def test_an_entry_that_is_not_in_the_batch() -> None:
    entry = replace(life()[3].entry, revision=4)
    forged = replace(life()[3], entry=entry, signature=NODE_KEY.sign(entry_digest(entry)))
    assert refused(replace(good(), signed=encode(forged))) == WorkloadReceiptRefusal.BATCH
    assert refused(replace(good(), path=good(4).path)) == WorkloadReceiptRefusal.BATCH
    assert refused(replace(good(), batch=replace(good().batch, root=bytes(32)))) == WorkloadReceiptRefusal.BATCH


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "yard"},
        {"node": "node-3"},
        {"account": address_of_key(OTHER_KEY.public_key)},
        {"first": 1},
        {"count": 14},
        {"root": bytes(32)},
    ],
)
def test_a_batch_that_was_pinned_for_somebody_else_or_is_another(changes: dict[str, Any]) -> None:
    assert refused(file_of(life(), 3, **changes)) == WorkloadReceiptRefusal.PINNED


def test_a_stranger_cannot_take_the_nodes_name() -> None:
    """Signed by another key, pinned truly for the node: whoever made these entries is not the node."""
    entries = written(happening(), key=OTHER_KEY)
    file = workload_receipt_file(entries, 0, chain_file(pinned(batch_of(entries))))
    assert refused(file) == WorkloadReceiptRefusal.PINNED


def test_a_batch_that_was_never_pinned_or_only_tried() -> None:
    assert refused(replace(good(), chain=chain_file())) == WorkloadReceiptRefusal.PINNED
    file = RECEIPT_FILES.decode(good().chain)
    failed: list[Step] = []
    for step in file.steps:
        if isinstance(step, ReceiptStep):
            receipt = replace(RECEIPTS.decode(step.receipt), status=int(Status.FAILED), code="cluster.receipt-gap")
            failed.append(replace(step, receipt=encode(receipt)))
        else:
            failed.append(step)
    assert refused(replace(good(), chain=encode(replace(file, steps=tuple(failed))))) == WorkloadReceiptRefusal.PINNED


def test_one_batch_among_other_events() -> None:
    other = pinned(ReceiptBatch(first=0, count=2, root=bytes([1] * 32)), cluster="yard")
    data = chain_file(other, pinned(batch_of(life())))
    assert verify_workload_receipt(encode(workload_receipt_file(life(), 5, data)), basis(), PAIRING).batch.first == 0


def test_an_entry_of_another_chain() -> None:
    entries = written(happening(), by=author(chain_id=bytes(32)))
    assert refused(file_of(entries, 0)) == WorkloadReceiptRefusal.PINNED


def test_a_node_cannot_have_seen_what_came_after_its_report() -> None:
    for height, layer in ((0, ""), (1, WorkloadReceiptRefusal.PINNED), (2, WorkloadReceiptRefusal.PINNED)):
        entries = written(happening(height=height))
        file = file_of(entries, 0)
        if layer:
            assert refused(file) == layer
        else:
            verify_workload_receipt(encode(file), basis(), PAIRING)
    seen = written(happening(height=2))
    later = workload_receipt_file(seen, 0, chain_file(pinned(batch_of(seen)), empty_blocks=2))
    assert verify_workload_receipt(encode(later), basis(), PAIRING).chain.height == 3


def test_below_the_batch_everything_is_as_in_any_receipt() -> None:
    file = RECEIPT_FILES.decode(good().chain)
    steps = file.steps
    shorter = encode(replace(file, steps=steps[:-1]))
    assert refused(replace(good(), chain=shorter)) == LightRefusal.COMMIT
    without_receipt = encode(replace(file, steps=(steps[0], *steps[2:])))
    assert refused(replace(good(), chain=without_receipt)) == LightRefusal.ENCODING
    assert refused(replace(good(), chain=b"")) == LightRefusal.ENCODING
    index = next(i for i, one in enumerate(steps) if isinstance(one, ReceiptStep))
    broken = [*steps]
    broken[index] = replace(steps[index], path=(bytes(32),))
    assert refused(replace(good(), chain=encode(replace(file, steps=tuple(broken))))) == LightRefusal.INCLUSION
    broken[index] = replace(steps[index], receipt=b"\x90")
    assert refused(replace(good(), chain=encode(replace(file, steps=tuple(broken))))) == LightRefusal.INCLUSION
    elsewhere = Chain(name="other")
    assert refused(good(), GenesisBasis(elsewhere.genesis)) == LightRefusal.BASIS


def test_a_fork_that_no_quorum_signed() -> None:
    fork = Chain().grow([transaction(chain().chain_id)], events=[pinned(batch_of(life()))], fork="other state")
    file = RECEIPT_FILES.decode(good().chain)
    header = fork.header(1).encoded
    steps = tuple(replace(one, header=header) if "Header" in type(one).__name__ else one for one in file.steps)
    assert refused(replace(good(), chain=encode(replace(file, steps=steps)))) == LightRefusal.COMMIT
    assert any(isinstance(one, CommitStep) for one in steps)


def test_whatever_byte_is_flipped_is_refused() -> None:
    """Every byte of the file, one bit each; the layers below all get a turn, and all of ours too."""
    data = encode(file_of(written(happening(), happening("exited")), 1))
    layers = set()
    for at in range(len(data)):
        wrong = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        layers.add(refusal(verify_workload_receipt, wrong, basis(), PAIRING))
    assert layers >= {
        WorkloadReceiptRefusal.ENCODING,
        WorkloadReceiptRefusal.ENTRY,
        WorkloadReceiptRefusal.SIGNATURE,
        WorkloadReceiptRefusal.BATCH,
        WorkloadReceiptRefusal.PINNED,
        LightRefusal.ENCODING,
        LightRefusal.INCLUSION,
        LightRefusal.TRANSACTION,
        LightRefusal.HEADER,
        LightRefusal.COMMIT,
    }


def test_what_a_real_ledger_pins_is_what_the_check_looks_for() -> None:
    """The event of a report that a ledger executed, for the account that the node's key has there."""
    town = Town()
    batch = batch_of(life())
    town.does("node-2", town.report("node-2", receipts=batch))
    assert town.said(ReceiptsPinned) == [pinned(batch, account=address("node-2"))]


# --- for people -------------------------------------------------------------------------------------------------------


def test_an_entry_is_a_sentence() -> None:
    said = {one.entry.step: sentence(one.entry, "noon") for one in life()}
    image = "with image sha256:" + life()[0].entry.image.hex()
    replica = "web.0 attempt 1 (revision 3)"
    assert said["started"] == f"node-2 of shop started {replica} {image} under engine sandbox at noon"
    assert (
        said["exited"]
        == f"node-2 of shop saw the end of {replica} {image} under engine sandbox (exit status 137) at noon"
    )
    assert said["refused"].endswith("(demand.bad-name) at noon")
    plain = replace(life()[3].entry, image=b"")
    assert sentence(plain, "noon") == f"node-2 of shop started {replica} under engine sandbox at noon"
    alone = with_workload_gone("pulled")
    assert sentence(alone, "noon") == f"node-2 of shop pulled the image for its store {image} at noon"
    assert sentence(with_workload_gone("refused"), "noon").startswith("node-2 of shop refused a request ")
    assert len(set(said.values())) == len(said)


def with_workload_gone(step: str):
    entry = next(one.entry for one in life() if one.entry.step == step)
    return replace(entry, workload="", index=0, attempt=0, revision=0, spec=b"", engine="")
