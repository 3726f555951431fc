"""What the codes of clusters mean for a caller: part of the table of `ledger_codes`."""

from typing import Final

from metanode.api.exits import ExitStatus
from metanode.api.explanation import Explanation

_E: Final = ExitStatus

_CORRECT: Final = "correct what the message names in the specification, and apply it again"


def _wrong(rule: str, fix: str = _CORRECT) -> Explanation:
    """A specification, inventory or setting that cannot be what it says."""
    return Explanation(_E.CONFIGURATION, 422, -32010, rule, fix)


def _not_allowed(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NOT_ALLOWED, 403, -32002, rule, fix)


def _not_found(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NOT_FOUND, 404, -32001, rule, fix)


def _conflict(rule: str, fix: str) -> Explanation:
    return Explanation(_E.CONFLICT, 409, -32003, rule, fix)


def _insufficient(rule: str, fix: str) -> Explanation:
    return Explanation(_E.INSUFFICIENT, 422, -32010, rule, fix)


CLUSTER_CODES: Final[dict[str, Explanation]] = {
    "demand.bad-name": _wrong("PLACE-1", "a letter, then letters, digits and inner hyphens, lower case, at most 32"),
    "demand.bad-label": _wrong("PLACE-1", "letters, digits and inner . _ / -, at most 63"),
    "demand.out-of-range": _wrong("PLACE-1", "choose a number within the range that the message gives"),
    "demand.unknown-word": _wrong("PLACE-1", "choose one of the words that the message lists"),
    "demand.too-many": _wrong("PLACE-1", "shorten the list to the number that the message gives"),
    "demand.not-ascending": _wrong("PLACE-1", "sort the list, each element once, as bpi and metanode.client do"),
    "demand.bad-digest": _wrong("PLACE-1", "name the content by its SHA-256: 64 hexadecimal digits"),
    "spec.bad-path": _wrong("PLACE-2", "an absolute path below /, without ., .. and //"),
    "spec.bad-variable": _wrong("PLACE-2", "a letter or _, then letters, digits, _ . -"),
    "spec.bad-user": _wrong("PLACE-2", "like 1000, 1000:1000, app or app:app"),
    "spec.too-long": _wrong("PLACE-2", "shorten it, or put it into a volume or the image"),
    "spec.contradiction": _wrong("PLACE-2", "drop one of the two parts that the message names"),
    "spec.other-terms": Explanation(
        _E.INVALID_PROOF, 422, -32010, "PLACE-2", "give the node the specification whose digest is on chain"
    ),
    "cluster.bad-endpoint": _wrong("CLUSTER-2", "write host:port, like 10.0.0.7:26700"),
    "cluster.bad-key": _wrong("CLUSTER-1", "an address has 20 bytes; the message says how wide the key must be"),
    "cluster.bad-count": _wrong("CLUSTER-8", "count again: the message names the numbers that contradict each other"),
    "cluster.exists": _conflict("CLUSTER-1", "choose another name, or configure the one there is"),
    "cluster.unknown": _not_found("CLUSTER-1", "check the name with bpi cluster list"),
    "cluster.too-many": _insufficient("CLUSTER-1", "remove one that is not needed any more first"),
    "cluster.not-the-owner": _not_allowed("CLUSTER-5", "sign with the owner's account: bpi cluster show names it"),
    "cluster.not-an-operator": _not_allowed(
        "CLUSTER-5", "sign with the owner or an operator: bpi cluster show names them"
    ),
    "cluster.unknown-node": _not_found("CLUSTER-4", "check the name with bpi node list"),
    "cluster.other-node": _not_allowed("CLUSTER-2", "choose another name, or sign with the account of that node"),
    "cluster.node-state": _conflict(
        "CLUSTER-4", "see the node's state with bpi node show; it joins and is admitted first"
    ),
    "cluster.stale-report": _conflict("CLUSTER-8", "number the report above the last one, as cluster.node tells"),
    "cluster.receipt-gap": _conflict("CLUSTER-9", "pin receipts from the next number due on, as cluster.node tells"),
    "cluster.unknown-workload": _not_found("CLUSTER-6", "check the name with bpi container list"),
    "cluster.workload-phase": _conflict(
        "CLUSTER-6", "see its phase with bpi container show, and wait or start it first"
    ),
    "cluster.other-kind": _conflict("CLUSTER-6", "delete it first, or choose another name: bpi container rm"),
    "cluster.nothing-earlier": _conflict("CLUSTER-14", "apply the specification that is wanted"),
    "cluster.unknown-dependency": _wrong("CLUSTER-16", "apply the workload that it depends on first"),
    "cluster.circle": _wrong("CLUSTER-16", "leave out one of the dependencies that the message names"),
    "cluster.needed": _conflict("CLUSTER-16", "delete the workloads that depend on it first"),
    "cluster.quota": _insufficient("CLUSTER-19", "ask for less, or let the cluster's owner raise the quota"),
    "cluster.signature-worthless": Explanation(
        _E.DENIED_BY_POLICY,
        403,
        -32002,
        "CLUSTER-23",
        "sign the image's digest with a key that the cluster names: bpi cluster show",
    ),
    "cluster.image-not-admitted": Explanation(
        _E.DENIED_BY_POLICY, 403, -32002, "CLUSTER-20", "let an operator admit the image: bpi cluster admit-image"
    ),
}
"""HTTP-2. Each code about clusters, with the rule it broke and the smallest change that would pass."""
