"""`bpi container images import`, `list`, `show`, `rm`, `prune`, `export`: what the agents make containers of."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import cluster_option
from metanode.cli.bpi.image_moves import agents_asked, every_image, fetch_image, find_image, hand_image, scratch_store
from metanode.cli.bpi.showing import size_words
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import ClientError
from metanode.client.agent_images import AgentImages
from metanode.docklock.images.references import parse_reference
from metanode.host.images.exporting import export_archive
from metanode.host.images.importing import import_archive, import_layout

account_option = click.option("--account", default="", metavar="NAME", help="Who asks.")


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
    path = Path(file)
    if not path.exists():
        raise Failure(CliRefusal.FILE_NOT_FOUND, ExitStatus.NOT_FOUND, f"no file {file}", fix="check the path")
    _, agents = agents_asked(session, cluster, account)
    with scratch_store() as images:
        if path.is_dir():
            found = import_layout(images, path)
        else:
            with path.open("rb") as archive:
                found = import_archive(images, archive)
        for image in found:
            nodes = hand_image(images, image, agents)
            data = {"digest": str(image.digest), "names": list(image.names), "bytes": image.size, "nodes": nodes}
            said = f"IMPORTED  {', '.join(image.names) or 'an image without a name'} · {size_words(image.size)} "
            said += f"to {', '.join(nodes)}\ndigest    {image.digest}"
            session.output.result("container.images.import/1", data, partial(session.output.line, said))


@leaf(name="list")
@cluster_option
@account_option
@pass_session
def list_(session: Session, cluster: str, account: str) -> None:
    """List the images that the cluster's agents have, and which nodes have each."""
    _, agents = agents_asked(session, cluster, account)
    images, silent = every_image(agents)
    items = [{**held.row, "nodes": list(held.nodes)} for held in images.values()]

    def human() -> None:
        session.output.table(
            ("image", "digest", "size", "nodes"),
            [
                (
                    ", ".join(row["names"]) or "–",
                    row["digest"][7:19] + "…",
                    size_words(row["bytes"]),
                    len(row["nodes"]),
                )
                for row in items
            ],
            "no images",
        )
        if silent:
            session.output.note(f"not heard: {', '.join(silent)}")

    session.output.result("container.images.list/1", {"items": items, "silent": silent}, human)


@leaf()
@click.argument("image")
@cluster_option
@account_option
@pass_session
def show(session: Session, image: str, cluster: str, account: str) -> None:
    """Show an image: platform, layers, how it is started, and which nodes have it."""
    _, agents = agents_asked(session, cluster, account)
    held = find_image(agents, image)
    told = AgentImages(agents[held.nodes[0]]).show(str(held.digest))
    data = {**told, "names": held.row["names"], "nodes": list(held.nodes)}
    session.output.result("container.image/1", data, lambda: _human(session, data))


def _human(session: Session, data: dict[str, Any]) -> None:
    line = session.output.line
    line(f"image     {', '.join(data['names']) or 'without a name'}")
    line(f"digest    {data['digest']}")
    if data["manifest"] != data["digest"]:
        line(f"manifest  {data['manifest']}")
    line(f"platform  {data['platform']} · {size_words(data['bytes'])} in {len(data['layers'])} layers")
    for layer in data["layers"]:
        line(f"layer     {layer['digest'][7:19]}… · {size_words(layer['bytes'])}")
    words = " ".join([*data["entrypoint"], *data["command"]])
    line(f"starts    {words or 'nothing by itself'}")
    line(f"as        {data['user'] or 'root'} in {data['folder']}")
    if data["ports"]:
        line(f"ports     {', '.join(data['ports'])}")
    if data["variables"]:
        line(f"sets      {', '.join(data['variables'])}")
    line(f"nodes     {', '.join(data['nodes'])}")


@leaf()
@click.argument("image")
@cluster_option
@account_option
@pass_session
def rm(session: Session, image: str, cluster: str, account: str) -> None:
    """Forget an image at every agent; or, of one with several names, the name by which it is called here.

    Its content goes with the next bpi container images prune.
    """
    _, agents = agents_asked(session, cluster, account)
    held = find_image(agents, image)
    named = parse_reference(image) if image in held.row["names"] or f"{image}:latest" in held.row["names"] else None
    name = named.alias if named is not None and len(held.row["names"]) > 1 else ""
    left: set[str] = set()
    nodes, refused = [], None
    for node in held.nodes:
        try:
            left.update(AgentImages(agents[node]).remove(str(held.digest), name))
        except ClientError as error:
            refused = error
        else:
            nodes.append(node)
    if refused is not None:
        session.output.note(f"removed at {', '.join(nodes) or 'no node'} only")
        raise refused
    data = {"digest": str(held.digest), "nodes": nodes, "name": name, "left": sorted(left)}
    what = f"the name {name} of {str(held.digest)[:19]}…" if name else f"{image} ({str(held.digest)[:19]}…)"
    said = f"REMOVED  {what} at {', '.join(nodes)}"
    session.output.result("container.images.rm/1", data, lambda: session.output.line(said))


@leaf()
@cluster_option
@account_option
@pass_session
def prune(session: Session, cluster: str, account: str) -> None:
    """Take away, at every agent, content that belongs to no image and no container.

    Specifications of workloads stay.
    """
    _, agents = agents_asked(session, cluster, account)
    items, silent = [], []
    for node, agent in agents.items():
        try:
            items.append({"node": node, **AgentImages(agent).prune()})
        except ClientError as error:
            silent.append({"node": node, "why": error.form.message})

    def human() -> None:
        rows = [(one["node"], one["blobs"], size_words(one["bytes"]), one["roots"]) for one in items]
        session.output.table(("node", "pieces of content", "size", "unpacked images"), rows, "nothing was taken away")
        for one in silent:
            session.output.note(f"not pruned: {one['node']}: {one['why']}")

    session.output.result("container.images.prune/1", {"items": items, "silent": silent}, human)


@leaf()
@click.argument("image")
@click.option("-o", "--output", "output", required=True, metavar="FILE", help="The tar to write.")
@cluster_option
@account_option
@pass_session
def export(session: Session, image: str, output: str, cluster: str, account: str) -> None:
    """Write an image as one tar, an OCI layout that docker load takes too.

    Equal images make equal files. Everything is compared with its digest on the way.
    """
    _, agents = agents_asked(session, cluster, account)
    held = find_image(agents, image)
    with scratch_store() as images:
        found = fetch_image(images, held, agents)
        try:
            with Path(output).open("xb") as out:
                size = export_archive(images, str(found.digest), out)
        except OSError as error:
            raise Failure(
                CliRefusal.FILE_NOT_WRITABLE,
                ExitStatus.NOT_ALLOWED,
                f"{output}: {error.strerror}",
                fix="-o names another place",
            ) from None
    data = {"digest": str(found.digest), "file": output, "bytes": size}
    said = f"WRITTEN  {output} · {size_words(size)} · {found.digest}"
    session.output.result("container.images.export/1", data, lambda: session.output.line(said))
