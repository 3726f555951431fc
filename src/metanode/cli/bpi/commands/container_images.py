"""`bpi container images`: what containers are made of, without a registry."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.running import agents_of
from metanode.cli.bpi.showing import amount_of_space
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import ClientError
from metanode.client.agent import AgentClient

PIECE_BYTES = 1 << 20
"""One piece of content on its way to an agent."""

account_option = click.option("--account", default="", metavar="NAME", help="Who asks.")


def _agents(session: Session, named: str, account: str) -> dict[str, AgentClient]:
    """The agents of the cluster that are heard, by node, to be asked by an account. Raises `Failure`."""
    with connect(session) as client:
        cluster = chosen_cluster(client, named)
        key = Names(session, local_genesis(session), client).signer(account).key
        found = {node: AgentClient(api, cluster, key) for node, api in agents_of(client, cluster).items()}
    if not found:
        message = f"the cluster {cluster} has no node that answers"
        raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi node list")
    return found


@leaf(name="import")
@click.argument("file", metavar="ARCHIVE")
@cluster_option
@account_option
@pass_session
def import_(session: Session, file: str, cluster: str, account: str) -> None:
    """Import an image from an OCI layout (a folder or a tar) or from what docker save wrote, to the cluster's agents.

    Everything in it is checked here first, and by each agent again. It prints the digest by which a Compose file pins
    the image.
    """
    from metanode.docklock.images.platforms import platform_of_machine
    from metanode.host.blobs import BlobStore
    from metanode.host.disk import Disk
    from metanode.host.entropy import random_bytes
    from metanode.host.images.importing import import_archive, import_layout
    from metanode.host.images.roots import this_boot
    from metanode.host.images.store import ImageStore

    path = Path(file)
    if not path.exists():
        raise Failure(CliRefusal.FILE_NOT_FOUND, ExitStatus.NOT_FOUND, f"no file {file}", fix="check the path")
    agents = _agents(session, cluster, account)
    with tempfile.TemporaryDirectory(prefix="bpi-image-") as scratch:
        blobs = BlobStore(Path(scratch), Disk(), random_bytes)
        images = ImageStore(blobs, platform_of_machine(_machine()), this_boot())
        if path.is_dir():
            found = import_layout(images, path)
        else:
            with path.open("rb") as archive:
                found = import_archive(images, archive)
        for image in found:
            nodes = []
            for node, agent in agents.items():
                for part in image.parts:
                    if not agent.has(str(part)):
                        agent.put_file(str(part), blobs.size(part), _pieces(blobs, part))
                agent.add_image(str(image.digest), image.top.media_type, image.top.size, image.names)
                nodes.append(node)
            data = {"digest": str(image.digest), "names": list(image.names), "bytes": image.size, "nodes": nodes}
            said = f"IMPORTED  {', '.join(image.names) or 'an image without a name'} · {amount_of_space(image.size)} "
            said += f"to {', '.join(nodes)}\ndigest    {image.digest}"
            session.output.result("container.images.import/1", data, partial(session.output.line, said))


def _machine() -> str:
    import platform

    return platform.machine()


def _pieces(blobs: Any, part: Any) -> Iterator[bytes]:
    with blobs.open(part) as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


@leaf(name="list")
@cluster_option
@account_option
@pass_session
def list_(session: Session, cluster: str, account: str) -> None:
    """List the images that the cluster's agents have, and which nodes have each."""
    images: dict[str, dict[str, Any]] = {}
    silent = []
    for node, agent in _agents(session, cluster, account).items():
        try:
            rows = agent.images()
        except ClientError:
            silent.append(node)
            continue
        for row in rows:
            kept = images.setdefault(row["digest"], {**row, "nodes": []})
            kept["nodes"].append(node)
            kept["names"] = sorted({*kept["names"], *row["names"]})
    items = [images[digest] for digest in sorted(images)]

    def human() -> None:
        session.output.table(
            ("image", "digest", "size", "nodes"),
            [
                (
                    ", ".join(row["names"]) or "–",
                    row["digest"][7:19] + "…",
                    amount_of_space(row["bytes"]),
                    len(row["nodes"]),
                )
                for row in items
            ],
            "no images",
        )
        if silent:
            session.output.note(f"not heard: {', '.join(silent)}")

    session.output.result("container.images.list/1", {"items": items, "silent": silent}, human)
