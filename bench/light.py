"""What a light client pays: a header at n seats, a set change, a receipt file; p50 and p95 on one core.

python -m bench.light [--headers N] [--json FILE]. Goal: at most 2 ms a header at 100 seats, 3 ms a receipt file.
"""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from bench.kit.report import Report, parser, quantile

from metanode.chain.light import GenesisBasis, Trusted, follow, trust, verify_receipt_bytes
from metanode.primitives import bitmap, bls
from metanode.primitives.codec import encode
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import Frontier, counted_root, inclusion_proof
from metanode.primitives.names import NO_HASH, Hash, Height, Millis, Round, Seat
from metanode.records.commit import BlsCommit, commit_signing_bytes
from metanode.records.genesis import MODULES, Genesis, GenesisCoin, genesis_hash
from metanode.records.header import Header, read_header
from metanode.records.parameters import Parameters
from metanode.records.receipt import Receipt, Status, SystemOrigin, receipt_bytes, receipt_leaf
from metanode.records.receipt_file import CommitStep, HeaderStep, ReceiptFile, ReceiptStep
from metanode.records.validators import Validator, ValidatorList, ValidatorSet

SIZES = (4, 16, 64, 100)
HEADERS = 60
EMPTY = counted_root(Tag.EVIDENCE_ROOT, ())


def secret(number: int) -> bytes:
    return (int.from_bytes(sha256(b"bench %d" % number).digest(), "big") % bls.GROUP_ORDER).to_bytes(32, "big")


def validator(number: int) -> Validator:
    key = bls.public_key(secret(number))
    name = sha256(b"vote %d" % number).digest()
    return Validator(
        name=f"v{number}", transport_key=name, vote_key=name, bls_key=key, possession=bytes(96), operator=bytes(20),
        addresses=(),
    )  # fmt: skip


def genesis(seats: int) -> Genesis:
    return Genesis(
        version=1, name="bench", rules_version=1, development=True, started_ms=1, parameters=Parameters(),
        modules=MODULES, fee_coin="USD", validators=tuple(validator(n) for n in range(seats)), accounts=(),
        coins=(GenesisCoin(coin="USD", decimals=2, issuer=bytes(20), minters=(), supply_max=b""),),
    )  # fmt: skip


def grow(basis: Genesis, count: int, receipts: list[bytes]) -> list[tuple[Header, BlsCommit]]:
    signers = ValidatorSet(basis.validators)
    chain_id = genesis_hash(basis)
    frontier, parent, found = Frontier(), NO_HASH, []
    for height in range(1, count + 1):
        header = Header(
            version=1, chain_id=chain_id, height=Height(height), timestamp_ms=Millis(1 + height), proposer=Seat(0),
            parent_hash=parent, last_commit_hash=NO_HASH, transactions_root=EMPTY, openings_root=EMPTY,
            inclusion_root=EMPTY, evidence_root=EMPTY, state_root=NO_HASH,
            receipts_root=counted_root(Tag.RECEIPTS_ROOT, [receipt_leaf(one) for one in receipts]),
            history_root=frontier.counted_root(Tag.HISTORY_ROOT), validators_hash=signers.hash,
            next_validators_hash=signers.hash, extensions_root=EMPTY,
        )  # fmt: skip
        message = commit_signing_bytes(chain_id, signers.hash, header.height, Round(0), header.hash)
        quorum = range(signers.quorum)
        aggregate = bls.aggregate([bls.sign(secret(seat), message) for seat in quorum])
        found.append(
            (
                header,
                BlsCommit(
                    version=1, height=height, round=0, header_hash=header.hash,
                    validator_bitmap=bitmap.encode(quorum, len(signers)), aggregate_signature=aggregate,
                ),
            )
        )  # fmt: skip
        parent, frontier = header.hash, frontier.append(header.hash)
    return found


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1_000


def measure(seats: int, headers: int, receipts: list[bytes]) -> dict[str, Any]:
    """A chain of so many seats, followed header by header; a receipt file of its first block, verified."""
    basis = genesis(seats)
    chain = grow(basis, headers, receipts)
    trusted = trust(GenesisBasis(basis))
    keys = ValidatorSet(basis.validators).bls_keys
    validating = timed(lambda: [bls.validate_key(key) for key in keys])
    times = []
    for header, commit in chain:
        start = time.perf_counter()
        trusted = step(trusted, read_header(header.encoded), commit)
        times.append((time.perf_counter() - start) * 1_000)
    leaves = [receipt_leaf(one) for one in receipts]
    header, commit = chain[0]
    file = ReceiptFile(
        version=1,
        chain_id=Hash(header.chain_id),
        steps=(
            ReceiptStep(receipt=receipts[3], index=3, size=len(leaves), path=inclusion_proof(leaves, 3)),
            HeaderStep(header=header.encoded),
            CommitStep(commit=commit, validators=ValidatorList(version=1, validators=())),
        ),
    )
    data, root = encode(file), GenesisBasis(basis)
    files = [timed(lambda: verify_receipt_bytes(data, root, bls.fast_aggregate_verify)) for _ in range(headers)]
    return {
        "n": seats,
        "headers": headers,
        "all keys once ms": validating,
        "header p50 ms": quantile(times, 0.5),
        "header p95 ms": quantile(times, 0.95),
        "receipt file bytes": len(data),
        "receipt p50 ms": quantile(files, 0.5),
        "receipt p95 ms": quantile(files, 0.95),
    }


def main() -> None:
    """Every size."""
    arguments = parser(__doc__)
    arguments.add_argument("--headers", type=int, default=HEADERS)
    options = arguments.parse_args()
    report = Report("light", options.json)
    receipt = receipt_bytes(
        Receipt(
            version=1, height=1, index=3, origin=SystemOrigin(module="bench", sequence=0), status=Status.SUCCEEDED,
            code="", work=0, events=(), results=(),
        )
    )  # fmt: skip
    rows = [measure(seats, options.headers, [receipt] * 1_000) for seats in SIZES]
    report.table("header and commit, and a receipt file from genesis (1,000 receipts a block); one core", rows)
    report.finish()


def step(trusted: Trusted, header: Header, commit: BlsCommit) -> Trusted:
    return follow(trusted, header, commit, (), bls.fast_aggregate_verify)


if __name__ == "__main__":
    main()
