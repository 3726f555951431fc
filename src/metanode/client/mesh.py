"""What an agent tells of the mesh, and calls through it."""

import base64
from dataclasses import dataclass
from typing import Any

import msgspec

from metanode.client.agent import AgentClient


@dataclass(frozen=True, slots=True)
class Given:
    """An answer through the mesh: which replica gave it, on which node, when its first byte came back at the agent, and
    whether more would have come."""

    service: str
    port: int
    index: int
    attempt: int
    node: str
    first_us: int
    cut: bool
    data: bytes


class MeshClient(AgentClient):
    """One agent, asked about the mesh. Raises `ClientError` with the agent's code, `Unreachable`."""

    def routes(self) -> dict[str, Any]:
        """What each container of the node may call, who would answer, what was carried and what refused."""
        return msgspec.json.decode(self._ask("GET", "/v1/mesh/routes"), type=dict[str, Any])

    def call(self, service: str, port: int, data: bytes, *, end: bool) -> Given:
        """Say something to a service, at its first port where that is 0; `end`: and that this is all."""
        asked = {"service": service, "port": port, "data": base64.b64encode(data).decode(), "end": end}
        said = msgspec.json.decode(self._ask("POST", "/v1/mesh/call", msgspec.json.encode(asked)), type=dict[str, Any])
        return Given(**{**said, "data": base64.b64decode(said["data"])})
