"""Blocks and headers: for people, and as the bytes that prove them."""

from tests.unit.ledger.test_conviction import double_vote
from tests.unit.ledger.world import START_MS, adding, address
from tests.unit.node.requests.world import Chain, pairing

from metanode.api.blocks import (
    BlockExport,
    BlockFile,
    BlockGet,
    BlockList,
    BlockPage,
    BlockSummary,
    BlockView,
    CommitView,
    HeaderChanges,
    HeaderList,
    HeaderRange,
    RawHeader,
)
from metanode.api.errors import ApiError, ApiRefusal
from metanode.chain.light import GenesisBasis, follow, trust
from metanode.node.applied import set_row
from metanode.primitives.codec import encode
from metanode.records.block import final_block
from metanode.records.calls import CoinTransfer
from metanode.records.commit import COMMITS
from metanode.records.evidence import evidence_digest
from metanode.records.header import read_header
from metanode.records.validators import VALIDATOR_LISTS


def pay(chain: Chain, amount: int = 1, sender: str = "alice") -> CoinTransfer:
    return CoinTransfer(coin="BPI", to=address("bob"), amount=bytes([amount]))


def test_a_block_with_evidence_and_transactions() -> None:
    chain = Chain()
    first, evidence = chain.final(), double_vote(3)
    sent = [chain.transaction("alice", pay(chain)), chain.transaction("bob", pay(chain))]
    candidate = chain.final(*sent, evidence=(evidence,))
    header = candidate.header
    commit = chain.desk.tip.commit[0]
    expected = BlockView(
        height=2,
        hash=header.hash.hex(),
        version=1,
        chain_id=chain.desk.chain_id.hex(),
        timestamp_ms=START_MS + 2_000,
        proposer=1,
        proposer_name="validator-1",
        parent_hash=first.header.hash.hex(),
        last_commit_hash=header.last_commit_hash.hex(),
        transactions_root=header.transactions_root.hex(),
        openings_root=header.openings_root.hex(),
        inclusion_root=header.inclusion_root.hex(),
        evidence_root=header.evidence_root.hex(),
        state_root=header.state_root.hex(),
        receipts_root=header.receipts_root.hex(),
        history_root=header.history_root.hex(),
        validators_hash=header.validators_hash.hex(),
        next_validators_hash=header.next_validators_hash.hex(),
        extensions_root=header.extensions_root.hex(),
        commit=CommitView(round=0, signers=(0, 1, 2), of=4, aggregate_signature=commit.aggregate_signature.hex()),
        bytes=len(chain.blocks.blocks[2]),
        evidence=(evidence_digest(evidence).hex(),),
        transactions=tuple(one.identity.hex() for one in sent),
    )
    assert chain.ask("block.get", BlockGet(height=2)) == expected
    assert chain.ask("block.get", BlockGet(height=0)) == expected
    assert chain.ask("block.export", BlockExport(height=2)) == BlockFile(
        height=2,
        block=encode(final_block(header, commit, candidate.body)).hex(),
        receipts=tuple(one.hex() for one in candidate.execution.receipt_bytes),
    )


def test_blocks_downwards_page_by_page() -> None:
    chain = Chain()
    headers = [chain.final(chain.transaction("alice", pay(chain))).header, *(chain.final().header for _ in range(4))]

    def line(height: int) -> BlockSummary:
        return BlockSummary(
            height=height,
            hash=headers[height - 1].hash.hex(),
            timestamp_ms=START_MS + 1_000 * height,
            proposer=(height - 1) % 4,
            proposer_name=f"validator-{(height - 1) % 4}",
            round=0,
            signers=3,
            of=4,
            transactions=int(height == 1),
            bytes=len(chain.blocks.blocks[height]),
        )

    pages = [chain.ask("block.list", BlockList(before=before, limit=2)) for before in (0, 4, 2)]
    assert pages == [
        BlockPage(items=(line(5), line(4)), next=4),
        BlockPage(items=(line(3), line(2)), next=2),
        BlockPage(items=(line(1),), next=0),
    ]
    assert chain.ask("block.list", BlockList(before=99)) == BlockPage(items=tuple(map(line, (5, 4, 3, 2, 1))), next=0)
    assert chain.ask("block.list", BlockList(before=1)) == BlockPage(items=(), next=0)


def test_a_chain_without_blocks_has_an_empty_page() -> None:
    assert Chain().ask("block.list", BlockList()) == BlockPage(items=(), next=0)


def test_what_is_pruned_or_not_final_is_refused() -> None:
    chain = Chain()
    for _ in range(3):
        chain.final()
    for height in range(1, 3):
        del chain.blocks.blocks[height]
    fresh = Chain.again(chain)
    assert fresh.ask("block.get", BlockGet(height=1)) == ApiError(ApiRefusal.PRUNED, "block 1; kept: 3 … 3")
    assert fresh.ask("block.get", BlockGet(height=4)) == ApiError(
        ApiRefusal.BEYOND_HEAD, "height 4, the last final one is 3"
    )
    assert fresh.ask("header.list", HeaderList(first=2)) == ApiError(ApiRefusal.PRUNED, "block 2; kept: 3 … 3")
    assert fresh.ask("header.list", HeaderList(first=4)).code == ApiRefusal.BEYOND_HEAD
    assert [item.height for item in fresh.ask("block.list", BlockList()).items] == [3]


def test_headers_upwards_with_the_set_that_was_announced() -> None:
    chain = Chain()
    chain.final()
    announcing = chain.vote_in(adding(4))
    chain.final()
    assert len(chain.desk.tip.validators) == 5
    first = chain.ask("header.list", HeaderList(first=2, limit=2))
    assert [item.height for item in first.items] == [2, 3]
    height_3 = chain.desk.shelf.block(3)
    assert height_3 is not None
    assert first == HeaderRange(
        chain_id=chain.desk.chain_id.hex(),
        last=4,
        validators=set_row(chain.desk.shelf.validators(1) or chain.desk.tip.validators).hex(),
        items=(
            first.items[0],
            RawHeader(
                height=3,
                header=announcing.header.encoded.hex(),
                commit=encode(height_3.commit).hex(),
                next_validators=set_row(chain.desk.tip.validators).hex(),
            ),
        ),
    )
    assert first.items[0].next_validators == ""
    rest = chain.ask("header.list", HeaderList(first=4))
    assert (rest.validators, len(rest.items)) == (set_row(chain.desk.tip.validators).hex(), 1)


def test_a_stranger_follows_the_chain_by_headers_alone() -> None:
    chain = Chain()
    chain.vote_in(adding(4))
    chain.final()
    trusted = trust(GenesisBasis(chain.genesis))
    for item in chain.ask("header.list", HeaderList()).items:
        announced = bytes.fromhex(item.next_validators)
        trusted = follow(
            trusted,
            read_header(bytes.fromhex(item.header)),
            COMMITS.decode(bytes.fromhex(item.commit)),
            VALIDATOR_LISTS.decode(announced).validators if announced else (),
            pairing,
        )
    assert (trusted.height, trusted.hash, len(trusted.validators)) == (3, chain.desk.tip.hash, 5)


def test_only_the_headers_that_announce_another_set() -> None:
    chain = Chain()
    chain.final()
    assert chain.ask("header.changes", HeaderChanges()).items == ()
    chain.vote_in(adding(4))
    first = chain.ask("header.changes", HeaderChanges())
    assert [(item.height, bool(item.next_validators)) for item in first.items] == [(3, True)]
    assert first.items == (chain.ask("header.list", HeaderList(first=3)).items[0],)
    chain.final()
    chain.vote_in(adding(5))
    chain.final()
    page = chain.ask("header.changes", HeaderChanges(limit=1))
    assert ([item.height for item in page.items], page.last) == ([3], 7)
    rest = chain.ask("header.changes", HeaderChanges(above=3))
    assert [item.height for item in rest.items] == [6]
    assert rest.validators == first.items[0].next_validators
    assert chain.ask("header.changes", HeaderChanges(above=6)).items == ()
    assert chain.ask("header.changes", HeaderChanges(above=8)).code == ApiRefusal.BEYOND_HEAD


def test_a_page_ends_early_where_much_is_read() -> None:
    chain = Chain()
    for _ in range(3):
        chain.final()
    page = chain.ask_reading("block.list", BlockList(), bytes_max=1)
    assert ([item.height for item in page.items], page.next) == ([3], 3)
    headers = chain.ask_reading("header.list", HeaderList(), bytes_max=1)
    assert [item.height for item in headers.items] == [1]
