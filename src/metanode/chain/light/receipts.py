"""The receipt file: built by who has the chain, checked by who has nothing but a basis of trust."""

from collections.abc import Sequence
from dataclasses import dataclass

from metanode.chain.light.basis import Basis, HeaderBasis, Trusted, trust
from metanode.chain.light.headers import (
    LightRefusal,
    Pairing,
    check_basis_age,
    check_history,
    check_signed,
    follow_set_change,
    set_of,
)
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import verify_inclusion
from metanode.primitives.names import Hash, Height, Millis
from metanode.primitives.refusal import Rejected
from metanode.records.commit import BlsCommit
from metanode.records.header import Header, read_header
from metanode.records.receipt import RECEIPTS, Receipt, TransactionOrigin, receipt_leaf
from metanode.records.receipt_file import (
    RECEIPT_FILES,
    STEPS_MAX,
    CommitStep,
    HeaderStep,
    HistoryStep,
    ReceiptFile,
    ReceiptStep,
    SetChangeStep,
    Step,
    TransactionStep,
)
from metanode.records.transaction import SIGNED_TRANSACTIONS, SignedTransaction, authorizations_digest, identity
from metanode.records.validators import ValidatorList


@dataclass(frozen=True, slots=True)
class Verified:
    """What was proved, and by what: nothing in here is merely claimed by the file.

    `transaction`: there if the file carries it. `final_height`: of the header whose certificate was checked, the
    trusted one where none was needed; `signers` of `seats` signed it, both 0 where none was needed.
    """

    chain_id: Hash
    height: Height
    header_hash: Hash
    timestamp_ms: Millis
    receipt: Receipt
    transaction: tuple[SignedTransaction, ...]
    final_height: Height
    signers: int
    seats: int
    set_changes: int
    basis_height: Height


@dataclass(frozen=True, slots=True)
class _Parts:
    """A file's steps, sorted into their places."""

    transaction: tuple[TransactionStep, ...]
    receipt: ReceiptStep
    header: Header
    history: tuple[HistoryStep, ...]
    set_changes: tuple[SetChangeStep, ...]
    commit: tuple[CommitStep, ...]


def receipt_file(
    chain_id: Hash,
    *,
    transaction: Sequence[bytes],
    receipt: ReceiptStep,
    header: Header,
    history: Sequence[HistoryStep] = (),
    set_changes: Sequence[SetChangeStep] = (),
    commit: Sequence[BlsCommit],
) -> ReceiptFile:
    """LIGHT-10. The steps in the order they are checked. `transaction`, `history`, `commit`: none or one.

    `commit` is of the history step's header where there is one. The set that signed it is the basis's, or the one the
    last set change announces: a file may repeat it beside the certificate, this one does not.
    """
    assert max(len(transaction), len(history), len(commit)) <= 1, "none or one"
    nobody = ValidatorList(version=1, validators=())
    steps: list[Step] = [TransactionStep(signed=encoded) for encoded in transaction]
    steps += [receipt, HeaderStep(header=header.encoded), *history, *set_changes]
    steps += [CommitStep(commit=one, validators=nobody) for one in commit]
    return ReceiptFile(version=1, chain_id=chain_id, steps=tuple(steps))


def verify_receipt_bytes(data: bytes, basis: Basis, pairing: Pairing, now_ms: int | None = None) -> Verified:
    """LIGHT-10. Check the bytes of a receipt file. Raises `Rejected` with the first layer that fails."""
    try:
        file = RECEIPT_FILES.decode(data)
    except Rejected as rejected:
        raise Rejected(LightRefusal.ENCODING, str(rejected)) from None
    return verify_receipt_file(file, basis, pairing, now_ms)


def verify_receipt_file(file: ReceiptFile, basis: Basis, pairing: Pairing, now_ms: int | None = None) -> Verified:
    """LIGHT-10, LIGHT-11. From the outcome up to the basis. Raises `Rejected` with a `LightRefusal`.

    `now_ms`: the checker's clock; given, a basis older than the trusting period is refused (LIGHT-3). Without it the
    answer holds for whoever knows that members of the basis's set did not sell their keys.
    """
    parts = _sort(file)
    transaction, receipt = _check_outcome(parts)
    trusted = trust(basis)
    _check_basis(file, parts.header, trusted, basis, now_ms)
    final = parts.header
    if parts.history:
        step = parts.history[0]
        final = _header(step.header, LightRefusal.HISTORY)
        check_history(final, parts.header.hash, parts.header.height, step.size, step.path)
    signers, seats = _check_final(parts, final, trusted, pairing)
    return Verified(
        chain_id=trusted.chain_id,
        height=parts.header.height,
        header_hash=parts.header.hash,
        timestamp_ms=parts.header.timestamp_ms,
        receipt=receipt,
        transaction=transaction,
        final_height=final.height,
        signers=signers,
        seats=seats,
        set_changes=len(parts.set_changes),
        basis_height=trusted.height,
    )


def _header(data: bytes, layer: LightRefusal) -> Header:
    try:
        return read_header(data)
    except Rejected as rejected:
        raise Rejected(layer, str(rejected)) from None


def _sort(file: ReceiptFile) -> _Parts:
    """LIGHT-10. One order, nothing twice, nothing left over: a file has one form."""
    steps = list(file.steps)
    if file.version != 1 or not 0 < len(steps) <= STEPS_MAX:
        raise Rejected(LightRefusal.ENCODING, f"version {file.version}, {len(steps)} steps")
    place = 0

    def one(kind: type[Step]) -> Step | None:
        nonlocal place
        if place < len(steps) and isinstance(steps[place], kind):
            place += 1
            return steps[place - 1]
        return None

    transaction, receipt, header = one(TransactionStep), one(ReceiptStep), one(HeaderStep)
    history = one(HistoryStep)
    set_changes: list[SetChangeStep] = []
    while isinstance(change := one(SetChangeStep), SetChangeStep):
        set_changes.append(change)
    commit = one(CommitStep)
    if not isinstance(receipt, ReceiptStep) or not isinstance(header, HeaderStep) or place != len(steps):
        raise Rejected(
            LightRefusal.ENCODING, "steps: transaction?, receipt, header, history?, set changes, commit? in this order"
        )
    return _Parts(
        transaction=(transaction,) if isinstance(transaction, TransactionStep) else (),
        receipt=receipt,
        header=_header(header.header, LightRefusal.HEADER),
        history=(history,) if isinstance(history, HistoryStep) else (),
        set_changes=tuple(set_changes),
        commit=(commit,) if isinstance(commit, CommitStep) else (),
    )


def _check_outcome(parts: _Parts) -> tuple[tuple[SignedTransaction, ...], Receipt]:
    """LIGHT-11. The receipt is the header's, the transaction is the receipt's."""
    step, header = parts.receipt, parts.header
    try:
        receipt = RECEIPTS.decode(step.receipt)
    except Rejected as rejected:
        raise Rejected(LightRefusal.INCLUSION, f"no receipt: {rejected}") from None
    if (receipt.version, receipt.height, receipt.index) != (1, header.height, step.index):
        raise Rejected(
            LightRefusal.INCLUSION,
            f"receipt {receipt.index} of height {receipt.height}, not {step.index} of the header",
        )
    leaf = receipt_leaf(step.receipt)
    if not verify_inclusion(Tag.RECEIPTS_ROOT, leaf, step.index, step.size, step.path, header.receipts_root):
        raise Rejected(LightRefusal.INCLUSION, f"receipt {step.index} of {step.size} leads to another root")
    return tuple(_transaction(one, receipt) for one in parts.transaction), receipt


def _transaction(step: TransactionStep, receipt: Receipt) -> SignedTransaction:
    """LIGHT-11. Both digests of the receipt's origin: what was asked, and by whose signatures."""
    try:
        signed = SIGNED_TRANSACTIONS.decode(step.signed)
    except Rejected as rejected:
        raise Rejected(LightRefusal.TRANSACTION, str(rejected)) from None
    origin = TransactionOrigin(
        identity=identity(signed.transaction), authorizations_digest=authorizations_digest(signed.authorizations)
    )
    if signed.version != 1 or receipt.origin != origin:
        raise Rejected(LightRefusal.TRANSACTION, "the receipt is of another transaction")
    return signed


def _check_basis(file: ReceiptFile, header: Header, trusted: Trusted, basis: Basis, now_ms: int | None) -> None:
    """LIGHT-3. The chain is the one that is trusted, and the trust is not stale."""
    if file.chain_id != trusted.chain_id:
        raise Rejected(LightRefusal.BASIS, f"of chain {file.chain_id.hex()}, trusted is {trusted.chain_id.hex()}")
    if header.chain_id != trusted.chain_id:
        raise Rejected(LightRefusal.HEADER, f"of another chain: {header.chain_id.hex()}")
    if now_ms is not None:
        check_basis_age(trusted, now_ms)
    assert isinstance(basis, HeaderBasis) == bool(trusted.header), "genesis alone has no header"


def _check_final(parts: _Parts, final: Header, trusted: Trusted, pairing: Pairing) -> tuple[int, int]:
    """LIGHT-7, LIGHT-8. The final header is the trusted one, or signed by the set that leads there from it."""
    if final.hash == trusted.hash:
        if parts.set_changes or parts.commit:
            raise Rejected(LightRefusal.ENCODING, "the trusted header needs no certificate and no set change")
        return 0, 0
    if final.height <= trusted.height:
        raise Rejected(
            LightRefusal.BASIS,
            f"height {final.height} is not above the trusted {trusted.height}: a history step from there is needed",
        )
    for change in parts.set_changes:
        header = _header(change.header, LightRefusal.SET_CHANGE)
        if change.next_validators.version != 1:
            raise Rejected(LightRefusal.SET_CHANGE, f"a set of version {change.next_validators.version}")
        trusted = _set_change(trusted, header, change, pairing)
    if not parts.commit:
        raise Rejected(LightRefusal.COMMIT, f"no certificate of height {final.height}")
    step = parts.commit[0]
    check_signed(trusted, final, step.commit, pairing)
    told = step.validators
    if told.version != 1 or (
        told.validators and set_of(told.validators, LightRefusal.COMMIT).hash != final.validators_hash
    ):
        raise Rejected(LightRefusal.COMMIT, "the set beside the certificate is not the one that signed it")
    return sum(byte.bit_count() for byte in step.commit.validator_bitmap), len(trusted.validators)


def _set_change(trusted: Trusted, header: Header, change: SetChangeStep, pairing: Pairing) -> Trusted:
    """LIGHT-7. Whatever is wrong with a set change is named so."""
    try:
        return follow_set_change(trusted, header, change.commit, change.next_validators.validators, pairing)
    except Rejected as rejected:
        raise Rejected(LightRefusal.SET_CHANGE, f"at height {header.height}: {rejected.detail}") from None
