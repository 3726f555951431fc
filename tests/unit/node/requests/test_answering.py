"""The table is answered whole; refusals become errors; nothing is answered before recovery but the status."""

import pytest
from tests.unit.node.requests.world import Chain

from metanode.api.blocks import BlockGet
from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.methods import METHODS, TRANSACTION_SUBMIT, TRANSACTION_SUBMIT_BATCH, TRANSACTION_WAIT
from metanode.api.node import NodeStatus, Nothing
from metanode.chain.mempool import Submitted
from metanode.node.effects import Answer, Bug
from metanode.node.requests import answer, submit
from metanode.node.requests.answering import OF_DESK, OF_POOL


def test_every_method_but_submissions_and_waiting_is_answered_once() -> None:
    others = {TRANSACTION_SUBMIT.name, TRANSACTION_SUBMIT_BATCH.name, TRANSACTION_WAIT.name}
    assert sorted([*OF_DESK, *OF_POOL]) == sorted(set(METHODS) - others)


def test_every_first_question_is_answered_in_the_type_of_the_table() -> None:
    chain = Chain()
    transaction = chain.transaction("alice")
    for name in sorted([*OF_DESK, *OF_POOL]):
        method = METHODS[name]
        fields = {
            "height": 0,
            "name": "validator-1",
            "account": "alice",
            "coin": "BPI",
            "identity": transaction.identity.hex(),
            "receipt": transaction.identity.hex(),
            "module": "coin",
            "key": b"csBPI".hex(),
            "proposal": 1,
            "kind": "pause",
            "digest": "00" * 32,
            "encoded": "",
            "cluster": "shop",
            "node": "node-1",
            "workload": "web",
            "index": 0,
        }
        if name in ("account.list", "receipt.list"):
            fields = {}
        asked = {f: v for f, v in fields.items() if f in method.request.__struct_fields__}
        answered = chain.answer_only(name, method.request(**asked))
        assert isinstance(answered, method.answer | ApiError), name


def test_a_refusal_is_an_error_with_its_code() -> None:
    assert Chain().ask("block.get", BlockGet(height=3)) == ApiError(
        ApiRefusal.BEYOND_HEAD, "height 3, the last final one is 0"
    )


def test_an_unknown_method_is_an_error() -> None:
    assert Chain().ask("node.dance", Nothing()) == ApiError(
        ApiRefusal.UNKNOWN_METHOD, "the node does not answer 'node.dance'"
    )


def test_before_recovery_only_the_status_is_answered() -> None:
    chain = Chain()
    chain.desk.booted = False
    not_ready = ApiError(ApiRefusal.NOT_READY, "the node is still recovering")
    assert chain.ask("block.get", BlockGet(height=0)) == not_ready
    status = chain.ask("node.status", Nothing())
    assert isinstance(status, NodeStatus)
    assert status.light.reason == "the node has not recovered yet"
    submit(chain.desk, 3, (b"x",))
    assert chain.effects() == [Answer(3, not_ready)]
    assert not chain.desk.internal


def test_a_batch_goes_to_the_pool() -> None:
    chain = Chain()
    submit(chain.desk, 3, (b"x", b"y"))
    assert chain.effects() == []
    assert list(chain.desk.internal) == [("pool", Submitted(chain.desk.now_ms, 3, (b"x", b"y")))]


def test_a_bug_in_one_answer_is_told_to_the_host_and_to_the_asker_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """HTTP-21."""
    chain, error = Chain(), KeyError("impossible")

    def wrong(*_: object) -> object:
        raise error

    for table, name in ((OF_DESK, "peer.list"), (OF_POOL, "mempool.status")):
        monkeypatch.setitem(table, name, wrong)
        answer(chain.desk, chain.pool, 3, name, Nothing())
        told = ApiError(ApiRefusal.INTERNAL, f"{name} failed inside the node: a bug; the node's log has it in full")
        assert chain.effects() == [Bug(name, error), Answer(3, told)]
    assert isinstance(chain.ask("node.status", Nothing()), NodeStatus)
