"""`bpi container images pull`, `push`: images from a registry to the agents, and back. This process speaks to the
registry; the agents need no way out."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import cluster_option
from metanode.cli.bpi.commands.container_images import account_option
from metanode.cli.bpi.image_moves import agents_asked, fetch_image, find_image, hand_image, scratch_store
from metanode.cli.bpi.showing import size_words
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.cli.session import Session, pass_session
from metanode.docklock.images.references import Reference, parse_reference
from metanode.host.images import pulling
from metanode.host.images.registry import Credentials, Registry
from metanode.host.images.web import Web

PASSWORD_VARIABLE = "BPI_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable
"""Where a registry's password is looked for if no file is named."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Way:
    """How a registry is reached."""

    def __init__(self, http: bool, authority: str, user: str, password_file: str, token_hosts: tuple[str, ...]) -> None:  # noqa: FBT001
        self._http = http
        self._authority = authority
        self._user = user
        self._password_file = password_file
        self._token_hosts = token_hosts

    def registry(self, reference: Reference) -> Registry:
        """IMG-22. The registry that a reference names. Raises `Failure`, `Rejected`."""
        if not reference.host:
            raise Failure(
                CliRefusal.USAGE,
                ExitStatus.USAGE,
                f"{reference} names no registry",
                fix=f"write it with its host: registry.example.org/{reference}",
            )
        password = os.environ.get(PASSWORD_VARIABLE, "")
        if self._password_file:
            password = read_text(self._password_file).rstrip("\n")
        credentials = Credentials(self._user, password, self._token_hosts) if self._user else None
        web = Web(Path(self._authority) if self._authority else None)
        return Registry(f"{'http' if self._http else 'https'}://{reference.host}", web, credentials)


def way(function: Function) -> Function:
    """The options of a command that speaks to a registry; it gets them as `way`."""

    @wraps(function)
    def call(
        *args: Any,
        http: bool,
        ca: str,
        user: str,
        password_file: str,
        token_hosts: tuple[str, ...],
        **rest: Any,
    ) -> Any:
        return function(*args, way=Way(http, ca, user, password_file, token_hosts), **rest)

    command: Any = call
    for option in (
        click.option("--token-host", "token_hosts", multiple=True, metavar="HOST",
                     help="May be told the password too: makes the registry's tokens; again for more."),
        click.option("--password-file", default="", metavar="FILE",
                     help=f"Of that name; {PASSWORD_VARIABLE} holds it else."),
        click.option("--user", default="", metavar="NAME", help="A name that the registry knows."),
        click.option("--ca", default="", metavar="FILE", help="Certificates to trust besides those of the system."),
        click.option("--http", is_flag=True, help="Unencrypted; no password leaves this machine then."),
    ):  # fmt: skip
        command = option(command)
    return command  # type: ignore[no-any-return]


@leaf()
@click.argument("reference")
@way
@cluster_option
@account_option
@pass_session
def pull(session: Session, reference: str, way: Way, cluster: str, account: str) -> None:
    """Pull an image from a registry and give it to the cluster's agents.

    A tag is looked up once: the digest that is printed is what a Compose file pins.
    """
    named = parse_reference(reference)
    registry = way.registry(named)
    _, agents = agents_asked(session, cluster, account)
    with scratch_store() as images:
        image = pulling.pull(images, registry, named)
        signed = len(pulling.signatures(registry, named.name, image.digest))
        nodes = hand_image(images, image, agents)
    data = {
        "digest": str(image.digest),
        "names": list(image.names),
        "bytes": image.size,
        "nodes": nodes,
        "signatures": signed,
    }

    def human() -> None:
        session.output.line(f"PULLED  {reference} · {size_words(image.size)} to {', '.join(nodes)}")
        session.output.line(f"digest  {image.digest}")
        beside = "1 signature" if signed == 1 else f"{signed} signatures"
        fix = f"   try:  bpi container images sign {image.digest} --registry {reference}" if signed else ""
        session.output.line(f"beside  {beside} in the registry{fix}")

    session.output.result("container.images.pull/1", data, human)


@leaf()
@click.argument("image")
@click.argument("reference")
@way
@cluster_option
@account_option
@pass_session
def push(session: Session, image: str, reference: str, way: Way, cluster: str, account: str) -> None:
    """Push an image that the agents have to a registry, under a name and tag of its own."""
    to = parse_reference(reference)
    registry = way.registry(to)
    _, agents = agents_asked(session, cluster, account)
    with scratch_store() as images:
        found = fetch_image(images, find_image(agents, image), agents)
        pulling.push(images, registry, str(found.digest), to.name, to.tag or "latest")
    data = {"digest": str(found.digest), "reference": reference, "bytes": found.size}
    said = f"PUSHED  {to.alias} · {size_words(found.size)}\ndigest  {found.digest}"
    session.output.result("container.images.push/1", data, lambda: session.output.line(said))
