"""`bpi container list`, `show`, `why`, `scale`, `stop`, `start`, `restart`, `rollback`, `rm`, `wait`, `events`: what
the chain knows of workloads, and what can be asked of it without a node's agent."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from metanode.api.exits import ExitStatus
from metanode.api.transactions import TransactionStatus
from metanode.api.workloads import InputsView, ReplicaView, WhyView, WorkloadView
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option, cores, every, memory, shower
from metanode.cli.bpi.observing import POLL_S, Reader, Told, Watch, settled_words
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.bpi.showing import as_data, instant, short
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import Client
from metanode.records.calls import Call
from metanode.records.cluster_calls import ClusterControl, ClusterRollBack, ClusterScale

RECENT_BLOCKS: Final = 1_000
"""How far back events are shown where nobody says since when."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a workload is, how its transaction is sent, and whether, and how long, what follows is observed."""

    cluster: str
    how: How
    observe: bool
    within_s: float


def _asking(function: Function) -> Function:
    """The options of a command that changes a workload; it gets them as `asked`."""

    @wraps(function)
    def call(*args: Any, cluster: str, how: How, observe: bool, within: float, **rest: Any) -> Any:
        return function(*args, asked=Asked(cluster, how, observe, within), **rest)

    command: Any = sending(call)
    for option in (
        click.option("--within", type=click.FloatRange(0.1, 86_400), default=60.0, show_default=True, metavar="SECONDS",
                     help="Longest observation."),
        click.option("--observe", is_flag=True, help="Go on until the workload is settled, saying each step."),
        cluster_option,
    ):  # fmt: skip
        command = option(command)
    return command  # type: ignore[no-any-return]


def _ask(
    session: Session, workload: str, asked: Asked, make: Callable[[str], Call], *, gone: bool = False
) -> ExitStatus | None:
    """Send the call; where that is asked for, observe what follows: people hear it at once, programs in the answer."""
    desk = Sending(session, asked.how)
    cluster = chosen_cluster(desk.client, asked.cluster)
    final: list[TransactionStatus] = []

    def observe(status: TransactionStatus, say: Callable[[Told], None]) -> dict[str, Any]:
        watch = Watch(desk.client, cluster, workload, _revision(desk.client, status, workload), gone)
        return watch.until_settled(status.height, asked.within_s, say)

    def after(status: TransactionStatus) -> tuple[dict[str, Any], list[str]]:
        final.append(status)
        return (observe(status, lambda _: None) if asked.observe and session.as_json else {}), []

    failed = desk.send(make(cluster), after=after)
    if failed is None and asked.observe and not session.as_json and final:
        seen = observe(final[0], lambda told: session.output.line(told.sentence()))
        session.output.line(session.output.styled(settled_words(seen), "good"))
    return failed


def _revision(client: Client, status: TransactionStatus, workload: str) -> int:
    """The revision that a transaction made current, 0 where none."""
    events = client.receipt.get(status.identity).events
    told = [one for one in events if one["type"] == "cluster.workload-changed" and one["workload"] == workload]
    return int(told[-1]["revision"]) if told else 0


@leaf(name="list")
@cluster_option
@click.option("--waiting", is_flag=True, help="List the replicas that wait for a node instead, in turn.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=1_024, show_default=True)
@pass_session
def list_(session: Session, cluster: str, waiting: bool, limit: int) -> None:  # noqa: FBT001 - click calls it
    """List the workloads of a cluster: phase, revision, how many replicas are ready."""
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        if waiting:
            _list_waiting(session, client, name, limit)
            return
        items = list(every(lambda cursor, count: client.workload.list(name, cursor, count), limit))
    rows = [
        (
            one.workload,
            one.kind,
            one.phase,
            one.revision,
            f"{one.done if one.kind == 'job' else one.ready}/{one.replicas}",
            f"sha256:{short(one.image)}" if one.image else "/usr",
            short(one.spec),
        )
        for one in items
    ]
    columns = ("workload", "kind", "phase", "revision", "ready", "image", "spec")
    session.output.result(
        "container.list/1",
        {"cluster": name, "items": [as_data(one) for one in items]},
        lambda: session.output.table(columns, rows, f"nothing runs in {name} yet"),
    )


def _list_waiting(session: Session, client: Client, cluster: str, limit: int) -> None:
    items = list(every(lambda cursor, count: client.workload.queue(cluster, cursor, count), limit))
    rows = [(f"{one.workload}.{one.index}", one.priority, instant(one.since_ms), one.vain) for one in items]
    session.output.result(
        "container.waiting/1",
        {"cluster": cluster, "items": [as_data(one) for one in items]},
        lambda: session.output.table(("replica", "priority", "since", "tried in vain"), rows, "nobody waits"),
    )


@leaf()
@click.argument("workload")
@cluster_option
@click.option("--limit", type=click.IntRange(1, 5_000), default=500, show_default=True, help="Most replicas shown.")
@pass_session
def show(session: Session, workload: str, cluster: str, limit: int) -> None:
    """Show a workload: its terms, its update, and where each replica runs."""
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        view = client.workload.get(name, workload)
        replicas = list(every(lambda cursor, count: client.workload.replicas(name, workload, cursor, count), limit))
        who = shower(session, client)
    data = {**as_data(view), "items": [as_data(one) for one in replicas]}
    session.output.result("container/1", data, lambda: _human(session, view, replicas, who(view.owner)))


def _human(session: Session, view: WorkloadView, replicas: list[ReplicaView], owner: str) -> None:
    line, terms = session.output.line, view.current.terms
    demand = terms["demand"]
    done = f" · {view.done} done" if view.kind == "job" else ""
    line(f"workload  {view.workload} of {view.cluster} · {view.kind} of {owner} · at height {view.height}")
    line(f"phase     {view.phase} · {view.ready} of {view.replicas} replicas ready{done}")
    line(f"revision  {view.current.revision} · spec {view.current.spec} · applied {instant(view.applied_ms)}")
    for one in view.earlier:
        line(f"earlier   {one.revision} · spec {one.spec}")
    for step in view.update:
        back = ", on the way back" if step.back else ""
        line(f"update    {view.renewed} of {view.replicas} renewed · {step.failed} failed{back}")
    each = f"{cores(demand['cpu_millicores'])} cores and {memory(demand['memory_kib'])}"
    line(f"demands   {each} each · priority {demand['priority']} · data class {demand['data_class']}")
    line(f"image     {'sha256:' + demand['image'] if demand['image'] else 'the node’s own /usr'}")
    for port in terms["ports"]:
        out = f", on the node {port['published']}" if port["published"] else ""
        line(f"port      {port['name']} is {port['container']}/{port['protocol']}{out}")
    for other in terms["dependencies"]:
        line(f"after     {other['workload']} is {other['condition']}")
    rows = [
        (replica.index, one.attempt, one.revision, one.state, one.node or "-", instant(one.since_ms))
        for replica in replicas
        for one in replica.instances
    ]
    columns = ("replica", "attempt", "revision", "state", "node", "since")
    session.output.table(columns, rows, "nothing of it runs or waits")


@leaf()
@click.argument("workload")
@click.argument("index", type=click.IntRange(0, (1 << 32) - 1), default=0)
@cluster_option
@click.option("--nodes", "limit", type=click.IntRange(1, 500), default=10, show_default=True, help="Most nodes shown.")
@click.option("--check", is_flag=True, help="Compute it here, from the inputs that the node gives.")
@click.option("-o", "--output", "output", default="", metavar="FILE", help="With --check: keep the inputs.")
@pass_session
def why(session: Session, workload: str, index: int, cluster: str, limit: int, check: bool, output: str) -> None:  # noqa: FBT001
    """Tell why a replica waits, or where it would be placed now: filters and scores of the nearest nodes.

    By the nodes and all that stands on them now, the replica itself left out. What --check computes from is the node's
    word.
    """
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        view = client.workload.why(name, workload, index, limit)
        height = check_explanation(client.workload.inputs(name, workload, index), output) if check else 0
    data = {**as_data(view), **({"checked": height} if check else {})}
    session.output.result("container.why/1", data, lambda: _why(session, view, height))


def check_explanation(given: InputsView, output: str) -> int:
    """PLACE-37. Compute an explanation from its inputs, keep them where that is asked, and compare: the height that it
    is about. Raises `Failure` with 21 where the node says another."""
    from metanode.cli.bpi.guilt import write_file
    from metanode.docklock.scheduler import ALL_INPUTS, why_of
    from metanode.records.placement import explanation_digest

    encoded = bytes.fromhex(given.inputs)
    if output:
        write_file(Path(output), encoded)
    computed = explanation_digest(why_of(ALL_INPUTS.decode(encoded))).hex()
    if computed != given.digest:
        message = f"computed here it is {computed[:16]}…, the node says {given.digest[:16]}…"
        raise Failure(
            CliRefusal.OTHER_EXPLANATION, ExitStatus.INVALID_PROOF, message, rule="PLACE-37", fix="ask another node"
        )
    return given.height


def _why(session: Session, view: WhyView, checked: int) -> None:
    line = session.output.line
    where = f"{view.state} on {view.node}" if view.node else "waits for a node"
    line(f"replica   {view.workload}.{view.index} (attempt {view.attempt}) of {view.cluster} · {where}")
    line(f"now       {'would be placed on ' + view.chosen if view.chosen else 'no node can take it'}")
    for reason in view.reasons:
        line(f"against   PLACE-{reason['rule']} turns {reason['nodes']} nodes away first")
    for node in view.nodes:
        against = [one for one in node["verdicts"] if not one["passes"]]
        line()
        if against:
            line(f"{node['node']}: no")
        else:
            scores = " + ".join(f"{one['points']}x{one['weight']}" for one in node["scores"])
            line(f"{node['node']}: {node['total']} = {scores}{'   chosen' if node['node'] == view.chosen else ''}")
        for one in against:
            line(f"  PLACE-{one['rule']}  asked {one['asked']} · has {one['has']}")
            line(f"  fix:  {one['change']}")
    if view.left_out:
        line(f"\n{view.left_out} more nodes: --nodes shows them")
    line(f"\nseed {short(view.seed)} · inputs {short(view.inputs)} · explanation {short(view.digest)}")
    if checked:
        line(f"computed here from the inputs of height {checked}: the same as the node's")


@leaf()
@click.argument("workload")
@click.argument("replicas", type=click.IntRange(0, 5_000))
@_asking
@pass_session
def scale(session: Session, workload: str, replicas: int, asked: Asked) -> ExitStatus | None:
    """Let a workload have so many replicas; those with the highest numbers go first."""
    return _ask(session, workload, asked, lambda name: ClusterScale(cluster=name, workload=workload, replicas=replicas))


def _control(session: Session, workload: str, action: str, asked: Asked) -> ExitStatus | None:
    def make(name: str) -> Call:
        return ClusterControl(cluster=name, workload=workload, action=action)

    return _ask(session, workload, asked, make, gone=action == "delete")


@leaf()
@click.argument("workload")
@_asking
@pass_session
def stop(session: Session, workload: str, asked: Asked) -> ExitStatus | None:
    """Stop every replica of a workload, and remember it."""
    return _control(session, workload, "stop", asked)


@leaf()
@click.argument("workload")
@_asking
@pass_session
def start(session: Session, workload: str, asked: Asked) -> ExitStatus | None:
    """Start a workload that was stopped, has completed or has failed."""
    return _control(session, workload, "start", asked)


@leaf()
@click.argument("workload")
@_asking
@pass_session
def restart(session: Session, workload: str, asked: Asked) -> ExitStatus | None:
    """Replace every replica of a workload by a fresh one, by its update rule."""
    return _control(session, workload, "restart", asked)


@leaf()
@click.argument("workload")
@_asking
@pass_session
def rollback(session: Session, workload: str, asked: Asked) -> ExitStatus | None:
    """Lead a workload back to the revision before."""
    return _ask(session, workload, asked, lambda name: ClusterRollBack(cluster=name, workload=workload))


@leaf()
@click.argument("workload")
@_asking
@pass_session
def rm(session: Session, workload: str, asked: Asked) -> ExitStatus | None:
    """Stop a workload and forget it."""
    return _control(session, workload, "delete", asked)


@leaf()
@click.argument("workload")
@click.option("--gone", is_flag=True, help="Until it is not there any more.")
@cluster_option
@click.option("--within", type=click.FloatRange(0.1, 86_400), default=60.0, show_default=True, metavar="SECONDS",
              help="Longest wait.")  # fmt: skip
@pass_session
def wait(session: Session, workload: str, gone: bool, cluster: str, within: float) -> None:  # noqa: FBT001
    """Wait until a workload is settled: its replicas are ready, or it is stopped or completed; say each step."""
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        height = client.node.status().height
        watch = Watch(client, name, workload, gone=gone)
        seen = watch.until_settled(height, within, lambda told: session.output.line(told.sentence()))
    session.output.result("container.wait/1", seen, lambda: session.output.line(settled_words(seen)))


@leaf()
@click.argument("workload", default="")
@click.option("--first", type=click.IntRange(0), default=0, metavar="HEIGHT",
              help=f"From this block on; the last {RECENT_BLOCKS} by default.")  # fmt: skip
@click.option("-f", "--follow", is_flag=True, help="Go on with what becomes final, until Ctrl-C.")
@cluster_option
@pass_session
def events(session: Session, workload: str, first: int, follow: bool, cluster: str) -> None:  # noqa: FBT001
    """Show what the chain decided and heard of a workload or a cluster, each with its receipt.

    With --json one object a line where it follows, else one with all of them.
    """
    with connect(session) as client:
        name = chosen_cluster(client, cluster)
        head = client.node.status().height
        reader = Reader.since(client, name, workload, first or max(1, head - RECENT_BLOCKS + 1))
        if not follow:
            told = list(reader.read())
            session.output.result(
                "container.events/1",
                {"cluster": name, "items": [one.as_data() for one in told]},
                lambda: _lines(session, told),
            )
            return
        while True:
            for one in reader.read():
                session.output.result("container.event/1", one.as_data(), lambda one=one: _lines(session, [one]))  # type: ignore[misc]
            time.sleep(POLL_S)


def _lines(session: Session, told: list[Told]) -> None:
    for one in told:
        session.output.line(one.sentence())
    if not told:
        session.output.note("nothing was said of it")
