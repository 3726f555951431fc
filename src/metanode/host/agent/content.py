"""Content by digest: from this node's store, else from the other agents of the cluster, checked by its name."""

import http.client
from collections.abc import Callable
from contextlib import closing
from typing import Final

from metanode.docklock.images.digests import Digest
from metanode.host.agent.chain import ChainUnreachable
from metanode.host.blobs import BlobStore
from metanode.primitives.refusal import Rejected
from metanode.records.workload import SPEC_BYTES_MAX, WORKLOAD_SPECS, Terms, WorkloadSpec, check_pinned, check_spec

PEER_TIMEOUT_S: Final = 5.0
"""How long another agent may take to begin its answer."""
PIECE_BYTES: Final = 1 << 20
"""One read of an answer."""
MISSING: Final = "agent.content-missing"
"""No agent of the cluster has the content; it is asked for again later."""


class Content:
    """AGENT-9. `peers` names other agents (`host:port`); `headers` signs a request to one of them."""

    def __init__(
        self,
        blobs: BlobStore,
        peers: Callable[[], tuple[str, ...]],
        headers: Callable[[str, str], dict[str, str]],
    ) -> None:
        self._blobs: Final = blobs
        self._peers: Final = peers
        self._headers: Final = headers

    def have(self, digest: Digest, bytes_max: int) -> bool:
        """Whether the content is here now; asks the other agents where it was not."""
        if self._blobs.has(digest):
            return True
        try:
            peers = self._peers()
        except ChainUnreachable:
            return False
        return any(self._copy(peer, digest, bytes_max) for peer in peers)

    def spec(self, pinned: bytes, terms: Terms) -> WorkloadSpec | None:
        """AGENT-9. The specification that is pinned, `None` where nobody has it. Raises `Rejected` where it is not what
        its terms on chain say, or could not be run."""
        digest = Digest(pinned.hex())
        if not self.have(digest, SPEC_BYTES_MAX):
            return None
        spec = WORKLOAD_SPECS.decode(self._blobs.read(digest, SPEC_BYTES_MAX))
        check_pinned(spec, pinned, terms)
        check_spec(spec)
        return spec

    def _copy(self, peer: str, digest: Digest, bytes_max: int) -> bool:
        """One agent's copy, written as it comes and kept only if its digest is right."""
        path = f"/v1/blobs/{digest}"
        try:
            with closing(http.client.HTTPConnection(peer, timeout=PEER_TIMEOUT_S)) as connection:
                connection.request("GET", path, headers=self._headers("GET", path))
                answer = connection.getresponse()
                if answer.status != 200:
                    return False
                with self._blobs.begin(bytes_max) as writing:
                    while piece := answer.read(PIECE_BYTES):
                        writing.write(piece)
                    writing.commit(digest)
        except (OSError, http.client.HTTPException, Rejected):
            return False
        return True
