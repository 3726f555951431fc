"""The light client against nodes that lie: each lie is refused by the layer it breaks."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.chain.samples import START_MS, Chain, Person, commit_of, transaction

from metanode.api.blocks import BlockFile, HeaderRange, RawHeader, StateProof
from metanode.api.errors import ApiRefusal
from metanode.chain.light import LightRefusal
from metanode.client import ClientError, state_keys
from metanode.client.failures import failure
from metanode.client.verify import Checked, GenesisBasis, LightClient, Proven, fetch_genesis, verify_state
from metanode.ledger.state import StateTree, build_tree
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Refusal, Rejected
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
        self.proof: StateProof | None = None
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

        def changes(above: int, limit: int) -> HeaderRange:
            items = [raw for raw in self.headers[above:] if raw.next_validators][: min(limit, self.page)]
            return HeaderRange(chain_id="", last=len(self.headers), validators="", items=tuple(items))

        block = SimpleNamespace(
            headers=headers,
            changes=changes,
            export=lambda height: self.files[height - 1],
            prove=lambda module, key, height: self.proof,
        )
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
    assert reason(Node(chain()).change(2, commit=encode(two).hex())) is LightRefusal.COMMIT


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


@cache
def changing() -> Chain:
    """Nine blocks; the set changes with 2, 5 and 8, back to the first with 8."""
    made = Chain()
    for height in range(1, 10):
        made.grow(next_numbers={2: (1, 2, 3, 5), 5: (6, 7, 8, 9), 8: (1, 2, 3, 4)}.get(height))
    return made


def skipped(node: Node, height: int = 0) -> list[int]:
    """The heights that were looked at."""
    client = LightClient(node.client, GenesisBasis(changing().genesis))
    heights: list[int] = [checked.header.height for checked in client.skip(height)]
    assert client.trusted.hash == changing().header(height or 9).hash
    return heights


@pytest.mark.parametrize("page", [1, 2, 500])
@pytest.mark.parametrize(("height", "looked_at"), [(0, [2, 5, 8, 9]), (8, [2, 5, 8]), (7, [2, 5, 7]), (1, [1])])
def test_only_headers_that_announce_another_set_are_looked_at(page: int, height: int, looked_at: list[int]) -> None:
    assert skipped(Node(changing(), page), height) == looked_at


def test_skipping_and_following_end_in_the_same_trust() -> None:
    one, other = (LightClient(Node(changing()).client, GenesisBasis(changing().genesis)) for _ in range(2))
    for _ in one.skip():
        pass
    for _ in other.advance():
        pass
    assert one.trusted == other.trusted
    assert list(one.skip()) == []
    with pytest.raises(ClientError, match="beyond-head"):
        list(one.skip(10))


def why(node: Node) -> Refusal:
    """Why skipping to the head is refused."""
    with pytest.raises(Rejected) as caught:
        skipped(node)
    return caught.value.reason


@pytest.mark.parametrize("height", [2, 5])
def test_a_change_kept_back_leads_nowhere(height: int) -> None:
    assert why(Node(changing()).change(height, next_validators="")) is LightRefusal.SET_CHANGE


def test_a_change_that_is_none_is_refused() -> None:
    same = encode(ValidatorList(version=1, validators=changing().set_at(1).validators)).hex()
    assert why(Node(changing()).change(1, next_validators=same)) is LightRefusal.SET_CHANGE


def test_a_header_under_another_height_is_refused() -> None:
    node = Node(changing())
    node.headers[8] = msgspec.structs.replace(node.headers[6], height=9)
    assert why(node) is LightRefusal.HEADER
    node.headers[8] = node.headers[6]
    assert why(node) is LightRefusal.HEADER


def test_a_change_without_a_quorum_is_refused() -> None:
    two = commit_of(changing().header(5), (1, 2), (0, 1))
    assert why(Node(changing()).change(5, commit=encode(two).hex())) is LightRefusal.COMMIT
    other = encode(changing().commit(4)).hex()
    assert why(Node(changing()).change(5, commit=other)) is LightRefusal.COMMIT


HOLDER, STRANGER = Person(1).address, Person(2).address
HELD, NOT_HELD = (state_keys.balance(one, "USD")[1] for one in (HOLDER, STRANGER))
AMOUNT = (7).to_bytes(16, "big")


@cache
def state() -> StateTree:
    others = [(b"cb" + Person(number).address + b"EUR", AMOUNT) for number in range(90)]
    return build_tree([(HELD, AMOUNT), *others])


@cache
def stated() -> Chain:
    """Four blocks with a real state under the third; the set changes with 2."""
    made = Chain(name="stated")
    made.grow().grow(next_numbers=(5, 6, 7, 8)).grow(state_root=state().root)
    return made.grow()


def proof_of(key: bytes, value: bytes | None, height: int = 3) -> StateProof:
    """What an honest node answers."""
    return StateProof(
        height=height,
        module="coin",
        key=key.hex(),
        present=value is not None,
        value=(value or b"").hex(),
        proof=encode(state().prove(key)).hex(),
        header=stated().header(height).encoded.hex(),
        commit=encode(stated().commit(height)).hex(),
        validators="",
    )


def prove(proof: StateProof, key: bytes = HELD, height: int = 3) -> Proven:
    node = Node(stated())
    node.proof = proof
    return LightClient(node.client, GenesisBasis(stated().genesis)).prove("coin", key, height)


def test_presence_and_absence_are_proved_to_who_trusts_genesis_alone() -> None:
    present = prove(proof_of(HELD, AMOUNT))
    assert present == Proven(stated().header(3), HELD, AMOUNT)
    assert state_keys.amount(present.value) == 7
    absent = prove(proof_of(NOT_HELD, None), NOT_HELD, 0)
    assert (absent.value, state_keys.amount(absent.value)) == (None, 0)


def layer(proof: StateProof, key: bytes = HELD, height: int = 3) -> Refusal:
    with pytest.raises(Rejected) as caught:
        prove(proof, key, height)
    return caught.value.reason


@pytest.mark.parametrize(
    ("proof", "key"),
    [
        (proof_of(HELD, (8).to_bytes(16, "big")), HELD),
        (proof_of(HELD, b""), HELD),
        (proof_of(HELD, None), HELD),
        (proof_of(NOT_HELD, AMOUNT), NOT_HELD),
        (proof_of(NOT_HELD, None), HELD),
        (proof_of(HELD, AMOUNT), NOT_HELD),
    ],
    ids=["more", "empty", "hidden", "invented", "absence of another", "presence of another"],
)
def test_a_node_that_lies_about_the_state_proves_nothing(proof: StateProof, key: bytes) -> None:
    assert layer(proof, key) is LightRefusal.STATE


def test_every_flipped_byte_of_a_state_proof_is_refused() -> None:
    honest = proof_of(HELD, AMOUNT)
    encoded = bytes.fromhex(honest.proof)
    header = stated().header(3)
    assert verify_state(header, HELD, honest).value == AMOUNT
    for at in range(len(encoded)):
        flipped = encoded[:at] + bytes([encoded[at] ^ 1]) + encoded[at + 1 :]
        with pytest.raises(Rejected):
            verify_state(header, HELD, msgspec.structs.replace(honest, proof=flipped.hex()))


def test_a_proof_under_a_header_that_was_not_followed_is_refused() -> None:
    honest = proof_of(HELD, AMOUNT)
    forged = Chain(name="stated").grow().grow(next_numbers=(5, 6, 7, 8), fork="x").grow(state_root=state().root)
    other = msgspec.structs.replace(honest, header=forged.header(3).encoded.hex())
    assert layer(other) is LightRefusal.HEADER
    assert layer(proof_of(HELD, AMOUNT, 4), height=0) is LightRefusal.STATE
    assert layer(proof_of(HELD, AMOUNT, 4), height=3) is LightRefusal.HEADER
    assert layer(msgspec.structs.replace(honest, value="0g")) is LightRefusal.ENCODING


def test_a_proof_below_what_is_trusted_is_refused() -> None:
    node = Node(stated())
    node.proof = proof_of(HELD, AMOUNT)
    client = LightClient(node.client, stated().basis(4))
    with pytest.raises(Rejected) as caught:
        client.prove("coin", HELD)
    assert caught.value.reason is LightRefusal.BASIS
