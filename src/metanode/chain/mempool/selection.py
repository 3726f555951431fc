"""The order in which waiting transactions are offered to a block, and who makes room when the pool is full."""

from heapq import heapify, heappop, heapreplace

from metanode.chain.mempool.events import Select
from metanode.chain.mempool.state import Entry, Pool
from metanode.primitives.names import Address, Hash
from metanode.records.block import KnownTransaction

CROWD_SHARE = 64
"""A full pool makes room for one in so many at a time, so that looking for the cheapest is rare."""


def select(pool: Pool, wanted: Select, expiry_max_ms: int, share: int) -> tuple[KnownTransaction, ...]:
    """POOL-8. Each lane in the order of its nonces; among lanes: senders who had fewer turns, then fees, then arrival.

    A turn is one `share`-th of the block's number or bytes. What does not fit is passed over with the rest of its
    lane; so is what expires at the block's time, or would expire too late. Work is what execution measures: here only
    a transaction whose own limit is above the block's is passed over.
    """
    count_turn, bytes_turn = max(1, wanted.count_max // share), max(1, wanted.bytes_max // share)
    soonest, latest = wanted.timestamp_ms, wanted.timestamp_ms + expiry_max_ms
    taken: dict[Address, tuple[int, int, int]] = {}  # sender: transactions, bytes, fees
    heap = [(0, -entry.fee, entry.number, entry) for entry in pool.ready.values()]
    heapify(heap)
    chosen: list[KnownTransaction] = []
    size = 0
    while heap and len(chosen) < wanted.count_max:
        turn, _, _, entry = heap[0]
        sender = entry.sender
        count, taken_bytes, fees = taken.get(sender, (0, 0, 0))
        due = max(count // count_turn, taken_bytes // bytes_turn)
        if due > turn:  # another lane of the sender used the turn up
            heapreplace(heap, (due, -entry.fee, entry.number, entry))
            continue
        if (
            size + entry.size > wanted.bytes_max
            or not soonest < entry.expires_ms <= latest
            or entry.known.signed.transaction.work_limit > wanted.work_max
            or (entry.fee and fees + entry.fee > pool.view(sender).spendable)
        ):
            heappop(heap)
            continue
        chosen.append(entry.known)
        size += entry.size
        taken[sender] = (count + 1, taken_bytes + entry.size, fees + entry.fee)
        follower = pool.queues[sender].lanes[entry.lane].get(entry.nonce + 1)
        if follower is None:
            heappop(heap)
        else:
            heapreplace(heap, (due, -follower.fee, follower.number, follower))
    return tuple(chosen)


def cheapest_tails(pool: Pool, below_fee: int, count: int) -> tuple[list[Hash], int]:
    """POOL-10. At most `count` transactions paying less than `below_fee`, cheapest and latest first; and the least fee
    at the end of any lane. From the ends of lanes only: what follows a removed one could not be in a block."""
    tails: list[tuple[int, int, int, Entry]] = []
    least = -1
    for queue in pool.queues.values():
        for nonces in queue.lanes.values():
            dearest = 0
            for depth, nonce in enumerate(sorted(nonces, reverse=True)):
                entry = nonces[nonce]
                if depth == 0 and (least < 0 or entry.fee < least):
                    least = entry.fee
                if entry.fee >= below_fee:
                    break
                dearest = max(dearest, entry.fee)
                tails.append((dearest, depth, -entry.number, entry))
    tails.sort()
    return [entry.known.identity for _, _, _, entry in tails[:count]], least
