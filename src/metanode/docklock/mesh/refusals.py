"""Why a call through the mesh, a question for a name, or a message between agents is turned away."""

from typing import Final

from metanode.primitives.refusal import Refusal


class MeshRefusal(Refusal):
    """Why a flow does not begin, or ends."""

    NOT_DECLARED = "mesh.not-declared"
    """The caller shares no network with the workload it calls, and does not declare the destination."""
    NO_SUCH_PORT = "mesh.no-such-port"
    """The service has no TCP port of this number or name in its specification."""
    NO_REPLICA = "mesh.no-replica"
    """Nothing of the service is ready."""
    UNKNOWN_SERVICE = "mesh.unknown-service"
    """No workload of this name has ports in the cluster."""
    NOT_HERE = "mesh.not-here"
    """The replica does not run on the node that was asked; another one is."""
    NOT_LISTENING = "mesh.not-listening"
    """Nothing listens at the replica's port."""
    UNREACHABLE = "mesh.unreachable"
    """The node of the replica, or the destination outside, does not answer."""
    NOT_PLACED = "mesh.not-placed"
    """A node asks for a workload that the committee has not placed on it."""
    TOO_MANY_FLOWS = "mesh.too-many-flows"
    """As many flows as may be are open: on the node, between the two nodes, or of the container."""
    MALFORMED = "mesh.malformed"
    """A message of another agent that is none, or a flow opened twice."""
    FALSE_CREDIT = "mesh.false-credit"
    """Another agent sends more than its window, or acknowledges what was never sent."""
    LEADS_HOME = "mesh.leads-home"
    """The name of a destination outside leads to the node itself."""
    LOST = "mesh.lost"
    """The session between the two nodes ended under a flow."""
    IDLE = "mesh.idle"
    """Nothing was said on the flow for too long."""
    TOO_SLOW = "mesh.too-slow"
    """Neither accepted nor refused in time."""
    PORT_TAKEN = "mesh.port-taken"
    """A published port, or one that the agent needs in a container, is held by somebody else."""
    NO_PRIVILEGE = "mesh.no-privilege"
    """The agent may not enter the network namespaces of its containers: it must be root for that."""


ELSEWHERE: Final = frozenset(
    {
        MeshRefusal.NOT_HERE,
        MeshRefusal.NOT_LISTENING,
        MeshRefusal.UNREACHABLE,
        MeshRefusal.TOO_MANY_FLOWS,
        MeshRefusal.TOO_SLOW,
        MeshRefusal.LOST,
    }
)
"""MESH-6. Reasons for which another replica is asked."""
