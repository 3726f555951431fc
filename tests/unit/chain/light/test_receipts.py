"""The receipt file: true ones verify from each basis, and each kind of forgery is refused by the layer it breaks."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from tests.unit.chain.samples import START_MS, Chain, commit_of, transaction

from metanode.chain.light import (
    GenesisBasis,
    HeaderBasis,
    LightRefusal,
    Verified,
    receipt_file,
    verify_receipt_bytes,
    verify_receipt_file,
)
from metanode.primitives import bls
from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root, inclusion_proof
from metanode.primitives.names import Hash, Height
from metanode.primitives.refusal import Rejected
from metanode.records.receipt import RECEIPTS, receipt_leaf
from metanode.records.receipt_file import (
    STEPS_MAX,
    CommitStep,
    HeaderStep,
    HistoryStep,
    ReceiptFile,
    ReceiptStep,
    SetChangeStep,
    TransactionStep,
)
from metanode.records.transaction import SIGNED_TRANSACTIONS
from metanode.records.validators import ValidatorList

PAIRING = bls.fast_aggregate_verify


@cache
def chain() -> Chain:
    """Nine blocks: transactions in 2, 5 and 8; the set changes with 3 and with 6."""
    made = Chain()
    made.grow()
    made.grow([transaction(made.chain_id, number) for number in range(3)])
    made.grow(next_numbers=(1, 2, 3, 5))
    made.grow()
    made.grow([transaction(made.chain_id, number, nonce=1) for number in range(5)])
    made.grow(next_numbers=(5, 6, 7, 8, 9))
    made.grow()
    made.grow([transaction(made.chain_id, 0, nonce=2)])
    return made.grow()


def plain_file(height: int = 2, index: int = 1) -> ReceiptFile:
    made = chain()
    return receipt_file(
        made.chain_id,
        transaction=[made.blocks[height - 1].body.transactions[index]],
        receipt=made.receipt_step(height, index),
        header=made.header(height),
        set_changes=[made.set_change_step(h) for h in (3, 6) if h < height],
        commit=[made.commit(height)],
    )


def history_file(later: int, *, certified: bool) -> ReceiptFile:
    made = chain()
    return receipt_file(
        made.chain_id,
        transaction=[],
        receipt=made.receipt_step(2, 2),
        header=made.header(2),
        history=[made.history_step(2, later)],
        set_changes=[made.set_change_step(h) for h in (3, 6) if certified and h < later],
        commit=[made.commit(later)] if certified else [],
    )


def genesis_basis() -> GenesisBasis:
    return GenesisBasis(chain().genesis)


def verified(height: int, index: int, **changed: Any) -> Verified:
    made = chain()
    expected = Verified(
        chain_id=made.chain_id,
        height=made.header(height).height,
        header_hash=made.header(height).hash,
        timestamp_ms=made.header(height).timestamp_ms,
        receipt=RECEIPTS.decode(made.receipts[height - 1][index]),
        transaction=(SIGNED_TRANSACTIONS.decode(made.blocks[height - 1].body.transactions[index]),),
        final_height=made.header(height).height,
        signers=3,
        seats=4,
        set_changes=0,
        basis_height=Height(0),
    )
    return replace(expected, **changed)


def refused(file: ReceiptFile, basis: GenesisBasis | HeaderBasis | None = None, now_ms: int | None = None) -> str:
    with pytest.raises(Rejected) as rejected:
        verify_receipt_bytes(encode(file), basis or genesis_basis(), PAIRING, now_ms)
    return rejected.value.reason


def test_from_genesis_without_a_set_change() -> None:
    file = plain_file()
    assert verify_receipt_bytes(encode(file), genesis_basis(), PAIRING) == verified(2, 1)
    assert verify_receipt_file(file, genesis_basis(), PAIRING) == verified(2, 1)


@pytest.mark.parametrize(("height", "index", "changes", "signers", "seats"), [(5, 4, 1, 3, 4), (8, 0, 2, 4, 5)])
def test_from_genesis_over_set_changes(height: int, index: int, changes: int, signers: int, seats: int) -> None:
    expected = verified(height, index, set_changes=changes, signers=signers, seats=seats)
    assert verify_receipt_bytes(encode(plain_file(height, index)), genesis_basis(), PAIRING) == expected


def test_from_a_later_header_by_history() -> None:
    expected = verified(2, 2, transaction=(), final_height=7, signers=0, seats=0, basis_height=7)
    assert verify_receipt_bytes(encode(history_file(7, certified=False)), chain().basis(7), PAIRING) == expected
    expected = verified(2, 2, transaction=(), final_height=9, signers=4, seats=5, set_changes=2)
    assert verify_receipt_bytes(encode(history_file(9, certified=True)), genesis_basis(), PAIRING) == expected


def test_from_the_trusted_header_itself() -> None:
    made = chain()
    file = receipt_file(
        made.chain_id, transaction=[], receipt=made.receipt_step(5, 0), header=made.header(5), commit=[]
    )
    expected = verified(5, 0, transaction=(), signers=0, seats=0, basis_height=5)
    assert verify_receipt_bytes(encode(file), made.basis(5), PAIRING) == expected


def test_the_set_beside_the_certificate_may_be_told_if_it_is_true() -> None:
    file = plain_file()
    commit = file.steps[-1]
    assert isinstance(commit, CommitStep)

    def beside(*seats: int) -> ReceiptFile:
        told = ValidatorList(version=1, validators=tuple(chain().set_at(2).validators[seat] for seat in seats))
        return changed(file, CommitStep(commit=commit.commit, validators=told))

    assert verify_receipt_bytes(encode(beside(0, 1, 2, 3)), genesis_basis(), PAIRING) == verified(2, 1)
    assert refused(beside(0, 1, 2)) == LightRefusal.COMMIT
    assert refused(beside(0, 1, 2, 3, 3)) == LightRefusal.COMMIT


def test_a_stale_basis_is_refused_only_where_a_clock_is_given() -> None:
    period = chain().genesis.parameters.trusting_period_ms
    data = encode(plain_file())
    assert verify_receipt_bytes(data, genesis_basis(), PAIRING, START_MS + period) == verified(2, 1)
    assert refused(plain_file(), now_ms=START_MS + period + 1) == LightRefusal.BASIS
    assert (
        refused(history_file(7, certified=False), chain().basis(7), now_ms=START_MS + 2 * period) == LightRefusal.BASIS
    )


def changed(file: ReceiptFile, *steps: object) -> ReceiptFile:
    """The file with each step of these kinds put in the place of the last one of its kind."""
    result = list(file.steps)
    for step in steps:
        place = max(index for index, old in enumerate(result) if type(old) is type(step))
        result[place] = step  # type: ignore[call-overload]
    return ReceiptFile(version=file.version, chain_id=file.chain_id, steps=tuple(result))


# --- forgeries, one a layer -------------------------------------------------------------------------------------------


def test_encoding() -> None:
    file = plain_file(5, 0)
    steps = file.steps
    for wrong in (
        (),
        steps[1:2],
        steps[:-2] + steps[-1:] + steps[-2:-1],
        (*steps, steps[-1]),
        (steps[1], steps[0], *steps[2:]),
        (steps[0], *steps),
        (steps[0], *steps[2:]),
        (*steps[:2], steps[2], *steps[2:]),
    ):
        assert refused(ReceiptFile(version=1, chain_id=file.chain_id, steps=wrong)) == LightRefusal.ENCODING
    assert refused(ReceiptFile(version=2, chain_id=file.chain_id, steps=steps)) == LightRefusal.ENCODING
    with pytest.raises(Rejected) as rejected:
        verify_receipt_bytes(encode(file) + b"\0", genesis_basis(), PAIRING)
    assert rejected.value.reason == LightRefusal.ENCODING


def test_how_many_steps_there_may_be() -> None:
    file = plain_file(5, 0)
    for more, layer in ((0, LightRefusal.SET_CHANGE), (1, LightRefusal.ENCODING)):
        steps = (*file.steps[:3], *[chain().set_change_step(3)] * (STEPS_MAX - 4 + more), file.steps[-1])
        with pytest.raises(Rejected) as rejected:
            verify_receipt_file(ReceiptFile(version=1, chain_id=file.chain_id, steps=steps), genesis_basis(), PAIRING)
        assert rejected.value.reason == layer


def test_what_the_layers_below_would_refuse_later_is_named_where_it_stands() -> None:
    made = chain()
    elsewhere = HeaderStep(header=replace(made.header(2), chain_id=Hash(bytes(32))).encoded)
    file = history_file(4, certified=True)
    steps = tuple(elsewhere if isinstance(step, HeaderStep) else step for step in file.steps)
    assert refused(ReceiptFile(version=1, chain_id=file.chain_id, steps=steps)) == LightRefusal.HEADER
    receipt, header = made.receipt_step(5, 0), made.header(5)
    changes = [made.set_change_step(3)]
    known = receipt_file(made.chain_id, transaction=[], receipt=receipt, header=header, set_changes=changes, commit=[])
    assert refused(known, made.basis(5)) == LightRefusal.ENCODING
    twin = replace(header, state_root=Hash(bytes(32)))
    beside = receipt_file(made.chain_id, transaction=[], receipt=receipt, header=twin, commit=[made.commit(5)])
    assert refused(beside, made.basis(5)) == LightRefusal.BASIS


def test_a_receipt_that_says_of_itself_that_it_belongs_elsewhere() -> None:
    """Of another height or place than where a header has it: whoever certified that, nobody reads it as such."""
    made = chain()
    for other, index in ((made.receipts[1][1], 0), (made.receipts[4][1], 0), (made.receipts[1][0], 1)):
        leaves = [receipt_leaf(other)] * 2
        header = replace(made.header(5), receipts_root=counted_root(Tag.RECEIPTS_ROOT, leaves))
        step = ReceiptStep(receipt=other, index=index, size=2, path=inclusion_proof(leaves, index))
        file = receipt_file(made.chain_id, transaction=[], receipt=step, header=header, commit=[made.commit(5)])
        assert refused(file) == LightRefusal.INCLUSION


def test_a_certificate_where_none_is_needed() -> None:
    made = chain()
    file = receipt_file(
        made.chain_id, transaction=[], receipt=made.receipt_step(5, 0), header=made.header(5), commit=[made.commit(5)]
    )
    assert refused(file, made.basis(5)) == LightRefusal.ENCODING


def test_transaction_of_another_receipt() -> None:
    other = chain().blocks[1].body.transactions[0]
    assert refused(changed(plain_file(), TransactionStep(signed=other))) == LightRefusal.TRANSACTION
    assert refused(changed(plain_file(), TransactionStep(signed=b"\x93"))) == LightRefusal.TRANSACTION


def test_transaction_with_another_signature() -> None:
    unsigned = transaction(chain().chain_id, 1, signed=False)
    assert refused(changed(plain_file(), TransactionStep(signed=unsigned))) == LightRefusal.TRANSACTION


def test_receipt_of_another_block() -> None:
    made = chain()
    assert refused(changed(plain_file(), made.receipt_step(5, 1))) == LightRefusal.INCLUSION


def test_receipt_that_never_was() -> None:
    step = chain().receipt_step(2, 1)
    receipt = RECEIPTS.decode(step.receipt)
    values = {name: getattr(receipt, name) for name in receipt.__struct_fields__}
    forged = encode(type(receipt)(**{**values, "work": 1}))
    for wrong in (forged, b"\x90"):
        made = ReceiptStep(receipt=wrong, index=step.index, size=step.size, path=step.path)
        assert refused(changed(plain_file(), made)) == LightRefusal.INCLUSION


def test_index_under_another_tree_size() -> None:
    step = chain().receipt_step(2, 1)
    for size in (0, 1, 2, 4, 1 << 64):
        if size < 1 << 64:
            made = ReceiptStep(receipt=step.receipt, index=1, size=size, path=step.path)
            assert refused(changed(plain_file(), made)) == LightRefusal.INCLUSION
    for index in (-1, 0, 2):
        made = ReceiptStep(receipt=step.receipt, index=index, size=step.size, path=step.path)
        assert refused(changed(plain_file(), made)) == LightRefusal.INCLUSION


def test_header_of_another_chain() -> None:
    other = Chain(name="other").grow().grow([transaction(chain().chain_id, number) for number in range(3)])
    file = changed(plain_file(), other.receipt_step(2, 1), HeaderStep(header=other.header(2).encoded))
    assert refused(file) == LightRefusal.HEADER
    assert refused(changed(plain_file(), HeaderStep(header=b"short"))) == LightRefusal.HEADER


def test_another_genesis() -> None:
    other = Chain(name="other")
    assert refused(plain_file(), GenesisBasis(other.genesis)) == LightRefusal.BASIS


def test_header_that_no_quorum_signed() -> None:
    fork = Chain().grow().grow([transaction(chain().chain_id, number) for number in range(3)], fork="other state")
    assert fork.chain_id == chain().chain_id
    assert refused(changed(plain_file(), HeaderStep(header=fork.header(2).encoded))) == LightRefusal.COMMIT


def test_commit_of_another_header() -> None:
    made = chain()
    nobody = ValidatorList(version=1, validators=())
    assert refused(changed(plain_file(), CommitStep(commit=made.commit(1), validators=nobody))) == LightRefusal.COMMIT
    honest = made.commit(2)
    values = {name: getattr(honest, name) for name in honest.__struct_fields__}
    for wrong in (
        {"aggregate_signature": made.commit(1).aggregate_signature},
        {"aggregate_signature": bytes(96)},
        {"round": 1},
        {"round": -1},
        {"height": 3},
        {"version": 2},
        {"header_hash": made.header(1).hash},
    ):
        forged = type(honest)(**{**values, **wrong})
        assert refused(changed(plain_file(), CommitStep(commit=forged, validators=nobody))) == LightRefusal.COMMIT


def test_an_extra_seat_in_the_certificate() -> None:
    made = chain()
    nobody = ValidatorList(version=1, validators=())
    honest = made.commit(2)
    values = {name: getattr(honest, name) for name in honest.__struct_fields__}
    for bitmap in (b"\x0f", b"\x17", b"\x07\x00", b"\x03", b""):
        forged = type(honest)(**{**values, "validator_bitmap": bitmap})
        assert refused(changed(plain_file(), CommitStep(commit=forged, validators=nobody))) == LightRefusal.COMMIT
    stranger = commit_of(made.header(2), [1, 2, 9], [0, 1, 2])
    assert refused(changed(plain_file(), CommitStep(commit=stranger, validators=nobody))) == LightRefusal.COMMIT


def test_no_certificate() -> None:
    file = plain_file()
    assert refused(ReceiptFile(version=1, chain_id=file.chain_id, steps=file.steps[:-1])) == LightRefusal.COMMIT


def test_a_set_with_an_extra_seat() -> None:
    step = chain().set_change_step(3)
    extra = ValidatorList(version=1, validators=(*step.next_validators.validators, chain().set.validators[0]))
    forged = SetChangeStep(header=step.header, commit=step.commit, next_validators=extra)
    assert refused(changed(plain_file(5, 0), forged)) == LightRefusal.SET_CHANGE


def test_set_changes_left_out_twice_or_invented() -> None:
    made = chain()
    file = plain_file(8, 0)
    first, second = file.steps[3], file.steps[4]
    assert isinstance(first, SetChangeStep)
    for steps in ((second,), (second, first), (first, first, second), (first, made.set_change_step(4), second)):
        wrong = ReceiptFile(version=1, chain_id=file.chain_id, steps=(*file.steps[:3], *steps, file.steps[5]))
        assert refused(wrong) == LightRefusal.SET_CHANGE
    without = ReceiptFile(version=1, chain_id=file.chain_id, steps=(*file.steps[:4], file.steps[5]))
    assert refused(without) == LightRefusal.SET_CHANGE
    unsigned = SetChangeStep(header=first.header, commit=made.commit(4), next_validators=first.next_validators)
    wrong = ReceiptFile(version=1, chain_id=file.chain_id, steps=(*file.steps[:3], unsigned, *file.steps[4:]))
    assert refused(wrong) == LightRefusal.SET_CHANGE
    unversioned = SetChangeStep(
        header=first.header,
        commit=first.commit,
        next_validators=ValidatorList(version=2, validators=first.next_validators.validators),
    )
    wrong = ReceiptFile(version=1, chain_id=file.chain_id, steps=(*file.steps[:3], unversioned, *file.steps[4:]))
    assert refused(wrong) == LightRefusal.SET_CHANGE


def test_history_of_another_header() -> None:
    made = chain()
    basis = made.basis(7)
    good = made.history_step(2, 7)
    for wrong in (
        made.history_step(3, 7),
        HistoryStep(header=good.header, size=5, path=good.path),
        HistoryStep(header=good.header, size=6, path=good.path[:-1]),
        HistoryStep(header=b"", size=6, path=good.path),
    ):
        assert refused(changed(history_file(7, certified=False), wrong), basis) == LightRefusal.HISTORY


def test_a_header_below_the_trusted_one_needs_history() -> None:
    assert refused(plain_file(), chain().basis(5)) == LightRefusal.BASIS


# --- one form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "set changes", "history"])
def test_no_flipped_byte_changes_what_is_verified(kind: str) -> None:
    cases: dict[str, tuple[ReceiptFile, GenesisBasis | HeaderBasis]] = {
        "plain": (plain_file(), genesis_basis()),
        "set changes": (plain_file(5, 2), genesis_basis()),
        "history": (history_file(7, certified=False), chain().basis(7)),
    }
    file, basis = cases[kind]
    data = encode(file)
    honest = verify_receipt_bytes(data, basis, PAIRING)
    survived = 0
    for place in range(len(data)):
        flipped = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        try:
            assert verify_receipt_bytes(flipped, basis, PAIRING) == honest, place
        except Rejected as rejected:
            assert isinstance(rejected.reason, LightRefusal), place
        else:
            survived += 1
    names = sum(len(v.name) + 32 + 96 + 20 + 10 for v in chain().set_at(4).validators)
    assert survived <= (names if kind == "set changes" else 0), "only names and addresses of seats say nothing"
