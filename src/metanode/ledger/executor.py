"""The ledger: executes blocks on any undecided parent, keeps what becomes final, answers what the state holds.

Everything is a function of the committed state and the blocks above it. Nothing here writes to a store: `commit` hands
out what is to be written, and until `settle` says that the reader shows it, reads are answered from memory.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from metanode.ledger.accounts.admission import admit
from metanode.ledger.accounts.rules import check_authority
from metanode.ledger.accounts.state import Account, account_key, next_nonce, read_account
from metanode.ledger.coin.state import balance_key, read_number
from metanode.ledger.execution import BlockInput, BlockRun, Refused, keys_of_calls, keys_of_senders
from metanode.ledger.frame import BlockContext, Mathematics
from metanode.ledger.governance.state import read_parameters, read_rules, read_validators
from metanode.ledger.module import Method, Module
from metanode.ledger.reader import Reader
from metanode.ledger.recent import REMEMBERED_BYTES_MAX, Absent, Recent
from metanode.ledger.state import StateProof, StateTree, build_tree
from metanode.ledger.view import View
from metanode.primitives.digest import Tag
from metanode.primitives.merkle import counted_root
from metanode.primitives.names import Address, Hash, Height, Millis
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.block import KnownTransaction
from metanode.records.genesis import Genesis, genesis_hash
from metanode.records.parameters import Parameters
from metanode.records.receipt import Receipt, receipt_leaf
from metanode.records.transaction import Authorization
from metanode.records.validators import ValidatorSet

CANDIDATES_MAX: Final = 32
"""Undecided blocks kept: one a round, and so many rounds are rare. The oldest is forgotten and can be run again."""
HISTORY_WRITES_MAX: Final = 24_576
"""Keys changed by the blocks whose states are kept: each costs some 2 KiB (its old page and value), 50 MiB in all, so
that a busy chain keeps fewer of them than `history_blocks`."""
HISTORY_BLOCKS_MIN: Final = 2
"""States kept however much their blocks changed: whoever asks for a proof at the tip is answered a block later."""


class LedgerRefusal(Refusal):
    """Why a question to the ledger has no answer."""

    HEIGHT_NOT_KEPT = "ledger.height-not-kept"
    """The state at that height is not final yet, older than `history_blocks` or than memory holds, or from before the
    last start."""


@dataclass(frozen=True, slots=True)
class Execution:
    """LEDGER-X2. All that a block does, and all roots that follow. Nothing of it has happened yet.

    `transactions`: those included, in order; `refused_*`: what may not be in the block, and is not in this result.
    `validators`, `parameters`, `rules_version`: those of the next height.
    """

    parent: Hash
    height: Height
    timestamp_ms: Millis
    transactions: tuple[KnownTransaction, ...]
    refused_transactions: tuple[Refused, ...]
    refused_evidence: tuple[Refused, ...]
    writes: Mapping[bytes, bytes | None]
    before: Mapping[bytes, bytes | None]
    receipts: tuple[Receipt, ...]
    receipt_bytes: tuple[bytes, ...]
    state_root: Hash
    receipts_root: Hash
    validators: ValidatorSet
    parameters: Parameters
    rules_version: int
    work: int
    tree: StateTree


@dataclass(frozen=True, slots=True)
class AccountView:
    """What the pool asks about a sender: its policy, the next nonce of every lane, what it can spend on fees."""

    address: Address
    account: Account
    spendable: int

    def next_nonce(self, lane: int) -> int:
        """LEDGER-A3. The nonce due in a lane."""
        return next_nonce(self.account, lane)

    @property
    def policy(self) -> tuple[tuple[bytes, ...], int]:
        """LEDGER-A2. Keys and threshold: the same as long as the same authorizations are due."""
        return self.account.keys, self.account.threshold

    def check_authority(self, authorizations: tuple[Authorization, ...]) -> None:
        """LEDGER-N3. Whether these, if their signatures are good, speak for the account. Raises `Rejected`."""
        check_authority(self.account, self.address, authorizations)


@dataclass(frozen=True, slots=True)
class Proved:
    """A key's value (`None`: absent) at a height, with its proof against the `state_root` of that height's header."""

    height: Height
    state_root: Hash
    value: bytes | None
    proof: StateProof


@dataclass(frozen=True, slots=True)
class _Version:
    """A final state that is still kept, and what the block that made it changed."""

    height: Height
    tree: StateTree
    before: Mapping[bytes, bytes | None]


class Ledger:
    """The replicated state at the tip, the undecided blocks above it, and the last few states below it.

    `reader` shows the state at `height`, whose block is named `tip`; opening hashes every key and value once
    (about 4 µs a key). A new chain stores `genesis_state` first and opens at height 0.
    """

    def __init__(
        self,
        genesis: Genesis,
        reader: Reader,
        height: Height,
        tip: Hash,
        mathematics: Mathematics,
        modules: Sequence[Module],
    ) -> None:
        assert tuple(module.name for module in modules) == genesis.modules, "genesis pins the modules"
        self._chain_id: Final = genesis_hash(genesis)
        self._fee_coin: Final = genesis.fee_coin
        self._modules: Final = tuple(modules)
        self._methods: Final[dict[type, Method]] = {
            call: method for module in modules for call, method in module.methods.items()
        }
        self._mathematics: Final = mathematics
        self._reader: Final = reader
        self._tip = tip
        self._versions: deque[_Version] = deque([_Version(height, build_tree(reader.scan()), {})])
        self._candidates: dict[Hash, Execution] = {}
        self._unsettled: deque[tuple[Height, Mapping[bytes, bytes | None]]] = deque()
        self._history_writes = 0
        self._recent: Final = Recent()

    # --- executing and deciding -----------------------------------------------------------------------------------

    @property
    def tip(self) -> tuple[Height, Hash, Hash]:
        """The last committed block: height, header hash, state root."""
        version = self._versions[-1]
        return version.height, self._tip, version.tree.root

    def execute(self, parent: Hash, block: BlockInput) -> Execution:
        """LEDGER-X2. What this block does on `parent`: the tip, or an adopted block. Changes nothing.

        A proposer uses the result as it is; a validator calls the block invalid when anything was refused.
        """
        lineage = self._lineage(parent)
        work_max = read_parameters(View(lambda key: self._find(lineage, key))).block_work_max
        keys = keys_of_senders(block.transactions, self._fee_coin)
        keys += keys_of_calls(block.transactions, self._methods, work_max)
        view = View(lambda key: self._find(lineage, key), self._find_many(lineage, keys))
        assert block.height == self._versions[-1].height + len(lineage) + 1, "a block follows its parent"
        context = self._context(view, parent, block.height, block.timestamp_ms)
        run = BlockRun(context, view, self._methods)
        refused_evidence = run.run_evidence(block.evidence)
        included, refused = run.run_transactions(block.transactions)
        run.run_steps(self._modules, Address(context.validators[block.proposer].operator))
        writes = view.writes()
        tree = (lineage[0].tree if lineage else self._versions[-1].tree).update(writes)
        return Execution(
            parent=parent,
            height=block.height,
            timestamp_ms=block.timestamp_ms,
            transactions=tuple(included),
            refused_transactions=tuple(refused),
            refused_evidence=tuple(refused_evidence),
            writes=writes,
            before={key: view.before(key) for key in writes},
            receipts=tuple(run.receipts),
            receipt_bytes=tuple(run.encoded),
            state_root=tree.root,
            receipts_root=counted_root(Tag.RECEIPTS_ROOT, [receipt_leaf(encoded) for encoded in run.encoded]),
            validators=read_validators(view),
            parameters=read_parameters(view),
            rules_version=read_rules(view).version,
            work=run.work,
            tree=tree,
        )

    def adopt(self, header_hash: Hash, execution: Execution) -> None:
        """LEDGER-X3. Keep an undecided block under its name, so that it can be committed or built on."""
        self._lineage(execution.parent)
        self._candidates[header_hash] = execution
        while len(self._candidates) > CANDIDATES_MAX:
            del self._candidates[next(iter(self._candidates))]

    def knows(self, header_hash: Hash) -> bool:
        """Whether a block can be built on: it is the tip, or adopted together with all between it and the tip."""
        while header_hash != self._tip:
            candidate = self._candidates.get(header_hash)
            if candidate is None:
                return False
            header_hash = candidate.parent
        return True

    def commit(self, header_hash: Hash) -> Execution:
        """LEDGER-X3. An adopted child of the tip becomes the tip; what was not built on it is forgotten.

        Returns it: `writes` are to be stored, whole or not at all.
        """
        execution = self._candidates.pop(header_hash)
        assert execution.parent == self._tip, "blocks are committed one after another"
        self._tip = header_hash
        self._versions.append(_Version(execution.height, execution.tree, execution.before))
        self._history_writes += len(execution.before)
        while len(self._versions) > execution.parameters.history_blocks or (
            self._history_writes > HISTORY_WRITES_MAX and len(self._versions) > HISTORY_BLOCKS_MIN
        ):
            self._history_writes -= len(self._versions.popleft().before)
        self._unsettled.append((execution.height, execution.writes))
        self._recent.note(execution.writes)
        self._candidates = {name: kept for name, kept in self._candidates.items() if self.knows(name)}
        return execution

    def settle(self, height: Height) -> None:
        """The reader now shows the writes of every block up to `height`: memory lets go of them."""
        while self._unsettled and self._unsettled[0][0] <= height:
            self._unsettled.popleft()

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """The value of a raw key at the tip, `None` when absent."""
        return self._find((), key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys at the tip with `prefix`, greater than `after`, ascending. For queries, never inside an execution."""
        fresh: dict[bytes, bytes | None] = {}
        for _, writes in self._unsettled:
            fresh.update((key, value) for key, value in writes.items() if key.startswith(prefix) and key > after)
        waiting = sorted(fresh, reverse=True)
        for key, value in self._reader.scan(prefix, after):
            while waiting and waiting[-1] < key:
                newer = waiting.pop()
                if (written := fresh[newer]) is not None:
                    yield newer, written
            if waiting and waiting[-1] == key:
                waiting.pop()
            current = fresh.get(key, value)
            if current is not None:
                yield key, current
        while waiting:
            newer = waiting.pop()
            if (written := fresh[newer]) is not None:
                yield newer, written

    def account_views(self, addresses: Sequence[Address]) -> list[AccountView]:
        """What the pool asks about senders, at the tip: one bulk read."""
        coin = self._fee_coin
        keys = [account_key(address) for address in addresses] + [balance_key(one, coin) for one in addresses]
        view = View(self.get, self._find_many((), keys))
        return [
            AccountView(
                address=address,
                account=read_account(view, address),
                spendable=read_number(view, balance_key(address, coin)),
            )
            for address in addresses
        ]

    def judge(self, transactions: Sequence[KnownTransaction], timestamp_ms: Millis) -> list[Rejected | None]:
        """LEDGER-N1 to LEDGER-N6 of each by itself, as if in a block on the tip at this time. `None`: admissible."""
        keys = keys_of_senders(transactions, self._fee_coin)
        view = View(self.get, self._find_many((), keys))
        context = self._context(view, self._tip, Height(self._versions[-1].height + 1), timestamp_ms)
        verdicts: list[Rejected | None] = []
        for known in transactions:
            sender = known.signed.transaction.sender
            try:
                admit(
                    known, context, read_account(view, sender), read_number(view, balance_key(sender, self._fee_coin))
                )
            except Rejected as rejected:
                verdicts.append(rejected)
            else:
                verdicts.append(None)
        return verdicts

    def prove(self, key: bytes, height: Height) -> Proved:
        """STATE-5. A key's value at a kept height, and the proof of it. Raises `Rejected` with a `LedgerRefusal`."""
        version = self._version(height)
        value = self.get(key)
        for later in reversed(self._versions):
            if later.height <= height:
                break
            value = later.before.get(key, value)
        return Proved(height=height, state_root=version.tree.root, value=value, proof=version.tree.prove(key))

    def tree_at(self, height: Height) -> StateTree:
        """STATE-6. The tree of a kept height, for handing the state over in pieces. Raises `Rejected`."""
        return self._version(height).tree

    # --- inside -----------------------------------------------------------------------------------------------------

    def _context(self, view: View, parent: Hash, height: Height, timestamp_ms: Millis) -> BlockContext:
        return BlockContext(
            chain_id=self._chain_id,
            parent=parent,
            fee_coin=self._fee_coin,
            height=height,
            timestamp_ms=timestamp_ms,
            parameters=read_parameters(view),
            validators=read_validators(view),
            mathematics=self._mathematics,
        )

    def _version(self, height: Height) -> _Version:
        oldest, newest = self._versions[0].height, self._versions[-1].height
        if not oldest <= height <= newest:
            raise Rejected(LedgerRefusal.HEIGHT_NOT_KEPT, f"height {height}; kept: {oldest} … {newest}")
        return self._versions[height - oldest]

    def _lineage(self, name: Hash) -> list[Execution]:
        """The undecided blocks from `name` down to, and without, the tip."""
        lineage: list[Execution] = []
        while name != self._tip:
            candidate = self._candidates.get(name)
            assert candidate is not None, "the parent is the tip or adopted"
            lineage.append(candidate)
            name = candidate.parent
        return lineage

    def _find(self, lineage: Sequence[Execution], key: bytes) -> bytes | None:
        for execution in lineage:
            if key in execution.writes:
                return execution.writes[key]
        value = self._recent.get(key)
        if isinstance(value, Absent):
            value = self._read_tip([key])[0]
            if len(key) <= REMEMBERED_BYTES_MAX:
                self._recent.note({key: value})
        return value

    def _find_many(self, lineage: Sequence[Execution], keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        found: dict[bytes, bytes | None] = {}
        missing: list[bytes] = []
        recall = self._recent.get
        for key in dict.fromkeys(keys):
            value = recall(key)
            if isinstance(value, Absent):
                missing.append(key)
            else:
                found[key] = value
        if missing:
            read = dict(zip(missing, self._read_tip(missing), strict=True))
            self._recent.note({key: value for key, value in read.items() if len(key) <= REMEMBERED_BYTES_MAX})
            found.update(read)
        for execution in reversed(lineage):
            writes = execution.writes
            found.update((key, writes[key]) for key in found if key in writes)
        return found

    def _read_tip(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """What the reader shows, and above it the writes it does not show yet."""
        if not self._unsettled:
            return self._reader.get_many(keys) if len(keys) > 1 else [self._reader.get(keys[0])]
        values = dict(zip(keys, self._reader.get_many(keys), strict=True))
        for _, writes in self._unsettled:
            values.update((key, writes[key]) for key in keys if key in writes)
        return list(values.values())
