"""The methods about clusters as Python calls, one class a room."""

from typing import Final

from metanode.api import cluster_methods as methods
from metanode.api.blocks import StateProof
from metanode.api.cluster import (
    ClusterGet,
    ClusterImages,
    ClusterList,
    ClusterNode,
    ClusterNodePage,
    ClusterNodes,
    ClusterNodeView,
    ClusterPage,
    ClusterShare,
    ClusterTerms,
    ClusterView,
    ImagePage,
)
from metanode.api.shapes import PAGE_DEFAULT
from metanode.api.workloads import (
    InputsView,
    PlacementInputs,
    PlacementQueue,
    PlacementWhy,
    ReplicaPage,
    ServiceList,
    ServicePage,
    WaitingPage,
    WhyView,
    WorkloadGet,
    WorkloadList,
    WorkloadPage,
    WorkloadReplicas,
    WorkloadView,
)
from metanode.client.calling import Caller


class Cluster:
    """Clusters, their nodes, and what one node is to do."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def list(self, cursor: str = "", limit: int = PAGE_DEFAULT) -> ClusterPage:
        """`cluster.list`."""
        return self._call(methods.CLUSTER_LIST, ClusterList(cursor=cursor, limit=limit))

    def get(self, cluster: str) -> ClusterView:
        """`cluster.get`."""
        return self._call(methods.CLUSTER_GET, ClusterGet(cluster=cluster))

    def nodes(self, cluster: str, cursor: str = "", limit: int = PAGE_DEFAULT) -> ClusterNodePage:
        """`cluster.nodes`."""
        return self._call(methods.CLUSTER_NODES, ClusterNodes(cluster=cluster, cursor=cursor, limit=limit))

    def node(self, cluster: str, node: str) -> ClusterNodeView:
        """`cluster.node`."""
        return self._call(methods.CLUSTER_NODE, ClusterNode(cluster=cluster, node=node))

    def images(self, cluster: str, cursor: str = "", limit: int = PAGE_DEFAULT) -> ImagePage:
        """`cluster.images`."""
        return self._call(methods.CLUSTER_IMAGES, ClusterImages(cluster=cluster, cursor=cursor, limit=limit))

    def share(self, cluster: str, node: str, height: int = 0) -> StateProof:
        """`cluster.share`: as bytes with their proof, for `client.verify.verify_state`."""
        return self._call(methods.CLUSTER_SHARE, ClusterShare(cluster=cluster, node=node, height=height))

    def terms(self, cluster: str, workload: str, height: int = 0) -> StateProof:
        """`cluster.terms`: as bytes with their proof, for `client.verify.verify_state`."""
        return self._call(methods.CLUSTER_TERMS, ClusterTerms(cluster=cluster, workload=workload, height=height))


class Workload:
    """What runs, where, and why there."""

    def __init__(self, caller: Caller) -> None:
        self._call: Final = caller.call

    def list(self, cluster: str, cursor: str = "", limit: int = PAGE_DEFAULT) -> WorkloadPage:
        """`workload.list`."""
        return self._call(methods.WORKLOAD_LIST, WorkloadList(cluster=cluster, cursor=cursor, limit=limit))

    def get(self, cluster: str, workload: str) -> WorkloadView:
        """`workload.get`."""
        return self._call(methods.WORKLOAD_GET, WorkloadGet(cluster=cluster, workload=workload))

    def replicas(self, cluster: str, workload: str, cursor: str = "", limit: int = PAGE_DEFAULT) -> ReplicaPage:
        """`workload.replicas`."""
        asked = WorkloadReplicas(cluster=cluster, workload=workload, cursor=cursor, limit=limit)
        return self._call(methods.WORKLOAD_REPLICAS, asked)

    def queue(self, cluster: str, cursor: str = "", limit: int = PAGE_DEFAULT) -> WaitingPage:
        """`placement.queue`."""
        return self._call(methods.PLACEMENT_QUEUE, PlacementQueue(cluster=cluster, cursor=cursor, limit=limit))

    def why(self, cluster: str, workload: str, index: int = 0, limit: int = PAGE_DEFAULT) -> WhyView:
        """`placement.why`."""
        asked = PlacementWhy(cluster=cluster, workload=workload, index=index, limit=limit)
        return self._call(methods.PLACEMENT_WHY, asked)

    def inputs(self, cluster: str, workload: str, index: int = 0) -> InputsView:
        """`placement.inputs`."""
        asked = PlacementInputs(cluster=cluster, workload=workload, index=index)
        return self._call(methods.PLACEMENT_INPUTS, asked)

    def services(self, cluster: str, network: str = "", cursor: str = "", limit: int = PAGE_DEFAULT) -> ServicePage:
        """`service.list`."""
        asked = ServiceList(cluster=cluster, network=network, cursor=cursor, limit=limit)
        return self._call(methods.SERVICE_LIST, asked)
