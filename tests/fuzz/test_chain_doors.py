"""Whatever strangers send through the doors of pool, assembly and sync: effects come out, never an exception."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.fuzz.wire import values
from tests.unit.chain.mempool.desk import CHAIN_ID, NOW, Pool, tx
from tests.unit.chain.proposal.test_assembly import begin, hear, name
from tests.unit.chain.samples import START_MS
from tests.unit.chain.sync.pretend import chain
from tests.unit.chain.sync.test_snapshots import Cutter, EmptyLog, Taker, as_it_is

from metanode.chain import mempool, proposal, sync
from metanode.chain.light import GenesisBasis, trust
from metanode.primitives.codec import encode
from metanode.records.block import FinalBlock
from metanode.records.transaction import SIGNED_TRANSACTIONS, SignedTransaction, Transaction

EXAMPLES = settings(max_examples=60, deadline=None)


def of(kind: Any) -> st.SearchStrategy[Any]:
    return values(inspect.type_info(kind))


NEARLY: st.SearchStrategy[bytes] = st.builds(
    lambda field, value: encode(
        SignedTransaction(
            version=1,
            transaction=msgspec.structs.replace(SIGNED_TRANSACTIONS.decode(tx()).transaction, **{field: value[field]}),
            authorizations=SIGNED_TRANSACTIONS.decode(tx()).authorizations,
        )
    ),
    st.sampled_from(Transaction.__struct_fields__),
    of(Transaction).map(lambda made: {f: getattr(made, f) for f in made.__struct_fields__}),
)


@EXAMPLES
@given(batch=st.lists(st.one_of(st.binary(max_size=60), of(SignedTransaction).map(encode), NEARLY), max_size=4))
def test_transactions(batch: list[bytes]) -> None:
    pool = Pool()
    pool.gossip(b"peer", *batch, tx(1))
    (outcome,) = [e for e in pool.submit(*batch, tx()) if isinstance(e, mempool.Outcome)]
    assert len(outcome.items) == len(batch) + 1
    assert outcome.items[-1].code == ""
    taken = pool.select()
    assert all(one.signed.transaction.chain_id == CHAIN_ID for one in taken)
    pool.tell(mempool.Tick(NOW))


@EXAMPLES
@given(messages=st.lists(of(proposal.Message), max_size=5), ours=st.booleans())
def test_questions_and_answers_about_bodies(messages: list[Any], ours: bool) -> None:
    machine, _ = begin(0, 1)
    for message in messages:
        named = msgspec.structs.replace(message, header_hash=name()) if ours else message
        for effect in hear(machine, named):
            assert isinstance(effect, proposal.Blame | proposal.Answer | proposal.AskPeer)


@EXAMPLES
@given(messages=st.lists(of(sync.Message), max_size=5))
def test_what_peers_say_of_blocks_and_snapshots(messages: list[Any]) -> None:
    node = Taker({b"a": as_it_is})
    node.machine.handle(sync.Tick(START_MS))
    tip = trust(GenesisBasis(chain().genesis))
    giver = sync.Sync(tip, EmptyLog(), snapshots=Cutter())
    giver.handle(sync.PeerUp(b"a"))
    for message in messages:
        node.machine.handle(sync.Received(START_MS, b"a", message))
        giver.handle(sync.Received(START_MS, b"a", message))
    assert node.installed() == []


@EXAMPLES
@given(blocks=st.lists(st.one_of(of(FinalBlock).map(encode), st.binary(max_size=40)), min_size=1, max_size=3))
def test_blocks_that_were_asked_for(blocks: list[bytes]) -> None:
    node = sync.Sync(trust(GenesisBasis(chain().genesis)), EmptyLog())
    node.handle(sync.PeerUp(b"a"))
    (ask,) = node.handle(sync.Received(START_MS, b"a", sync.Head(version=1, first=1, last=3)))
    assert isinstance(ask, sync.Send)
    effects = node.handle(sync.Received(START_MS, b"a", sync.Blocks(version=1, first=1, blocks=tuple(blocks))))
    assert [type(effect) for effect in effects] == [sync.Blame]


@EXAMPLES
@given(honest=st.sampled_from(["header", "commit", "body"]), data=st.data())
def test_blocks_that_are_nearly_true(honest: str, data: st.DataObject) -> None:
    true = chain().blocks[0]
    field = data.draw(of(FinalBlock))
    other = msgspec.structs.replace(true, **{honest: getattr(field, honest)})
    node = sync.Sync(trust(GenesisBasis(chain().genesis)), EmptyLog())
    node.handle(sync.PeerUp(b"a"))
    node.handle(sync.Received(START_MS, b"a", sync.Head(version=1, first=1, last=1)))
    effects = node.handle(sync.Received(START_MS, b"a", sync.Blocks(version=1, first=1, blocks=(encode(other),))))
    assert [type(effect) for effect in effects] == [sync.Blame]


@EXAMPLES
@given(data=st.data())
def test_manifests_that_are_nearly_true(data: st.DataObject) -> None:
    made = data.draw(of(sync.Manifest))
    field = data.draw(st.sampled_from(["commit", "set_changes", "frontier", "prefixes"]))

    def tamper(message: sync.Message) -> sync.Message:
        if isinstance(message, sync.Manifest) and message.header:
            return msgspec.structs.replace(message, **{field: getattr(made, field)})
        return message

    node = Taker({b"a": tamper})
    node.wait(100)
    assert node.installed() == []
    assert len(node.blamed()) == 1
