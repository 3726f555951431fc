"""What clients hear of the transactions they submit."""

from tests.unit.ledger.world import address
from tests.unit.node.requests.world import Chain

from metanode.chain.mempool import ItemOutcome, Outcome, PoolRefusal
from metanode.node.effects import BatchAnswer, Note
from metanode.node.routes import pool
from metanode.records.calls import CoinTransfer

PAY = CoinTransfer(coin="BPI", to=address("bob"), amount=b"\x2a")


def refused(identity: bytes, reason: PoolRefusal) -> ItemOutcome:
    return ItemOutcome(identity, reason.value, "why", known=False)


def test_a_final_transaction_is_accepted_again_by_a_pool_that_has_forgotten_it() -> None:
    """HTTP-14. Found by a journey: after a restart the pool said that the nonce was used."""
    chain = Chain()
    sent, other = chain.transaction("alice", PAY), chain.transaction("bob", PAY)
    chain.final(sent)
    items = (
        refused(sent.identity, PoolRefusal.NONCE_USED),
        refused(sent.identity, PoolRefusal.EXPIRED),
        refused(other.identity, PoolRefusal.NONCE_USED),
    )
    pool.carry(chain.desk, Outcome(7, items))
    assert chain.effects() == [
        Note("refused", {"reason": "pool.nonce-used", "count": 1}),
        BatchAnswer(
            7,
            (
                (sent.identity, "", "", True),
                (sent.identity, "", "", True),
                (other.identity, "pool.nonce-used", "why", False),
            ),
        ),
    ]


def test_what_is_turned_away_is_counted_by_its_code() -> None:
    chain = Chain()
    items = tuple(refused(bytes(32), PoolRefusal.WRONG_CHAIN) for _ in range(3))
    pool.carry(chain.desk, Outcome(7, (*items, refused(bytes(32), PoolRefusal.TOO_LARGE))))
    notes = [effect for effect in chain.effects() if isinstance(effect, Note)]
    assert notes == [
        Note("refused", {"reason": "pool.wrong-chain", "count": 3}),
        Note("refused", {"reason": "pool.too-large", "count": 1}),
    ]
    assert chain.desk.refusals == {"pool.wrong-chain": 3, "pool.too-large": 1}
