"""Files that deterministic jobs are given: from beside the Compose file to the agents, by their digests."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from metanode.api.exits import ExitStatus
from metanode.cli.failure import Failure
from metanode.client.agent import AgentClient
from metanode.primitives import ed25519
from metanode.records.determinism import FILE_BYTES_MAX, DeterminismRefusal, InputFile
from metanode.records.workload import WorkloadSpec


def hand_out_inputs(
    path: str, agents: dict[str, str], cluster: str, key: ed25519.SigningKey, specs: Sequence[WorkloadSpec]
) -> None:
    """COMPOSE-18. Put every input that lies beside the file, under its name and with its digest, to the agents. Raises
    `Failure` where one is neither there nor with any agent; `ClientError`."""
    wanted = {one.digest: one for spec in specs for one in spec.inputs}
    for one in wanted.values():
        data = _beside(path, one)
        clients = [AgentClient(endpoint, cluster, key) for endpoint in agents.values()]
        if data is not None:
            for client in clients:
                client.put(data)
        elif not any(client.has(f"sha256:{one.digest.hex()}") for client in clients):
            message = f"no agent has the input {one.name}, and beside {path} is no file of this name and digest"
            fix = f"sha256sum {one.name} tells the digest that belongs into the Compose file"
            raise Failure(DeterminismRefusal.MISSING, ExitStatus.CONFIGURATION, message, fix=fix)


def _beside(path: str, one: InputFile) -> bytes | None:
    """The content, where it lies there."""
    file = Path(path).resolve().parent / one.name
    if not file.is_file() or file.stat().st_size > FILE_BYTES_MAX:
        return None
    data = file.read_bytes()
    return data if sha256(data).digest() == one.digest else None
