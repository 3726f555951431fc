"""One table from the methods of the API to who answers them; the door where a refusal becomes an answer."""

from collections.abc import Callable
from typing import Any, Final

from metanode.api import cluster_methods, methods
from metanode.api.errors import ApiError, ApiRefusal
from metanode.api.shapes import Answer
from metanode.chain.mempool import Mempool, Submitted
from metanode.node import effects as out
from metanode.node.desk import Desk
from metanode.node.requests.accounts import account_get, account_list
from metanode.node.requests.blocks import block_export, block_get, block_list
from metanode.node.requests.cluster import (
    cluster_get,
    cluster_images,
    cluster_list,
    cluster_node,
    cluster_nodes,
    cluster_share,
    cluster_terms,
)
from metanode.node.requests.coins import coin_get, coin_list
from metanode.node.requests.event_pages import event_list
from metanode.node.requests.evidence import evidence_export, evidence_list, evidence_submit, evidence_testimony
from metanode.node.requests.exports import receipt_export
from metanode.node.requests.faults import fault_clear, fault_set
from metanode.node.requests.governance import governance_get, governance_list
from metanode.node.requests.headers import header_changes, header_list
from metanode.node.requests.peers import peer_list
from metanode.node.requests.proofs import state_prove
from metanode.node.requests.receipts import receipt_get, receipt_list
from metanode.node.requests.status import genesis_get, mempool_status, node_status, parameters_get
from metanode.node.requests.transactions import transaction_get, transaction_show
from metanode.node.requests.transcripts import transcript_get
from metanode.node.requests.validators import validator_get, validator_list
from metanode.node.requests.workloads import (
    placement_inputs,
    placement_queue,
    placement_why,
    service_list,
    workload_get,
    workload_list,
    workload_replicas,
)
from metanode.primitives.refusal import Rejected

OF_DESK: Final[dict[str, Callable[[Desk, Any], Answer]]] = {
    methods.GENESIS_GET.name: genesis_get,
    methods.BLOCK_GET.name: block_get,
    methods.BLOCK_LIST.name: block_list,
    methods.BLOCK_EXPORT.name: block_export,
    methods.HEADER_LIST.name: header_list,
    methods.HEADER_CHANGES.name: header_changes,
    methods.VALIDATOR_LIST.name: validator_list,
    methods.VALIDATOR_GET.name: validator_get,
    methods.PARAMETERS_GET.name: parameters_get,
    methods.ACCOUNT_LIST.name: account_list,
    methods.COIN_GET.name: coin_get,
    methods.COIN_LIST.name: coin_list,
    methods.RECEIPT_GET.name: receipt_get,
    methods.RECEIPT_LIST.name: receipt_list,
    methods.RECEIPT_EXPORT.name: receipt_export,
    methods.STATE_PROVE.name: state_prove,
    methods.EVENT_LIST.name: event_list,
    methods.GOVERNANCE_LIST.name: governance_list,
    methods.GOVERNANCE_GET.name: governance_get,
    methods.PEER_LIST.name: peer_list,
    cluster_methods.CLUSTER_LIST.name: cluster_list,
    cluster_methods.CLUSTER_GET.name: cluster_get,
    cluster_methods.CLUSTER_NODES.name: cluster_nodes,
    cluster_methods.CLUSTER_NODE.name: cluster_node,
    cluster_methods.CLUSTER_IMAGES.name: cluster_images,
    cluster_methods.CLUSTER_SHARE.name: cluster_share,
    cluster_methods.CLUSTER_TERMS.name: cluster_terms,
    cluster_methods.WORKLOAD_LIST.name: workload_list,
    cluster_methods.WORKLOAD_GET.name: workload_get,
    cluster_methods.WORKLOAD_REPLICAS.name: workload_replicas,
    cluster_methods.PLACEMENT_QUEUE.name: placement_queue,
    cluster_methods.PLACEMENT_WHY.name: placement_why,
    cluster_methods.PLACEMENT_INPUTS.name: placement_inputs,
    cluster_methods.SERVICE_LIST.name: service_list,
    methods.EVIDENCE_LIST.name: evidence_list,
    methods.EVIDENCE_EXPORT.name: evidence_export,
    methods.EVIDENCE_TESTIMONY.name: evidence_testimony,
    methods.EVIDENCE_SUBMIT.name: evidence_submit,
    methods.TRANSCRIPT_GET.name: transcript_get,
    methods.FAULT_SET.name: fault_set,
    methods.FAULT_CLEAR.name: fault_clear,
}
"""Methods answered out of the desk alone."""
OF_POOL: Final[dict[str, Callable[[Desk, Mempool, Any], Answer]]] = {
    methods.NODE_STATUS.name: node_status,
    methods.MEMPOOL_STATUS.name: mempool_status,
    methods.ACCOUNT_GET.name: account_get,
    methods.TRANSACTION_GET.name: transaction_get,
    methods.TRANSACTION_SHOW.name: transaction_show,
}
"""Methods that also look into the pool."""


def answer(desk: Desk, pool: Mempool, request: int, method: str, arguments: Any) -> None:
    """HTTP-3. Answer one question; every refusal becomes an `ApiError`. Whole answers, at once, bounded by a page.

    HTTP-21. Answering reads and changes nothing, so a bug in it leaves the node as it was: it is this answer's end.
    """
    try:
        answered = _answer(desk, pool, method, arguments)
    except Exception as error:  # noqa: BLE001 - the host judges and writes down every one
        desk.emit(out.Bug(method, error))
        detail = f"{method} failed inside the node: a bug; the node's log has it in full"
        answered = ApiError(ApiRefusal.INTERNAL, detail)
    desk.emit(out.Answer(request, answered))


def _answer(desk: Desk, pool: Mempool, method: str, arguments: Any) -> Answer | ApiError:
    if not desk.booted and method != methods.NODE_STATUS.name:
        return ApiError(ApiRefusal.NOT_READY, "the node is still recovering")
    try:
        if method in OF_POOL:
            return OF_POOL[method](desk, pool, arguments)
        if method in OF_DESK:
            return OF_DESK[method](desk, arguments)
    except Rejected as rejected:
        return ApiError(rejected.reason.value, rejected.detail)
    return ApiError(ApiRefusal.UNKNOWN_METHOD, f"the node does not answer {method[:80]!r}")


def submit(desk: Desk, request: int, transactions: tuple[bytes, ...]) -> None:
    """HTTP-14. Signed transactions for the pool, whose outcome answers the request."""
    if desk.booted:
        desk.tell("pool", Submitted(desk.now_ms, request, transactions))
    else:
        desk.emit(out.Answer(request, ApiError(ApiRefusal.NOT_READY, "the node is still recovering")))
