"""How far a transaction has come, and what it asks for."""

from tests.unit.ledger.test_conviction import double_vote
from tests.unit.ledger.world import START_MS, address, key
from tests.unit.node.requests.world import Chain

from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.receipt_names import receipt_name
from metanode.api.transactions import AuthorizationView, TransactionGet, TransactionStatus, TransactionView
from metanode.records.address import show_address
from metanode.records.calls import CoinTransfer


def pay(amount: int) -> CoinTransfer:
    return CoinTransfer(coin="BPI", to=address("bob"), amount=amount.to_bytes(2, "big").lstrip(b"\0"))


def test_the_way_of_a_transaction() -> None:
    chain = Chain()
    sent = chain.transaction("alice", pay(42))
    name = sent.identity.hex()

    def status() -> TransactionStatus:
        answered = chain.ask("transaction.get", TransactionGet(identity=name))
        assert isinstance(answered, TransactionStatus)
        return answered

    assert status() == TransactionStatus(identity=name, state="unknown")
    chain.wait_in_pool(sent)
    assert status() == TransactionStatus(identity=name, state="pending")
    chain.candidate(sent)
    assert status() == TransactionStatus(identity=name, state="included")
    chain.final(sent, evidence=(double_vote(3),))
    assert status() == TransactionStatus(
        identity=name,
        state="final",
        height=1,
        index=1,
        receipt=receipt_name(1, 1),
        succeeded=True,
        code="",
        timestamp_ms=START_MS + 1_000,
    )


def test_a_failed_transaction_is_final_with_its_code() -> None:
    chain = Chain()
    sent = chain.transaction("alice", pay(5_000))
    chain.final(sent)
    status = chain.ask("transaction.get", TransactionGet(identity=sent.identity.hex()))
    assert (status.state, status.succeeded, status.code) == ("final", False, "coin.insufficient")


def test_a_dropped_transaction_tells_why() -> None:
    chain = Chain()
    sent = chain.transaction("alice", pay(42))
    chain.desk.dropped(sent.identity, "pool.expired", "at 5, now 6")
    name = sent.identity.hex()
    dropped = TransactionStatus(identity=name, state="dropped", code="pool.expired")
    assert chain.ask("transaction.get", TransactionGet(identity=name)) == dropped
    chain.wait_in_pool(sent)  # sent again, it waits again
    assert chain.ask("transaction.get", TransactionGet(identity=name)).state == "pending"


def test_what_it_asks_for_is_shown_wherever_it_is() -> None:
    chain = Chain()
    sent = chain.transaction("alice", pay(42), fee=3, memo="invoice 7")
    name = sent.identity.hex()
    expected = TransactionView(
        identity=name,
        authorizations_digest=sent.authorizations_digest.hex(),
        sender=show_address(address("alice")),
        lane=0,
        nonce=0,
        expires_ms=START_MS + 60_000,
        fee="3",
        work_limit=10_000,
        calls=({"type": "coin.transfer", "coin": "BPI", "to": show_address(address("bob")), "amount": "42"},),
        memo="invoice 7",
        authorizations=(AuthorizationView(key=key("alice").hex(), signature="00" * 64),),
        bytes=len(sent.encoded),
        sentence="alice transfers 0.42 BPI to bob, for a fee of 0.03 BPI, with the memo 'invoice 7'",
    )
    assert chain.ask("transaction.show", TransactionGet(identity=name)) == ApiError(
        ApiRefusal.NOT_FOUND, f"this node does not hold transaction {name}"
    )
    chain.candidate(sent)
    assert chain.ask("transaction.show", TransactionGet(identity=name)) == expected
    chain.desk.candidates.clear()
    chain.wait_in_pool(sent)
    assert chain.ask("transaction.show", TransactionGet(identity=name)) == expected
    chain.final(chain.transaction("bob", pay(1)), sent, evidence=(double_vote(3),))
    assert chain.pool.find(sent.identity) is None
    assert chain.ask("transaction.show", TransactionGet(identity=name)) == expected


def test_of_a_pruned_block_the_status_is_left_and_the_content_is_not() -> None:
    chain = Chain()
    sent = chain.transaction("alice", pay(42))
    chain.final(sent)
    chain.final()
    del chain.blocks.blocks[1]
    Chain.again(chain)
    status = chain.ask("transaction.get", TransactionGet(identity=sent.identity.hex()))
    assert (status.state, status.succeeded, status.timestamp_ms) == ("final", True, 0)
    assert chain.ask("transaction.show", TransactionGet(identity=sent.identity.hex())).code == ApiRefusal.PRUNED
