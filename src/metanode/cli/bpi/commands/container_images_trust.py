"""`bpi container images sign`, `verify`: who vouches for an image, and whether a cluster lets it run."""

import base64
import binascii
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from metanode.api.errors import explain
from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.commands.container_images import account_option
from metanode.cli.bpi.commands.container_images_registry import Way, way
from metanode.cli.bpi.guilt import write_file
from metanode.cli.bpi.image_keys import private_key, read_key
from metanode.cli.bpi.image_moves import agents_asked, find_image
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.bpi.showing import size_words
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_bytes
from metanode.cli.session import Session, pass_session
from metanode.client import ClientError, state_keys
from metanode.client.agent import AgentClient
from metanode.client.agent_images import AgentImages
from metanode.client.verify import GenesisBasis, LightClient
from metanode.docklock.cluster.signed import about_image
from metanode.docklock.cluster.state import CLUSTERS, cluster_key
from metanode.docklock.images.digests import Digest, parse_digest
from metanode.docklock.images.policy import check, signers
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.signatures import payload_of
from metanode.docklock.images.signatures import sign as signed
from metanode.host.images import pulling
from metanode.records.cluster_calls import ClusterSignImage
from metanode.records.image_policy import POLICY_KEYS_MAX, ImagePolicy, ImageSignature


def _digest_of(session: Session, image: str, cluster: str, account: str) -> Digest:
    """The digest that is meant: written out, or that of an image which the agents have. Raises `Failure`."""
    if image.startswith("sha256:") and len(image) == len("sha256:") + 64:
        return parse_digest(image)
    _, agents = agents_asked(session, cluster, account)
    return find_image(agents, image).digest


@leaf()
@click.argument("image")
@click.option("--key", "key_file", default="", metavar="FILE", help="A private key, PEM; else the account's own key.")
@click.option("--payload", default="", metavar="FILE", help="With --signature: what cosign signed elsewhere.")
@click.option("--signature", default="", metavar="FILE", help="The signature over it, in base64 as cosign writes it.")
@click.option("--registry", "reference", default="", metavar="REFERENCE", help="Take those that a registry has of it.")
@click.option(
    "-o", "--output", default="", metavar="PREFIX", help="With --key: write PREFIX.payload and PREFIX.sig too."
)
@way
@cluster_option
@sending
@pass_session
def sign(session: Session, /, image: str, way: Way, cluster: str, how: How, **options: str) -> ExitStatus | None:
    """Sign an image, or hand in signatures made elsewhere: every validator verifies them and the chain keeps them.

    What counts are signatures by keys of the cluster's policy: bpi cluster configure --image-key.
    """
    desk = Sending(session, how)
    name = chosen_cluster(desk.client, cluster)
    digest = _digest_of(session, image, name, how.account)
    if options["reference"]:
        found = _of_registry(way, options["reference"], digest)
    elif options["payload"] or options["signature"]:
        given = ImageSignature(payload=read_bytes(options["payload"]), signature=_decoded(options["signature"]))
        found = (given,)
    elif options["key_file"]:
        found = (_by_key(options["key_file"], digest, image, options["output"]),)
    else:
        found = (signed(desk.signer.key, digest),)
    return desk.send(ClusterSignImage(cluster=name, image=digest.raw, signatures=found[:POLICY_KEYS_MAX]))


def _decoded(file: str) -> bytes:
    """A signature as cosign writes it: base64. Raises `Failure`."""
    try:
        return base64.b64decode(read_bytes(file).strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Failure(
            CliRefusal.USAGE, ExitStatus.CONFIGURATION, f"{file} is no base64", fix="cosign sign --output-signature"
        ) from None


def _of_registry(way: Way, reference: str, digest: Digest) -> tuple[ImageSignature, ...]:
    named = parse_reference(reference)
    found = pulling.signatures(way.registry(named), named.name, digest)
    if not found:
        raise Failure(
            CliRefusal.NOTHING_THERE,
            ExitStatus.NOT_FOUND,
            f"{named.host} holds no signature of {digest}",
            fix="cosign sign puts one there",
        )
    return found


def _by_key(file: str, digest: Digest, name: str, output: str) -> ImageSignature:
    """IMG-20. As cosign does it, by the key of a file."""
    payload = payload_of(digest, name)
    made = private_key(file).sign(payload)
    if output:
        write_file(Path(f"{output}.payload"), payload)
        write_file(Path(f"{output}.sig"), base64.b64encode(made) + b"\n")
    return ImageSignature(payload=payload, signature=made)


@dataclass(frozen=True, slots=True)
class Known:
    """What is proved of an image in a cluster, at a height."""

    height: int
    images: str
    policy: ImagePolicy
    admitted: bool
    signatures: tuple[ImageSignature, ...]


def _proved(session: Session, cluster: str, digest: Digest) -> Known:
    """CLUSTER-23. Settings, admission and signatures, by proofs from the local genesis on. Raises `Failure`."""
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        light = LightClient(client, GenesisBasis(trusted_genesis(session, "").genesis))
        record = light.prove("cluster", cluster_key(name))
        if record.value is None:
            raise Failure(
                CliRefusal.NO_CLUSTER, ExitStatus.NOT_FOUND, f"there is no cluster {name}", fix="bpi cluster list"
            )
        height = record.header.height
        admitted = light.prove(*state_keys.image_admitted(name, digest.raw), height)
        signed = light.prove(*state_keys.image_signed(name, digest.raw), height)
    settings = CLUSTERS.decode(record.value).settings
    return Known(height, settings.images, settings.policy, *about_image(admitted.value, signed.value))


@leaf()
@click.argument("image")
@click.option(
    "--key", "keys", multiple=True, metavar="KEY", help="These must all have signed, whatever the cluster demands."
)
@cluster_option
@account_option
@pass_session
def verify(session: Session, image: str, keys: tuple[str, ...], cluster: str, account: str) -> ExitStatus | None:
    """Check an image layer by layer: its content at every agent, who has signed it, whether the cluster lets it run.

    Signatures are verified here, from what is proved of the chain; a node that has other content is named.
    """
    _, agents = agents_asked(session, cluster, account)
    held = find_image(agents, image)
    began = time.monotonic()
    content = _content(agents, held.nodes, str(held.digest))
    known = _proved(session, cluster, held.digest)
    policy = known.policy
    if keys:
        chosen = sorted({read_key(one) for one in keys}, key=lambda key: (key.kind, key.key))
        policy = ImagePolicy(keys=tuple(chosen), threshold=len(chosen))
    signed = [str(key) for key in signers(policy, held.digest, known.signatures)]
    refused = check(policy, held.digest, known.signatures)
    reasons = [one["why"] for one in content if one["why"]]
    listed = known.images != "listed" or known.admitted
    code = ""
    if refused is not None:
        code = str(refused.reason)
    elif not listed:
        code = "cluster.image-not-admitted"
    elif reasons:
        code = "blob.wrong-digest"
    data = {
        "digest": str(held.digest),
        "content": content,
        "height": known.height,
        "images": known.images,
        "admitted": known.admitted,
        "keys": [str(key) for key in policy.keys],
        "threshold": policy.threshold,
        "signed": signed,
        "code": code,
        "verify_ms": round((time.monotonic() - began) * 1_000, 1),
    }
    session.output.result(
        "container.images.verify/1", data, lambda: _tell(session, data, refused.detail if refused else "")
    )
    return explain(code).exit if code else None


def _content(agents: dict[str, AgentClient], nodes: tuple[str, ...], digest: str) -> list[dict[str, Any]]:
    found = []
    for node in nodes:
        try:
            told = AgentImages(agents[node]).check(digest)
        except ClientError as error:
            found.append({"node": node, "parts": 0, "bytes": 0, "why": error.form.message})
        else:
            found.append({"node": node, **told, "why": ""})
    return found


def _tell(session: Session, data: dict[str, Any], why: str) -> None:
    line, styled = session.output.line, session.output.styled
    line(f"digest    {data['digest']}")
    for one in data["content"]:
        right = f"{one['parts']} parts, {size_words(one['bytes'])} read again, all right"
        line(f"content   {one['node']}: {one['why'] or right}")
    rule = (
        "any image"
        if data["images"] == "any"
        else f"listed images: {'admitted' if data['admitted'] else 'not admitted'}"
    )
    line(f"cluster   {rule} · proved at height {data['height']}")
    for key in data["keys"]:
        line(f"{'signed' if key in data['signed'] else 'not by':10}{key}")
    if data["keys"]:
        line(f"needed    {data['threshold']} of {len(data['keys'])} keys; {len(data['signed'])} signed, verified here")
    if data["code"]:
        line(f"{styled('INVALID', 'bad')}   [{data['code']}] {why or 'see above'}   fix: {explain(data['code']).fix}")
    else:
        line(f"{styled('VALID', 'good')}     it may run here")
