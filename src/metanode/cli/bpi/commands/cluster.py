"""`bpi cluster …`: security domains on the chain, and who may do what in them."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click
from msgspec.structs import replace

from metanode.api.cluster import ClusterView
from metanode.api.exits import ExitStatus
from metanode.api.plain_calls import read_call
from metanode.api.transactions import TransactionStatus
from metanode.cli.bpi.clusters import (
    NONE,
    chosen_cluster,
    cluster_option,
    cores,
    counted_states,
    every,
    memory,
    read_pair,
    shower,
)
from metanode.cli.bpi.completing import accounts
from metanode.cli.bpi.image_keys import chosen_policy, policy_lines, read_digest
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.bpi.showing import as_data
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session
from metanode.records.cluster import ClusterSettings, Quota
from metanode.records.cluster_calls import ClusterAdmitImage, ClusterConfigure, ClusterCreate
from metanode.records.placement import Weights

HEARTBEAT_MS: Final = 10_000
"""After so long a silence a node is lost, where nobody says otherwise."""
FRESH: Final = ClusterSettings(
    operators=(), executors=(), weights=Weights(), heartbeat_timeout_ms=HEARTBEAT_MS, quotas=(), images="any"
)
"""A cluster whose owner said nothing."""

Function = TypeVar("Function", bound=Callable[..., Any])

_SETTINGS: Final = (
    click.option(
        "--operator", "operators", multiple=True, metavar="ACCOUNT", shell_complete=accounts,
        help="May apply workloads and admit nodes, besides the owner; again for more; none for nobody.",
    ),
    click.option(
        "--executor", "executors", multiple=True, metavar="ACCOUNT", shell_complete=accounts,
        help="May start commands in running containers; again for more; none for nobody.",
    ),
    click.option("--strategy", type=click.Choice(["spread", "binpack"]), help="Use nodes evenly, or fill them up."),
    click.option("--weight", "weights", multiple=True, metavar="SCORE=N", help="What counts how much: fill, balance, "
                 "affinity, spread, image, stay, avoid; 0 to 100."),
    click.option("--heartbeat-timeout", type=click.IntRange(500, 3_600_000), metavar="MS",
                 help="Silence after which a node is lost."),
    click.option("--images", type=click.Choice(["any", "listed"]), help="Which images may run."),
    click.option("--image-key", "image_keys", multiple=True, metavar="KEY", help="A key that signs images: a PEM file, "
                 "or ed25519:HEX, p256:HEX; again for more; none for nobody."),
    click.option("--image-signatures", type=click.IntRange(0, 16), metavar="N",
                 help="So many of the keys must have signed an image; all of them by default."),
    click.option("--image-only", "image_only", multiple=True, metavar="DIGEST",
                 help="Only these images run; again for more; none for any."),
    click.option("--quota", "quotas", multiple=True, metavar="ACCOUNT=CORES,MIB,N",
                 help="Most cores, memory and replicas of an account; again for more; none for no quotas."),
)  # fmt: skip


def _settings(function: Function) -> Function:
    command: Any = function
    for option in reversed(_SETTINGS):
        command = option(command)
    return command  # type: ignore[no-any-return]


def _listed(names: Names, given: Sequence[str], before: tuple[bytes, ...]) -> tuple[bytes, ...]:
    if not given:
        return before
    return () if tuple(given) == (NONE,) else tuple(sorted({names.address(one) for one in given}))


def _quota(names: Names, text: str) -> Quota:
    account, value = read_pair(text, "a quota")
    match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?),([0-9]{1,10}),([0-9]{1,7})", value)
    if match is None:
        raise click.BadParameter(f"{text!r}: like globex=4,8192,20 for four cores, 8 GiB and 20 replicas")
    whole, _, part = match[1].partition(".")
    millicores = int(whole) * 1_000 + int(part.ljust(3, "0"))
    return Quota(
        account=names.address(account),
        cpu_millicores=millicores,
        memory_kib=int(match[2]) << 10,
        replicas=int(match[3]),
    )


def _weights(before: Weights, strategy: str | None, given: Sequence[str]) -> Weights:
    changes: dict[str, Any] = {"strategy": strategy} if strategy else {}
    known = Weights.__struct_fields__[1:]
    for text in given:
        name, value = read_pair(text, "a weight")
        if name not in known or not value.isdecimal() or len(value) > 3:
            raise click.BadParameter(f"{text!r}: one of {', '.join(known)}, and a number from 0 to 100")
        changes[name] = int(value)
    return replace(before, **changes)


def _chosen(names: Names, before: ClusterSettings, options: dict[str, Any]) -> ClusterSettings:
    """What the options change of settings."""
    quotas: tuple[Quota, ...] = before.quotas
    if options["quotas"]:
        given = [] if options["quotas"] == (NONE,) else [_quota(names, text) for text in options["quotas"]]
        quotas = tuple(sorted(given, key=lambda quota: quota.account))
    return ClusterSettings(
        operators=_listed(names, options["operators"], before.operators),
        executors=_listed(names, options["executors"], before.executors),
        weights=_weights(before.weights, options["strategy"], options["weights"]),
        heartbeat_timeout_ms=options["heartbeat_timeout"] or before.heartbeat_timeout_ms,
        quotas=quotas,
        images=options["images"] or before.images,
        policy=chosen_policy(before.policy, options["image_keys"], options["image_signatures"], options["image_only"]),
    )


def _settings_of(view: ClusterView) -> ClusterSettings:
    """The settings of a cluster as it is shown."""
    call = read_call({"type": "cluster.configure", "cluster": view.cluster, "settings": view.settings})
    assert isinstance(call, ClusterConfigure)
    return call.settings


@leaf()
@click.argument("cluster")
@_settings
@sending
@pass_session
def create(session: Session, /, cluster: str, how: How, **options: Any) -> ExitStatus | None:
    """Create a cluster; the signer is its owner."""
    desk = Sending(session, how)
    settings = _chosen(desk.names, FRESH, options)

    def after(_: TransactionStatus) -> tuple[dict[str, Any], list[str]]:
        words = f"{cluster} has no nodes yet   try:  bpi node admit NODE ACCOUNT --cluster {cluster}"
        return {"cluster": cluster}, [words]

    return desk.send(ClusterCreate(cluster=cluster, settings=settings), after=after)


@leaf()
@click.argument("cluster", default="")
@_settings
@sending
@pass_session
def configure(session: Session, /, cluster: str, how: How, **options: Any) -> ExitStatus | None:
    """Change settings of a cluster, as its owner; what is not named stays as it is.

    A list that is named is replaced as a whole; none empties it.
    """
    desk = Sending(session, how)
    name = chosen_cluster(desk.client, cluster)
    settings = _chosen(desk.names, _settings_of(desk.client.cluster.get(name)), options)
    return desk.send(ClusterConfigure(cluster=name, settings=settings))


@leaf(name="list")
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True)
@pass_session
def list_(session: Session, limit: int) -> None:
    """List the clusters of the chain."""
    with connect(session) as client:
        items = list(every(client.cluster.list, limit))
        who = shower(session, client)
    rows = [(one.cluster, who(one.owner), one.nodes, one.workloads) for one in items]
    columns = ("cluster", "owner", "nodes", "workloads")
    session.output.result(
        "cluster.list/1",
        {"items": [as_data(one) for one in items]},
        lambda: session.output.table(columns, rows, "no cluster yet: bpi cluster create makes one"),
    )


@leaf()
@click.argument("cluster", default="")
@pass_session
def show(session: Session, cluster: str) -> None:
    """Show a cluster: who may do what, its weights, quotas, nodes and workloads."""
    with connect(session) as client:
        view = client.cluster.get(chosen_cluster(client, cluster))
        who = shower(session, client)

    def human() -> None:
        line, settings = session.output.line, view.settings
        line(f"cluster    {view.cluster} · at height {view.height}")
        line(f"owner      {who(view.owner)}")
        line(f"operators  {', '.join(who(one) for one in settings['operators']) or 'the owner alone'}")
        line(f"executors  {', '.join(who(one) for one in settings['executors']) or 'nobody'}")
        line(f"images     {settings['images']}")
        for sentence in policy_lines(settings["policy"]):
            line(sentence)
        line(f"heartbeat  a node is lost after {settings['heartbeat_timeout_ms']} ms of silence")
        line(f"weights    {' · '.join(f'{name} {value}' for name, value in settings['weights'].items())}")
        line(f"nodes      {counted_states(view.nodes)}")
        line(f"workloads  {counted_states(view.workloads)}")
        if view.waiting:
            line(f"waiting    {view.waiting} replicas have no node   try:  bpi container list --waiting")
        for quota in view.quotas:
            line(
                f"quota      {who(quota.account)}: "
                f"{cores(quota.used_cpu_millicores)} of {cores(quota.cpu_millicores)} cores · "
                f"{memory(quota.used_memory_kib)} of {memory(quota.memory_kib)} · "
                f"{quota.used_replicas} of {quota.replicas} replicas"
            )

    session.output.result("cluster/1", as_data(view), human)


@leaf(name="admit-image")
@click.argument("digest")
@click.option("--withdraw", is_flag=True, help="It may not be placed any more; what runs is not touched.")
@cluster_option
@sending
@pass_session
def admit_image(session: Session, digest: str, withdraw: bool, cluster: str, how: How) -> ExitStatus | None:  # noqa: FBT001
    """Admit an image by the SHA-256 of its manifest, for a cluster where only listed ones may run."""
    image = read_digest(digest)
    desk = Sending(session, how)
    name = chosen_cluster(desk.client, cluster)
    return desk.send(ClusterAdmitImage(cluster=name, image=image, admitted=not withdraw))


@leaf()
@cluster_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=500, show_default=True)
@pass_session
def images(session: Session, cluster: str, limit: int) -> None:
    """List the images that were admitted to a cluster."""
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        items = list(every(lambda cursor, count: client.cluster.images(name, cursor, count), limit))
        rule = client.cluster.get(name).settings["images"]
    rows = [(f"sha256:{one}",) for one in items]
    empty = "no image was admitted" + ("" if rule == "listed" else f"; in {name} any may run")
    session.output.result(
        "cluster.images/1",
        {"cluster": name, "rule": rule, "items": items},
        lambda: session.output.table(("image",), rows, empty),
    )
