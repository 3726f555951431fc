"""What the codes of the mesh mean for a caller: part of the table of `ledger_codes`."""

from typing import Final

from metanode.api.exits import ExitStatus
from metanode.api.explanation import Explanation

_E: Final = ExitStatus


def _runtime(rule: str, fix: str) -> Explanation:
    """The node, the service or what is behind it is not able to."""
    return Explanation(_E.RUNTIME, 503, -32021, rule, fix, retryable=True)


def _away(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NETWORK, 503, -32021, rule, fix, retryable=True)


def _denied(rule: str, fix: str) -> Explanation:
    return Explanation(_E.DENIED_BY_POLICY, 403, -32002, rule, fix)


def _not_found(rule: str, fix: str) -> Explanation:
    return Explanation(_E.NOT_FOUND, 404, -32001, rule, fix)


MESH_CODES: Final[dict[str, Explanation]] = {
    "mesh.not-declared": _denied("MESH-3", "give both workloads a network together, or name the destination in egress"),
    "mesh.not-placed": _denied("MESH-9", "bpi node show NODE names what the committee has placed there"),
    "mesh.leads-home": _denied(
        "MESH-14", "name a destination outside of the node; what runs here is called by service"
    ),
    "mesh.unknown-service": _not_found("MESH-1", "bpi mesh services names what can be called"),
    "mesh.no-such-port": _not_found("MESH-9", "bpi mesh services names the ports"),
    "mesh.no-replica": _runtime("MESH-6", "bpi container show SERVICE says why none is ready"),
    "mesh.not-here": _runtime("MESH-9", "ask again: the chain will soon say where it runs"),
    "mesh.not-listening": _runtime("MESH-6", "bpi container logs SERVICE; it must listen at the port it declares"),
    "mesh.too-many-flows": _runtime("MESH-7", "close connections, or let more replicas of the caller share them"),
    "mesh.port-taken": _runtime("MESH-15", "free the port, or publish another one"),
    "mesh.no-privilege": _runtime("MESH-17", "run the agent as root, or call services by published ports"),
    "mesh.unreachable": _away("MESH-6", "bpi node list says who is heard; bpi node show NODE where it answers"),
    "mesh.lost": _away("MESH-12", "call again: a session between two nodes ended"),
    "mesh.idle": _away("MESH-7", "call again; say something once an hour where a connection shall last"),
    "mesh.too-slow": _away("MESH-6", "call again; bpi node list says who is heard"),
    "mesh.malformed": Explanation(_E.CONFIGURATION, 422, -32010, "MESH-10", "use the client of this version"),
    "mesh.false-credit": Explanation(_E.NETWORK, 503, -32021, "MESH-11", "use the agent of this version"),
}
"""Every code of `MeshRefusal`."""
