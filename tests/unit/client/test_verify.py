"""The light client against nodes that lie: each lie is refused by the layer it breaks."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.chain.samples import START_MS, Chain, commit_of, transaction

from metanode.api.blocks import BlockFile, HeaderRange, RawHeader
from metanode.api.errors import ApiRefusal
from metanode.chain.light import LightRefusal
from metanode.client import ClientError
from metanode.client.failures import failure
from metanode.client.verify import Checked, GenesisBasis, LightClient, fetch_genesis
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.commit import CommitRefusal
from metanode.records.header import HeaderRefusal
from metanode.records.validators import ValidatorList


@cache
def chain(name: str = "sample") -> Chain:
    """Six blocks: transactions in 2 and 5; the set changes with 3."""
    made = Chain(name=name)
    made.grow()
    made.grow([transaction(made.chain_id, number) for number in range(3)])
    made.grow(next_numbers=(1, 2, 3, 5))
    made.grow()
    made.grow([transaction(made.chain_id, 0, nonce=1)])
    return made.grow()


class Node:
    """Answers what the light client asks, from a chain. `page`: most headers of an answer."""

    def __init__(self, made: Chain, page: int = 500) -> None:
        self.made = made
        self.page = page
        self.headers: list[RawHeader] = [self._raw(height) for height in range(1, len(made.blocks) + 1)]
        self.files: list[BlockFile] = [self._file(height) for height in range(1, len(made.blocks) + 1)]

    def _raw(self, height: int) -> RawHeader:
        header = self.made.header(height)
        changes = header.next_validators_hash != header.validators_hash
        announced = ValidatorList(version=1, validators=self.made.next_set(height).validators) if changes else None
        return RawHeader(
            height=height,
            header=header.encoded.hex(),
            commit=encode(self.made.commit(height)).hex(),
            next_validators=encode(announced).hex() if announced else "",
        )

    def _file(self, height: int) -> BlockFile:
        receipts = tuple(one.hex() for one in self.made.receipts[height - 1])
        return BlockFile(height=height, block=encode(self.made.blocks[height - 1]).hex(), receipts=receipts)

    def change(self, height: int, **changes: str) -> "Node":
        """Lie about a header."""
        self.headers[height - 1] = msgspec.structs.replace(self.headers[height - 1], **changes)
        return self

    @property
    def client(self) -> Any:
        """What stands for a `Client`."""

        def headers(first: int, limit: int) -> HeaderRange:
            items = tuple(self.headers[first - 1 : first - 1 + min(limit, self.page)])
            if first > len(self.made.blocks):
                raise failure(ApiRefusal.BEYOND_HEAD, "not final yet")
            return HeaderRange(chain_id="", last=len(self.headers), validators="", items=items)

        def genesis() -> Any:
            return SimpleNamespace(encoded=encode(self.made.genesis).hex())

        block = SimpleNamespace(headers=headers, export=lambda height: self.files[height - 1])
        return SimpleNamespace(block=block, node=SimpleNamespace(genesis=genesis))


def light(node: Node) -> LightClient:
    """From the true genesis."""
    return LightClient(node.client, GenesisBasis(chain().genesis))


def check_all(client: LightClient) -> None:
    """Follow to the head and check every block."""
    for checked in client.advance():
        client.check_block(checked.header)


def reason(node: Node) -> Refusal:
    """Why following the whole chain and checking its blocks is refused."""
    with pytest.raises(Rejected) as caught:
        check_all(light(node))
    return caught.value.reason


@pytest.mark.parametrize("page", [1, 2, 500])
def test_a_true_chain_is_followed_to_its_head(page: int) -> None:
    client = light(Node(chain(), page))
    checked = list(client.advance())
    assert checked == [
        Checked(chain().header(height), chain().commit(height).validator_bitmap[0].bit_count(), 4)
        for height in range(1, 7)
    ]
    assert client.trusted.header == (chain().header(6),)
    assert [client.check_block(one.header) for one in checked] == [0, 3, 0, 0, 1, 0]
    assert list(client.advance()) == []


def test_following_goes_on_where_it_stopped() -> None:
    client = light(Node(chain()))
    assert [one.header.height for one in client.advance(2)] == [1, 2]
    assert [one.header.height for one in client.advance(5)] == [3, 4, 5]
    with pytest.raises(ClientError, match="beyond-head"):
        list(client.advance(7))


def test_a_node_that_gives_nothing_is_no_proof() -> None:
    node = Node(chain(), page=0)
    assert reason(node) is LightRefusal.HEADER


def test_a_basis_that_is_too_old_is_refused_where_a_clock_is_given() -> None:
    basis = GenesisBasis(chain().genesis)
    period = chain().genesis.parameters.trusting_period_ms
    LightClient(Node(chain()).client, basis, START_MS + period)
    with pytest.raises(Rejected) as caught:
        LightClient(Node(chain()).client, basis, START_MS + period + 1)
    assert caught.value.reason is LightRefusal.BASIS


def test_another_chain_is_refused() -> None:
    assert reason(Node(chain("other"))) is LightRefusal.HEADER


def test_a_header_left_out_is_noticed() -> None:
    node = Node(chain())
    del node.headers[1]
    assert reason(node) is LightRefusal.HEADER


def test_a_certificate_of_another_header_is_refused() -> None:
    assert reason(Node(chain()).change(2, commit=encode(chain().commit(1)).hex())) is LightRefusal.COMMIT


def test_a_certificate_without_a_quorum_is_refused() -> None:
    two = commit_of(chain().header(2), (1, 2), (0, 1))
    assert reason(Node(chain()).change(2, commit=encode(two).hex())) in (LightRefusal.COMMIT, CommitRefusal.NO_QUORUM)


def test_another_set_is_refused() -> None:
    other = ValidatorList(version=1, validators=chain().next_set(1).validators)
    assert reason(Node(chain()).change(3, next_validators=encode(other).hex())) is LightRefusal.SET_CHANGE
    assert reason(Node(chain()).change(3, next_validators="")) is LightRefusal.SET_CHANGE


def test_what_is_no_header_is_refused() -> None:
    assert reason(Node(chain()).change(2, header="00")) is HeaderRefusal.WRONG_LENGTH
    assert reason(Node(chain()).change(2, header="zz")) is LightRefusal.ENCODING


def test_a_receipt_left_out_is_noticed() -> None:
    node = Node(chain())
    node.files[1] = msgspec.structs.replace(node.files[1], receipts=node.files[1].receipts[1:])
    assert reason(node) is LightRefusal.INCLUSION


def test_a_block_of_another_height_is_refused() -> None:
    node = Node(chain())
    node.files[1] = node.files[4]
    assert reason(node) is LightRefusal.HEADER


def test_a_transaction_left_out_is_noticed() -> None:
    node = Node(chain())
    block = chain().blocks[1]
    body = msgspec.structs.replace(block.body, transactions=block.body.transactions[1:])
    without = msgspec.structs.replace(block, body=body)
    node.files[1] = msgspec.structs.replace(node.files[1], block=encode(without).hex())
    assert reason(node) is LightRefusal.TRANSACTION


def test_genesis_is_taken_from_anyone_by_its_digest() -> None:
    assert fetch_genesis(Node(chain()).client, chain().chain_id) == chain().genesis
    with pytest.raises(Rejected) as caught:
        fetch_genesis(Node(chain("other")).client, chain().chain_id)
    assert caught.value.reason is LightRefusal.BASIS
