"""The secrets of a Compose file: read here, sealed to the nodes that could run what needs them, bound to a content."""

import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.sealing import Meant, Sealer
from metanode.cli.bpi.sending import Sending
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session
from metanode.docklock.cluster import could_run
from metanode.docklock.compose import Application, SecretSource
from metanode.primitives.refusal import Rejected
from metanode.records.secret import SECRET_BYTES_MAX, SecretRefusal
from metanode.records.workload import WorkloadSpec


def read_secret(path: Path) -> bytes:
    """The bytes of a secret's file as they stand. Raises `Failure`, `Rejected`."""
    try:
        with path.open("rb") as file:
            data = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        message = f"the secret's file {path}: {error.strerror}"
        raise Failure(CliRefusal.FILE_NOT_FOUND, ExitStatus.NOT_FOUND, message, fix="check the path") from None
    if len(data) > SECRET_BYTES_MAX:
        raise Rejected(SecretRefusal.TOO_LARGE, f"{path} has more than {SECRET_BYTES_MAX} bytes")
    return data


def _clear(source: SecretSource, folder: Path) -> bytes:
    """What a source holds. Raises `Failure`, `Rejected`."""
    if source.kind == "file":
        return read_secret(folder / source.where)
    if source.where not in os.environ:
        message = f"the variable {source.where}, which holds the secret {source.name}, is not set"
        raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix=f"export {source.where}=…")
    return os.environb[source.where.encode()]


def _bound(spec: WorkloadSpec, meant: dict[str, Meant]) -> WorkloadSpec:
    """SECRET-5. The specification with the version and content of each secret that it names."""
    files = tuple(
        replace(one, version=meant[one.secret].version, commitment=meant[one.secret].commitment) for one in spec.secrets
    )
    return replace(spec, secrets=files)


def seal_secrets(session: Session, sender: Sending, cluster: str, path: str, application: Application) -> Application:
    """SECRET-6, SECRET-7. The application with its secrets sealed and bound. Raises `Failure`, `Rejected`."""
    if not application.secrets:
        return application
    folder = Path(path).resolve().parent
    sealer = Sealer(sender.client, trusted_genesis(session, ""), cluster, sender.signer)
    meant: dict[str, Meant] = {}
    for source in application.secrets:
        if source.kind == "external":
            meant[source.name] = sealer.named(source.name)
            continue
        nodes: set[str] = set()
        for one in application.workloads:
            if source.name in {use.secret for use in one.spec.secrets}:
                nodes.update(could_run(sealer.members, one.spec.terms.workload, one.spec.terms.demand))
        meant[source.name] = sealer.put(source.name, _clear(source, folder), nodes)
    told = ", ".join(f"{one.secret} {one.version}" for one in meant.values())
    session.output.note(f"secrets: {told}")
    made = tuple(msgspec.structs.replace(one, spec=_bound(one.spec, meant)) for one in application.workloads)
    return msgspec.structs.replace(application, workloads=made)
