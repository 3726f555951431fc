"""The table of methods: server, client and documents derive from it and from nothing else."""

from typing import Any, Final

from metanode.api import accounts, blocks, guilt, node, transactions
from metanode.api.cluster_methods import CLUSTER_METHODS
from metanode.api.method import Method, Scope

_READ, _SUBMIT, _ADMIN = Scope.READ, Scope.SUBMIT, Scope.ADMIN

NODE_STATUS: Final = Method(
    "node.status", "GET", "/v1/status", _READ, node.Nothing, node.NodeStatus, "How this node and its chain are"
)
GENESIS_GET: Final = Method(
    "genesis.get",
    "GET",
    "/v1/genesis",
    _READ,
    node.Nothing,
    node.GenesisView,
    "What everyone agreed on at the start",
    raw="encoded",
)
BLOCK_GET: Final = Method(
    "block.get", "GET", "/v1/blocks/{height}", _READ, blocks.BlockGet, blocks.BlockView, "One block"
)
BLOCK_LIST: Final = Method(
    "block.list", "GET", "/v1/blocks", _READ, blocks.BlockList, blocks.BlockPage, "Blocks, the latest first"
)
BLOCK_EXPORT: Final = Method(
    "block.export",
    "GET",
    "/v1/blocks/{height}/file",
    _READ,
    blocks.BlockExport,
    blocks.BlockFile,
    "The bytes of a block and of its receipts",
    raw="block",
)
HEADER_LIST: Final = Method(
    "header.list",
    "GET",
    "/v1/headers",
    _READ,
    blocks.HeaderList,
    blocks.HeaderRange,
    "Headers, certificates and set changes as bytes, for checking a chain yourself",
)
HEADER_CHANGES: Final = Method(
    "header.changes",
    "GET",
    "/v1/headers/changes",
    _READ,
    blocks.HeaderChanges,
    blocks.HeaderRange,
    "Only the headers that announce another set of validators, for checking a long chain quickly",
)
VALIDATOR_LIST: Final = Method(
    "validator.list",
    "GET",
    "/v1/validators",
    _READ,
    node.ValidatorList,
    node.ValidatorPage,
    "The set that signs a height",
)
VALIDATOR_GET: Final = Method(
    "validator.get", "GET", "/v1/validators/{name}", _READ, node.ValidatorGet, node.ValidatorView, "One seat"
)
PARAMETERS_GET: Final = Method(
    "parameters.get",
    "GET",
    "/v1/parameters",
    _READ,
    node.Nothing,
    node.ParameterPage,
    "The parameters of the chain, with ranges and reasons",
)
ACCOUNT_GET: Final = Method(
    "account.get",
    "GET",
    "/v1/accounts/{account}",
    _READ,
    accounts.AccountGet,
    accounts.AccountView,
    "Keys, roles, balances and next nonces of an account",
)
ACCOUNT_LIST: Final = Method(
    "account.list", "GET", "/v1/accounts", _READ, accounts.AccountList, accounts.AccountPage, "Accounts, by coin"
)
COIN_GET: Final = Method(
    "coin.get", "GET", "/v1/coins/{coin}", _READ, accounts.CoinGet, accounts.CoinView, "One coin and its supply"
)
COIN_LIST: Final = Method("coin.list", "GET", "/v1/coins", _READ, accounts.CoinList, accounts.CoinPage, "Coins")
TRANSACTION_SUBMIT: Final = Method(
    "transaction.submit",
    "POST",
    "/v1/transactions",
    _SUBMIT,
    transactions.TransactionSubmit,
    transactions.Submitted,
    "Put one signed transaction into the pool; again is harmless",
)
TRANSACTION_SUBMIT_BATCH: Final = Method(
    "transaction.submit_batch",
    "POST",
    "/v1/transactions/batch",
    _SUBMIT,
    transactions.TransactionSubmitBatch,
    transactions.SubmittedBatch,
    "Put many signed transactions into the pool, each judged alone",
)
TRANSACTION_GET: Final = Method(
    "transaction.get",
    "GET",
    "/v1/transactions/{identity}",
    _READ,
    transactions.TransactionGet,
    transactions.TransactionStatus,
    "How far a transaction has come",
)
TRANSACTION_WAIT: Final = Method(
    "transaction.wait",
    "GET",
    "/v1/transactions/{identity}/wait",
    _READ,
    transactions.TransactionWait,
    transactions.TransactionStatus,
    "The same, answered when it is included or final, or the time is over",
)
TRANSACTION_SHOW: Final = Method(
    "transaction.show",
    "GET",
    "/v1/transactions/{identity}/content",
    _READ,
    transactions.TransactionGet,
    transactions.TransactionView,
    "What a transaction asks for and who signed it",
)
RECEIPT_GET: Final = Method(
    "receipt.get",
    "GET",
    "/v1/receipts/{receipt}",
    _READ,
    transactions.ReceiptGet,
    transactions.ReceiptView,
    "One receipt",
)
RECEIPT_LIST: Final = Method(
    "receipt.list",
    "GET",
    "/v1/receipts",
    _READ,
    transactions.ReceiptList,
    transactions.ReceiptPage,
    "Receipts by account and heights",
)
RECEIPT_EXPORT: Final = Method(
    "receipt.export",
    "GET",
    "/v1/receipts/{receipt}/file",
    _READ,
    transactions.ReceiptExport,
    transactions.ReceiptFileView,
    "The receipt file, which proves itself without a server",
    raw="file",
)
STATE_PROVE: Final = Method(
    "state.prove",
    "GET",
    "/v1/state/{module}/{key}",
    _READ,
    blocks.StateProve,
    blocks.StateProof,
    "Proof that a key has a value, or none",
)
EVENT_LIST: Final = Method(
    "event.list",
    "GET",
    "/v1/events/page",
    _READ,
    blocks.EventList,
    blocks.EventPage,
    "Events after a cursor; /v1/events is the same as a stream",
)
GOVERNANCE_LIST: Final = Method(
    "governance.list",
    "GET",
    "/v1/proposals",
    _READ,
    accounts.GovernanceList,
    accounts.ProposalPage,
    "What is put to the vote",
)
GOVERNANCE_GET: Final = Method(
    "governance.get",
    "GET",
    "/v1/proposals/{proposal}",
    _READ,
    accounts.GovernanceGet,
    accounts.ProposalView,
    "One proposal and its votes",
)
MEMPOOL_STATUS: Final = Method(
    "mempool.status", "GET", "/v1/mempool", _READ, node.Nothing, node.MempoolStatus, "What waits in this node's pool"
)
PEER_LIST: Final = Method("peer.list", "GET", "/v1/peers", _READ, node.Nothing, node.PeerPage, "The nodes it knows")
EVIDENCE_LIST: Final = Method(
    "evidence.list", "GET", "/v1/evidence", _READ, node.EvidenceList, node.EvidencePage, "Proofs of guilt"
)
EVIDENCE_EXPORT: Final = Method(
    "evidence.export",
    "GET",
    "/v1/evidence/{digest}/file",
    _READ,
    guilt.EvidenceExport,
    guilt.EvidenceFileView,
    "The file of a proof of guilt, which convicts without a server",
    raw="file",
)
EVIDENCE_TESTIMONY: Final = Method(
    "evidence.testimony",
    "GET",
    "/v1/testimonies/{height}",
    _READ,
    guilt.EvidenceTestimony,
    guilt.TestimonyView,
    "A height's certificate, and the votes and justifications kept of it",
    raw="file",
)
EVIDENCE_SUBMIT: Final = Method(
    "evidence.submit",
    "POST",
    "/v1/evidence",
    _SUBMIT,
    guilt.EvidenceSubmit,
    guilt.EvidenceTaken,
    "Hand in a proof of guilt",
)
TRANSCRIPT_GET: Final = Method(
    "transcript.get",
    "GET",
    "/v1/transcripts/{height}",
    _READ,
    guilt.TranscriptGet,
    guilt.TranscriptView,
    "The signed words of a height that is open or past, and what the node noted: why it needs more rounds",
    raw="file",
)
FAULT_SET: Final = Method(
    "fault.set",
    "POST",
    "/v1/faults",
    _ADMIN,
    node.FaultSet,
    node.FaultView,
    "Pretend a fault on this node",
    development=True,
)
FAULT_CLEAR: Final = Method(
    "fault.clear",
    "DELETE",
    "/v1/faults",
    _ADMIN,
    node.Nothing,
    node.FaultView,
    "Heal what is pretended",
    development=True,
)

_ALL: Final[tuple[Method[Any, Any], ...]] = (
    NODE_STATUS,
    GENESIS_GET,
    BLOCK_GET,
    BLOCK_LIST,
    BLOCK_EXPORT,
    HEADER_LIST,
    HEADER_CHANGES,
    VALIDATOR_LIST,
    VALIDATOR_GET,
    PARAMETERS_GET,
    ACCOUNT_GET,
    ACCOUNT_LIST,
    COIN_GET,
    COIN_LIST,
    TRANSACTION_SUBMIT,
    TRANSACTION_SUBMIT_BATCH,
    TRANSACTION_GET,
    TRANSACTION_WAIT,
    TRANSACTION_SHOW,
    RECEIPT_GET,
    RECEIPT_LIST,
    RECEIPT_EXPORT,
    STATE_PROVE,
    EVENT_LIST,
    GOVERNANCE_LIST,
    GOVERNANCE_GET,
    *CLUSTER_METHODS,
    MEMPOOL_STATUS,
    PEER_LIST,
    EVIDENCE_LIST,
    EVIDENCE_EXPORT,
    EVIDENCE_TESTIMONY,
    EVIDENCE_SUBMIT,
    TRANSCRIPT_GET,
    FAULT_SET,
    FAULT_CLEAR,
)

METHODS: Final[dict[str, Method[Any, Any]]] = {method.name: method for method in _ALL}
"""HTTP-3. Every method by its name."""
