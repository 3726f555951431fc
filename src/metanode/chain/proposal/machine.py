"""Gathering the body of a proposed block: from the pool, then its deliverer, then any peer."""

from typing import Final, assert_never

from metanode.chain.mempool import Found, Lookup, read_transaction, signature_claims
from metanode.chain.proposal import events as ev
from metanode.chain.proposal.messages import BODIES_COUNT_MAX, Bodies, Message, WantBodies, cut_bodies
from metanode.chain.proposal.rules import ProposalRefusal
from metanode.chain.proposal.state import ASK_AGAIN_MS, SERVED_TIMES, Gathering, Shelf
from metanode.primitives import bitmap
from metanode.primitives.names import Hash, Height, Seat
from metanode.primitives.refusal import Rejected
from metanode.records.block import BLOCK_BYTES_MAX, Body, KnownTransaction
from metanode.records.header import read_header
from metanode.records.proposal import content_leaves
from metanode.records.transaction import AUTHORIZATIONS_MAX


class Assembly:
    """PROP-7, PROP-9. Answers every `Assemble` with `Complete` or `Unfit`, unless it is told to forget the block.

    Contents must have passed `check_header`. What comes out was signed well; who may sign is for the ledger to judge.
    """

    def __init__(self) -> None:
        self._shelf: Final = Shelf()
        self._now_ms = 0
        self._out: list[ev.Effect] = []

    def handle(self, event: ev.Event) -> list[ev.Effect]:
        """Take one event, return the effects in order."""
        out: list[ev.Effect] = []
        self._out = out
        shelf = self._shelf
        match event:
            case ev.Assemble():
                self._now_ms = event.now_ms
                self._assemble(event)
            case ev.Hold(header_hash, height, transactions):
                self._hold(header_hash, height, transactions)
            case ev.Forget(header_hash):
                shelf.blocks.pop(header_hash, None)
            case ev.Release(height):
                for header_hash in [name for name, block in shelf.blocks.items() if block.height < height]:
                    del shelf.blocks[header_hash]
            case Found(token, transactions, missing):
                self._found(token, transactions, missing)
            case ev.Received(now_ms, peer, message):
                self._now_ms = now_ms
                self._hear(peer, message)
            case ev.SignaturesChecked(now_ms, token, verdicts):
                self._now_ms = now_ms
                self._checked(token, verdicts)
            case ev.PeerUp(peer):
                shelf.peers[peer] = None
            case ev.PeerDown(peer):
                shelf.peers.pop(peer, None)
            case ev.Tick(now_ms):
                self._now_ms = now_ms
                for block in shelf.blocks.values():
                    if not block.is_complete() and now_ms >= block.asked_ms + ASK_AGAIN_MS:
                        self._ask(block)
            case _ as never:
                assert_never(never)
        return out

    def _hear(self, peer: bytes, message: Message) -> None:
        match message:
            case WantBodies():
                self._serve(peer, message)
            case Bodies():
                self._take(peer, message)
            case _ as never:
                assert_never(never)

    # --- gathering --------------------------------------------------------------------------------------------------

    def _assemble(self, event: ev.Assemble) -> None:
        """PROP-7. The pool is asked first: gossip has usually brought everything before."""
        block = self._shelf.blocks.get(event.header_hash)
        if block is not None and (block.content or block.is_complete()):
            block.content = (event.content,)
            if block.is_complete():
                self._complete(block)
            return
        leaves = content_leaves(event.content)
        positions = {leaf: position for position, leaf in enumerate(leaves)}
        assert len(positions) == len(leaves), "check_header refuses duplicates"
        block = Gathering(
            header_hash=event.header_hash,
            height=read_header(event.content.header).height,
            content=(event.content,),
            source=event.source,
            leaves=positions,
            found=[None] * len(leaves),
            left=len(leaves),
            looking=dict.fromkeys(leaves),
            signatures_left=event.signatures_max,
            asked_ms=event.now_ms,
        )
        self._shelf.put(block)
        if block.is_complete():
            self._complete(block)
        else:
            self._out.append(Lookup(event.header_hash, leaves))

    def _hold(self, header_hash: Hash, height: Height, transactions: tuple[KnownTransaction, ...]) -> None:
        self._shelf.put(
            Gathering(
                header_hash=header_hash,
                height=height,
                content=(),
                source=Seat(-1),
                leaves={known.leaf: position for position, known in enumerate(transactions)},
                found=list(transactions),
                left=0,
                looking={},
                size=sum(len(known.encoded) for known in transactions),
            )
        )

    def _found(self, token: Hash, transactions: tuple[KnownTransaction, ...], missing: tuple[bytes, ...]) -> None:
        """PROP-7. What the pool has; what it has not is asked for at once."""
        block = self._shelf.blocks.get(token)
        if block is None or block.is_complete():
            return
        for known in transactions:
            self._fill(block, known)
        for leaf in missing:
            block.looking.pop(leaf, None)
        if block.is_complete():
            self._complete(block)
        elif missing:
            self._ask(block)

    def _fill(self, block: Gathering, known: KnownTransaction) -> None:
        leaf = known.leaf
        position = block.leaves.get(leaf)
        block.looking.pop(leaf, None)
        block.checking.pop(leaf, None)
        if position is not None and block.found[position] is None:
            block.found[position] = known
            block.left -= 1
            block.size += len(known.encoded)

    def _complete(self, block: Gathering) -> None:
        transactions = tuple(known for known in block.found if known is not None)
        if block.size > BLOCK_BYTES_MAX:
            self._unfit(block, ProposalRefusal.TOO_LARGE, f"{block.size} bytes, at most {BLOCK_BYTES_MAX}")
            return
        content = block.content[0]
        body = Body(
            version=1,
            last_commit=content.last_commit,
            evidence=content.evidence,
            transactions=tuple(known.encoded for known in transactions),
        )
        self._out.append(ev.Complete(block.header_hash, body, transactions))

    def _unfit(self, block: Gathering, refusal: ProposalRefusal, detail: str) -> None:
        del self._shelf.blocks[block.header_hash]
        self._out.append(ev.Unfit(block.header_hash, refusal, detail))

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, block: Gathering) -> None:
        """PROP-9. The deliverer first, then one peer after another, each for all that is missing."""
        missing = block.missing
        if not missing:
            return
        want = WantBodies(version=1, header_hash=block.header_hash, positions=bitmap.encode(missing, len(block.leaves)))
        peers = list(self._shelf.peers)
        if block.source >= 0 and (block.asks == 0 or not peers):
            self._out.append(ev.AskSeat(block.source, want))
        elif peers:
            self._out.append(ev.AskPeer(peers[block.asks % len(peers)], want))
        block.asks += 1
        block.asked_ms = self._now_ms

    def _take(self, peer: bytes, bodies: Bodies) -> None:
        """PROP-9. Bytes prove themselves by their leaf; signatures of what fits are checked before it counts."""
        block = self._shelf.blocks.get(Hash(bodies.header_hash))
        if bodies.version != 1 or len(bodies.transactions) > BODIES_COUNT_MAX:
            self._out.append(ev.Blame(peer, ProposalRefusal.MALFORMED, f"{len(bodies.transactions)} transactions"))
            return
        if block is None or block.is_complete():
            return
        fresh: list[KnownTransaction] = []
        for encoded in bodies.transactions:
            try:
                known = read_transaction(encoded)
            except Rejected as rejected:
                self._out.append(ev.Blame(peer, ProposalRefusal.NOT_ASKED_FOR, str(rejected)))
                break
            leaf = known.leaf
            position = block.leaves.get(leaf)
            if position is None:
                self._out.append(ev.Blame(peer, ProposalRefusal.NOT_ASKED_FOR, "not in the block"))
                break
            if block.found[position] is None and leaf not in block.checking:
                signatures = len(known.signed.authorizations)
                if signatures > AUTHORIZATIONS_MAX:
                    self._unfit(block, ProposalRefusal.BAD_TRANSACTION, f"{signatures} signatures")
                    return
                block.checking[leaf] = None
                block.signatures_left -= signatures
                fresh.append(known)
        if block.signatures_left < 0:
            detail = f"{-block.signatures_left} signatures more than its work allows"
            self._unfit(block, ProposalRefusal.TOO_MANY, detail)
        elif fresh:
            block.asked_ms = self._now_ms
            self._check(block, tuple(fresh))
        elif 0 < block.asks <= len(self._shelf.peers):  # the next at once, but nobody twice before the next tick
            self._ask(block)

    def _check(self, block: Gathering, fresh: tuple[KnownTransaction, ...]) -> None:
        shelf = self._shelf
        shelf.token += 1
        shelf.checks[shelf.token] = (block.header_hash, fresh)
        items: list[tuple[bytes, bytes, bytes]] = []
        for known in fresh:
            items += signature_claims(known)
        self._out.append(ev.CheckSignatures(shelf.token, tuple(items)))

    def _checked(self, token: int, verdicts: tuple[bool, ...]) -> None:
        """PROP-9. A leaf binds its signatures: one that does not verify makes the block invalid, whoever sent it."""
        header_hash, fresh = self._shelf.checks.pop(token)
        block = self._shelf.blocks.get(header_hash)
        if block is None or block.is_complete():
            return
        if not all(verdicts):
            self._unfit(block, ProposalRefusal.BAD_TRANSACTION, "a signature does not verify")
            return
        for known in fresh:
            self._fill(block, known)
        if block.is_complete():
            self._complete(block)

    # --- serving ----------------------------------------------------------------------------------------------------

    def _serve(self, peer: bytes, want: WantBodies) -> None:
        """PROP-9. Hand out what is here of a block, each peer a bounded number of times its bytes."""
        block = self._shelf.blocks.get(Hash(want.header_hash))
        transactions: list[bytes] = []
        if block is not None:
            try:
                positions = bitmap.decode(want.positions, len(block.leaves))
            except Rejected as rejected:
                self._out.append(ev.Blame(peer, ProposalRefusal.MALFORMED, str(rejected)))
                return
            here = [known for at in positions if (known := block.found[at]) is not None]
            size = sum(len(known.encoded) for known in here)
            served = block.served.get(peer, 0) + size
            if served <= SERVED_TIMES * block.size:
                block.served[peer] = served
                transactions = [known.encoded for known in here]
        self._out.append(ev.Answer(peer, tuple(cut_bodies(want.header_hash, transactions))))
