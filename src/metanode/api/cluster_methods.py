"""The methods about clusters: part of the table of `methods`."""

from typing import Any, Final

from metanode.api import cluster, workloads
from metanode.api.blocks import StateProof
from metanode.api.method import Method, Scope

_READ = Scope.READ

CLUSTER_LIST: Final = Method(
    "cluster.list",
    "GET",
    "/v1/clusters",
    _READ,
    cluster.ClusterList,
    cluster.ClusterPage,
    "Clusters",
)
CLUSTER_GET: Final = Method(
    "cluster.get",
    "GET",
    "/v1/clusters/{cluster}",
    _READ,
    cluster.ClusterGet,
    cluster.ClusterView,
    "One cluster: its settings, quotas, and how its nodes and workloads are",
)
CLUSTER_NODES: Final = Method(
    "cluster.nodes",
    "GET",
    "/v1/clusters/{cluster}/nodes",
    _READ,
    cluster.ClusterNodes,
    cluster.ClusterNodePage,
    "The nodes of a cluster, and what is free on them",
)
CLUSTER_NODE: Final = Method(
    "cluster.node",
    "GET",
    "/v1/clusters/{cluster}/nodes/{node}",
    _READ,
    cluster.ClusterNode,
    cluster.ClusterNodeView,
    "One node: its inventory, labels, taints, and what it is to do",
)
CLUSTER_IMAGES: Final = Method(
    "cluster.images",
    "GET",
    "/v1/clusters/{cluster}/images",
    _READ,
    cluster.ClusterImages,
    cluster.ImagePage,
    "The images that may run where only listed ones may",
)
CLUSTER_SHARE: Final = Method(
    "cluster.share",
    "GET",
    "/v1/clusters/{cluster}/nodes/{node}/share",
    _READ,
    cluster.ClusterShare,
    StateProof,
    "Proof of everything that a node is to do",
)
CLUSTER_TERMS: Final = Method(
    "cluster.terms",
    "GET",
    "/v1/clusters/{cluster}/workloads/{workload}/terms",
    _READ,
    cluster.ClusterTerms,
    StateProof,
    "Proof of a workload's terms",
)
WORKLOAD_LIST: Final = Method(
    "workload.list",
    "GET",
    "/v1/clusters/{cluster}/workloads",
    _READ,
    workloads.WorkloadList,
    workloads.WorkloadPage,
    "The workloads of a cluster, and how many of their replicas are ready",
)
WORKLOAD_GET: Final = Method(
    "workload.get",
    "GET",
    "/v1/clusters/{cluster}/workloads/{workload}",
    _READ,
    workloads.WorkloadGet,
    workloads.WorkloadView,
    "One workload: its terms, revisions, and how its update stands",
)
WORKLOAD_REPLICAS: Final = Method(
    "workload.replicas",
    "GET",
    "/v1/clusters/{cluster}/workloads/{workload}/replicas",
    _READ,
    workloads.WorkloadReplicas,
    workloads.ReplicaPage,
    "The replicas of a workload, where they run and how they are",
)
PLACEMENT_QUEUE: Final = Method(
    "placement.queue",
    "GET",
    "/v1/clusters/{cluster}/queue",
    _READ,
    workloads.PlacementQueue,
    workloads.WaitingPage,
    "Who waits for a node",
)
PLACEMENT_WHY: Final = Method(
    "placement.why",
    "GET",
    "/v1/clusters/{cluster}/workloads/{workload}/replicas/{index}/why",
    _READ,
    workloads.PlacementWhy,
    workloads.WhyView,
    "Why a replica waits, or where it would be placed now: each filter and score of each node",
)
PLACEMENT_INPUTS: Final = Method(
    "placement.inputs",
    "GET",
    "/v1/clusters/{cluster}/workloads/{workload}/replicas/{index}/inputs",
    _READ,
    workloads.PlacementInputs,
    workloads.InputsView,
    "Everything that explanation is computed from, for computing it again elsewhere",
    raw="inputs",
)
SERVICE_LIST: Final = Method(
    "service.list",
    "GET",
    "/v1/clusters/{cluster}/services",
    _READ,
    workloads.ServiceList,
    workloads.ServicePage,
    "What can be called in a cluster, and who is ready to answer",
)

CLUSTER_METHODS: Final[tuple[Method[Any, Any], ...]] = (
    CLUSTER_LIST,
    CLUSTER_GET,
    CLUSTER_NODES,
    CLUSTER_NODE,
    CLUSTER_IMAGES,
    CLUSTER_SHARE,
    CLUSTER_TERMS,
    WORKLOAD_LIST,
    WORKLOAD_GET,
    WORKLOAD_REPLICAS,
    PLACEMENT_QUEUE,
    PLACEMENT_WHY,
    PLACEMENT_INPUTS,
    SERVICE_LIST,
)
"""All of them, in the order of the documents."""
