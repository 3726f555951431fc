"""The methods of the table as Python calls, one class a room: `client.block.get(9)` is `block.get`."""

from collections.abc import Iterator
from typing import Final

from metanode.api import methods
from metanode.api.accounts import (
    AccountGet,
    AccountList,
    AccountPage,
    AccountView,
    CoinGet,
    CoinList,
    CoinPage,
    CoinView,
    GovernanceGet,
    GovernanceList,
    ProposalPage,
    ProposalView,
)
from metanode.api.blocks import (
    BlockExport,
    BlockFile,
    BlockGet,
    BlockList,
    BlockPage,
    BlockView,
    HeaderChanges,
    HeaderList,
    HeaderRange,
    StateProof,
    StateProve,
)
from metanode.api.guilt import (
    EvidenceExport,
    EvidenceFileView,
    EvidenceSubmit,
    EvidenceTaken,
    EvidenceTestimony,
    TestimonyView,
    TranscriptGet,
    TranscriptView,
)
from metanode.api.node import (
    EvidenceList,
    EvidencePage,
    FaultKind,
    FaultSet,
    FaultView,
    GenesisView,
    MempoolStatus,
    NodeStatus,
    Nothing,
    ParameterPage,
    PeerPage,
    ValidatorGet,
    ValidatorList,
    ValidatorPage,
    ValidatorView,
)
from metanode.api.shapes import PAGE_DEFAULT
from metanode.api.transactions import (
    ReceiptExport,
    ReceiptFileView,
    ReceiptGet,
    ReceiptList,
    ReceiptPage,
    ReceiptView,
)
from metanode.client.calling import Caller

_NOTHING: Final = Nothing()


class Node:
    """How the node is, whom it knows, what waits in it."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def status(self) -> NodeStatus:
        """`node.status`."""
        return self._call(methods.NODE_STATUS, _NOTHING)

    def genesis(self) -> GenesisView:
        """`genesis.get`."""
        return self._call(methods.GENESIS_GET, _NOTHING)

    def parameters(self) -> ParameterPage:
        """`parameters.get`."""
        return self._call(methods.PARAMETERS_GET, _NOTHING)

    def mempool(self) -> MempoolStatus:
        """`mempool.status`."""
        return self._call(methods.MEMPOOL_STATUS, _NOTHING)

    def peers(self) -> PeerPage:
        """`peer.list`."""
        return self._call(methods.PEER_LIST, _NOTHING)

    def evidence(self, cursor: str = "", limit: int = PAGE_DEFAULT) -> EvidencePage:
        """`evidence.list`."""
        return self._call(methods.EVIDENCE_LIST, EvidenceList(cursor=cursor, limit=limit))

    def set_fault(self, kind: FaultKind, peers: tuple[str, ...] = (), value_ms: int = 0) -> FaultView:
        """`fault.set`, on development chains."""
        return self._call(methods.FAULT_SET, FaultSet(kind=kind, peers=peers, value_ms=value_ms))

    def clear_fault(self) -> FaultView:
        """`fault.clear`, on development chains."""
        return self._call(methods.FAULT_CLEAR, _NOTHING)


class Block:
    """Blocks, headers and state, for people and as bytes."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def get(self, height: int = 0) -> BlockView:
        """`block.get`; height 0 is the last."""
        return self._call(methods.BLOCK_GET, BlockGet(height=height))

    def list(self, before: int = 0, limit: int = PAGE_DEFAULT) -> BlockPage:
        """`block.list`."""
        return self._call(methods.BLOCK_LIST, BlockList(before=before, limit=limit))

    def export(self, height: int = 0) -> BlockFile:
        """`block.export`."""
        return self._call(methods.BLOCK_EXPORT, BlockExport(height=height))

    def headers(self, first: int = 1, limit: int = PAGE_DEFAULT) -> HeaderRange:
        """`header.list`."""
        return self._call(methods.HEADER_LIST, HeaderList(first=first, limit=limit))

    def changes(self, above: int = 0, limit: int = PAGE_DEFAULT) -> HeaderRange:
        """`header.changes`."""
        return self._call(methods.HEADER_CHANGES, HeaderChanges(above=above, limit=limit))

    def prove(self, module: str, key: bytes, height: int = 0) -> StateProof:
        """`state.prove`."""
        return self._call(methods.STATE_PROVE, StateProve(module=module, key=key.hex(), height=height))


class Validator:
    """Who signs."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def list(self, height: int = 0) -> ValidatorPage:
        """`validator.list`."""
        return self._call(methods.VALIDATOR_LIST, ValidatorList(height=height))

    def get(self, name: str) -> ValidatorView:
        """`validator.get`."""
        return self._call(methods.VALIDATOR_GET, ValidatorGet(name=name))


class Account:
    """Who holds what."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def get(self, account: str) -> AccountView:
        """`account.get`, by address or by a name of genesis."""
        return self._call(methods.ACCOUNT_GET, AccountGet(account=account))

    def list(self, coin: str = "", cursor: str = "", limit: int = PAGE_DEFAULT) -> AccountPage:
        """`account.list`."""
        return self._call(methods.ACCOUNT_LIST, AccountList(coin=coin, cursor=cursor, limit=limit))


class Coin:
    """What can be held."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def get(self, coin: str) -> CoinView:
        """`coin.get`."""
        return self._call(methods.COIN_GET, CoinGet(coin=coin))

    def list(self, cursor: str = "", limit: int = PAGE_DEFAULT) -> CoinPage:
        """`coin.list`."""
        return self._call(methods.COIN_LIST, CoinList(cursor=cursor, limit=limit))


class Receipt:
    """What became of transactions."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def get(self, receipt: str) -> ReceiptView:
        """`receipt.get`, by the transaction's identity or the receipt's name."""
        return self._call(methods.RECEIPT_GET, ReceiptGet(receipt=receipt))

    def list(
        self, account: str = "", first: int = 1, last: int = 0, cursor: str = "", limit: int = PAGE_DEFAULT
    ) -> ReceiptPage:
        """`receipt.list`."""
        request = ReceiptList(account=account, first=first, last=last, cursor=cursor, limit=limit)
        return self._call(methods.RECEIPT_LIST, request)

    def all(self, account: str = "", first: int = 1, last: int = 0) -> Iterator[ReceiptView]:
        """Every page of `receipt.list`, one receipt after another."""
        cursor = ""
        while True:
            page = self.list(account, first, last, cursor, 500)
            yield from page.items
            cursor = page.next
            if not cursor:
                return

    def export(self, receipt: str) -> ReceiptFileView:
        """`receipt.export`."""
        return self._call(methods.RECEIPT_EXPORT, ReceiptExport(receipt=receipt))


class Governance:
    """What is put to the vote."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def list(self, cursor: str = "", limit: int = PAGE_DEFAULT) -> ProposalPage:
        """`governance.list`."""
        return self._call(methods.GOVERNANCE_LIST, GovernanceList(cursor=cursor, limit=limit))

    def get(self, proposal: int) -> ProposalView:
        """`governance.get`."""
        return self._call(methods.GOVERNANCE_GET, GovernanceGet(proposal=proposal))


class Evidence:
    """Proofs of guilt, and what a node kept to make them."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def list(self, cursor: str = "", limit: int = PAGE_DEFAULT) -> EvidencePage:
        """`evidence.list`."""
        return self._call(methods.EVIDENCE_LIST, EvidenceList(cursor=cursor, limit=limit))

    def export(self, digest: str) -> EvidenceFileView:
        """`evidence.export`."""
        return self._call(methods.EVIDENCE_EXPORT, EvidenceExport(digest=digest))

    def testimony(self, height: int = 0) -> TestimonyView:
        """`evidence.testimony`; height 0 is the last."""
        return self._call(methods.EVIDENCE_TESTIMONY, EvidenceTestimony(height=height))

    def transcript(self, height: int = 0) -> TranscriptView:
        """`transcript.get`; height 0 is the open one."""
        return self._call(methods.TRANSCRIPT_GET, TranscriptGet(height=height))

    def submit(self, encoded: bytes) -> EvidenceTaken:
        """`evidence.submit`."""
        return self._call(methods.EVIDENCE_SUBMIT, EvidenceSubmit(encoded=encoded.hex()))
