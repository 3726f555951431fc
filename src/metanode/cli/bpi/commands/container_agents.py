"""`bpi container logs`, `exec`, `stats`: what is asked of the agents that run containers."""

import sys
import time
from contextlib import ExitStack, suppress
from typing import Any, Final

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option, memory
from metanode.cli.bpi.keys import Names
from metanode.cli.bpi.log_lines import Prefixer, Source, Wanted, pieces, since_ns
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.running import Running, agents_of, container_of, containers_of
from metanode.cli.bpi.showing import counted, size_words
from metanode.cli.bpi.terminal import check_terminal, put, raw, typed
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import Client, ClientError, Unreachable
from metanode.client.agent import AgentClient
from metanode.client.attaching import Attached

BETWEEN_S: Final = 0.5
"""Between the two looks of which the share of a processor is told."""
AGAIN_S: Final = 2.0
"""Between two tables of --watch."""
HOME: Final = "\x1b[H\x1b[2J"
"""Clears a terminal."""

account_option = click.option("--account", default="", metavar="NAME", help="Who asks.")


class Asking:
    """The agents of a cluster, asked by one account."""

    def __init__(self, session: Session, client: Client, cluster: str, account: str) -> None:
        self._key = Names(session, local_genesis(session), client).signer(account).key
        self._cluster = cluster
        self._endpoints = agents_of(client, cluster)

    def agent(self, node: str) -> AgentClient:
        """The agent of a node. Raises `Failure` where it is not heard."""
        if node not in self._endpoints:
            message = f"the agent of {node} is not heard"
            raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi node list")
        return AgentClient(self._endpoints[node], self._cluster, self._key)

    def ended(self, named: str) -> list[Any]:
        """What is kept of containers that are no more: of `web` and `web.2` the latest attempt of each replica, of
        `web.2.1` that one. Raises `Failure` where nobody kept anything."""
        from metanode.cli.bpi.log_lines import Source

        parts = named.removeprefix(f"{self._cluster}.").split(".")
        latest: dict[str, Source] = {}
        for endpoint in self._endpoints.values():
            agent = AgentClient(endpoint, self._cluster, self._key)
            with suppress(Unreachable):
                for name in agent.ended():
                    words = name.split(".")[1:]
                    label = ".".join(words[:2])
                    is_newer = label not in latest or int(latest[label].name.rpartition(".")[2]) < int(words[2])
                    if words[: len(parts)] == parts and is_newer:
                        latest[label] = Source(label, agent, name, is_ended=True)
        if not latest:
            message = f"nothing of {named} is on a node of {self._cluster}, and nothing that it said is kept"
            fix = f"bpi container show {parts[0]}"
            raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix=fix)
        return [latest[label] for label in sorted(latest)]


@leaf()
@click.argument("container")
@click.option("-f", "--follow", is_flag=True, help="Go on until it ends, or Ctrl-C.")
@click.option("--since", default="", metavar="WHEN", help="Not before: 90s, 10m, 2h ago, or 2026-11-28T13:00:00Z.")
@click.option(
    "--tail",
    type=click.IntRange(0, 1_000_000),
    default=None,
    metavar="N",
    help="Of what is there, only the last N lines.",
)
@click.option("-p", "--previous", is_flag=True, help="What was said before: by earlier tries and attempts.")
@cluster_option
@account_option
@pass_session
def logs(session: Session, /, container: str, follow: bool, cluster: str, account: str, **options: Any) -> None:  # noqa: FBT001
    """Show what a container said: web for all its replicas, web.2 for one, or a whole name.

    Of several each line begins with the replica, in the order of time. With --json every piece is an object on a line.
    What a container said that is no more is kept by its node for a while: a job's, an earlier attempt's (web.2.1), or
    with --previous that of the tries before the one that runs.
    """
    try:
        since = since_ns(options["since"])
    except ValueError:
        raise click.BadParameter(f"--since {options['since']!r}: like 90s, 10m, 2h, 1d, 2026-11-28T13:00:00Z") from None
    tail = options["tail"] if options["tail"] is not None else -1
    with connect(session) as client:
        chosen = chosen_cluster(client, cluster)
        asking = Asking(session, client, chosen, account)
        found = [] if options["previous"] else _named(containers_of(client, chosen, container, some=True), container)
        sources = [Source(one.label, asking.agent(one.node), one.name) for one in found] or asking.ended(container)
    with suppress(BrokenPipeError):
        _show(session, pieces(sources, Wanted(since, tail, follow)), [one.label for one in sources])


def _named(found: list[Running], named: str) -> list[Running]:
    """Without those of another attempt, where one is named."""
    parts = named.split(".")[-3:]
    attempt = int(parts[2]) if len(parts) == 3 and parts[2].isdecimal() else 0
    return [one for one in found if attempt in (0, one.attempt)]


def _show(session: Session, said: Any, labels: list[str]) -> None:
    prefixer = Prefixer(max(len(label) for label in labels))
    for one in said:
        if session.as_json:
            line = one.line
            text = line.data.decode(errors="replace")
            data = {"container": one.source.name, "time_ns": line.time_ns, "stream": line.stream, "text": text}
            session.output.result("container.log/1", data, lambda: None)
        elif len(labels) == 1:
            put(one.line.stream, one.line.data)
        else:
            for whole in prefixer.lines(one):
                put(one.line.stream, whole)
    for stream, rest in prefixer.rest():
        put(stream, rest)


@leaf(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@cluster_option
@click.option("--account", default="", metavar="NAME", help="Who asks; must be an executor of the cluster.")
@click.option("-i", "--stdin", "with_input", is_flag=True, help="Give it what stands or comes on standard input.")
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give it a terminal: this one.")
@click.argument("container")
@click.argument("command", nargs=-1, required=True)
@pass_session
def execute(
    session: Session,
    container: str,
    command: tuple[str, ...],
    cluster: str,
    account: str,
    with_input: bool,  # noqa: FBT001
    terminal: bool,  # noqa: FBT001
) -> None:
    """Execute a command in a running container; ends with the command's own exit status."""
    if terminal:
        check_terminal()
    with connect(session) as client:
        chosen = chosen_cluster(client, cluster)
        asking = Asking(session, client, chosen, account)
        node, name = container_of(client, chosen, container)
        agent = asking.agent(node)
    if with_input or terminal:
        sys.exit(_attach(agent, name, command, with_input=with_input, terminal=terminal))
    sys.exit(agent.execute(name, command, b"", put))


def _attach(agent: AgentClient, name: str, command: tuple[str, ...], *, with_input: bool, terminal: bool) -> int:
    """AGENT-16. Stand at the command until it has ended; the terminal is as it was before, however it ends."""
    attached = Attached(agent, name, command, tty=terminal)
    with ExitStack() as stack:
        stack.callback(attached.close)
        if terminal:
            stack.enter_context(raw(attached.resize))
        if with_input:
            stack.enter_context(typed(attached.give, attached.end_input))
        else:
            attached.end_input()
        return attached.read(put)


@leaf()
@click.argument("container", default="")
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@cluster_option
@account_option
@pass_session
def stats(session: Session, container: str, watch: bool, cluster: str, account: str) -> None:  # noqa: FBT001
    """Show what containers use: share of a core, memory, processes, bytes of output; all of the cluster by default."""
    while True:
        with connect(session) as client:
            chosen = chosen_cluster(client, cluster)
            asking = Asking(session, client, chosen, account)
            names = [container] if container else [one.workload for one in client.workload.list(chosen).items]
            found = [one for name in names for one in containers_of(client, chosen, name, some=not container)]
        items, silent = _measured(asking, found)
        data = {"cluster": chosen, "items": items, "silent": silent}
        if watch and not session.as_json and sys.stdout.isatty():
            session.output.raw(HOME)
        session.output.result("container.stats/1", data, lambda: _table(session, items, silent))  # noqa: B023 - at once
        if not watch:
            return
        time.sleep(AGAIN_S - BETWEEN_S)


def _measured(asking: Asking, found: list[Running]) -> tuple[list[dict[str, Any]], list[str]]:
    """Two looks at each container, and what it did in between."""
    first: dict[str, tuple[float, int]] = {}
    silent = set()
    for one in found:
        try:
            first[one.name] = time.monotonic(), asking.agent(one.node).stats(one.name)["cpu_ns"]
        except (ClientError, Failure):
            silent.add(one.label)
    time.sleep(BETWEEN_S if first else 0.0)
    items = []
    for one in found:
        if one.name not in first:
            continue
        try:
            used = asking.agent(one.node).stats(one.name)
        except ClientError:
            silent.add(one.label)
            continue
        began, before = first[one.name]
        share = (used["cpu_ns"] - before) / 1e9 / max(time.monotonic() - began, 1e-3)
        items.append({"container": one.name, "node": one.node, "cpu_percent": round(100 * share, 1), **used})
    return items, sorted(silent)


def _table(session: Session, items: list[dict[str, Any]], silent: list[str]) -> None:
    rows = [
        (
            one["container"],
            one["node"],
            f"{one['cpu_percent']:.1f} %",
            memory(one["memory_bytes"] >> 10),
            memory(one["memory_peak_bytes"] >> 10),
            one["pids"],
            size_words(one["log_bytes"]),
        )
        for one in items
    ]
    session.output.table(("container", "node", "core", "memory", "at most", "pids", "output"), rows, "nothing runs")
    for one in items:
        if one["oom_kills"]:
            session.output.note(f"{one['container']} ran out of memory {counted(one['oom_kills'], 'time')}")
    if silent:
        session.output.note(f"no figures of: {', '.join(silent)}")
