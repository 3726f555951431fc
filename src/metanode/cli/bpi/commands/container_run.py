"""`bpi container run`, `apply`, `lint`, `logs`, `exec`: what needs a Compose file or an agent."""

import sys
from contextlib import suppress
from functools import partial
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.keys import Names, Signer
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.running import (
    agents_of,
    await_running,
    container_of,
    hand_out,
    read_application,
    wanted,
)
from metanode.cli.bpi.secret_binding import seal_secrets
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.bpi.trust import local_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client import Client
from metanode.client.agent import AgentClient
from metanode.records.cluster_calls import ClusterApply
from metanode.records.workload import spec_digest


def _apply(session: Session, how: How, path: str, named: str, timeout_s: float, *, run: bool) -> None:
    application = wanted(path, read_application(path))
    sender = Sending(session, how)
    client = sender.client
    cluster = chosen_cluster(client, named or application.cluster)
    application = seal_secrets(session, sender, cluster, path, application)
    specs = [one.spec for one in application.workloads]
    have = hand_out(agents_of(client, cluster), cluster, sender.signer.key, specs)
    session.output.note(f"{len(specs)} specifications are with {have} agents")
    calls = [
        ClusterApply(cluster=cluster, spec=spec_digest(one.spec), terms=one.spec.terms, replicas=one.replicas)
        for one in application.workloads
    ]
    failed = sender.send(*calls)
    if failed is not None:
        raise Failure(CliRefusal.NOT_READY, failed, "nothing was applied", fix="see above")
    if run:
        for one in application.workloads:
            facts = await_running(client, cluster, one.spec.terms.workload, timeout_s)
            session.output.result("container.run/1", facts, partial(_say_running, session, facts))


def _say_running(session: Session, facts: dict[str, Any]) -> None:
    where = f" on {', '.join(facts['nodes'])}" if facts["nodes"] else ""
    word = session.output.styled("COMPLETED" if facts["phase"] == "completed" else "RUNNING", "good")
    session.output.line(f"{word}  {facts['workload']} · {facts['running']} of {facts['replicas']}{where}")


@leaf()
@click.argument("file", metavar="COMPOSE-FILE")
@cluster_option
@click.option("--within", type=float, default=60.0, metavar="SECONDS", help="Longest wait for it to run; 60.")
@sending
@pass_session
def run(session: Session, file: str, cluster: str, within: float, how: How) -> None:
    """Apply a Compose file, and return when everything in it was seen running, or completed."""
    _apply(session, how, file, cluster, within, run=True)


@leaf()
@click.argument("file", metavar="COMPOSE-FILE")
@cluster_option
@sending
@pass_session
def apply(session: Session, file: str, cluster: str, how: How) -> None:
    """Apply a Compose file: what it says becomes what the cluster is to run; what it does not name stays as it is."""
    _apply(session, how, file, cluster, 0.0, run=False)


@leaf()
@click.argument("file", metavar="COMPOSE-FILE")
@pass_session
def lint(session: Session, file: str) -> ExitStatus:
    """Say everything that is wrong in a Compose file, and what would be better, each with its line."""
    understood = read_application(file)
    data = {
        "file": file,
        "findings": [
            {"code": one.code, "line": one.line, "column": one.column, "path": one.path, "message": one.sentence}
            for one in understood.findings
        ],
        "errors": len(understood.errors),
    }

    def human() -> None:
        for one in understood.findings:
            session.output.line(f"{file}:{one.sentence}")
        errors, advice = len(understood.errors), len(understood.advice)
        session.output.line(f"{errors} errors, {advice} remarks" if understood.findings else f"{file} is good")

    session.output.result("container.lint/1", data, human)
    return understood.exit_status


def _agent(session: Session, client: Client, cluster: str, named: str, account: str) -> tuple[AgentClient, str]:
    """The agent that has a container, and the container's name. Raises `Failure`."""
    signer: Signer = Names(session, local_genesis(session), client).signer(account)
    node, name = container_of(client, cluster, named)
    endpoint = agents_of(client, cluster).get(node)
    if endpoint is None:
        raise Failure(
            CliRefusal.NOT_READY, ExitStatus.RUNTIME, f"the agent of {node} is not heard", fix="bpi node list"
        )
    return AgentClient(endpoint, cluster, signer.key), name


@leaf()
@click.argument("container")
@click.option("-f", "--follow", is_flag=True, help="Go on until the container ends.")
@cluster_option
@click.option("--account", default="", metavar="NAME", help="Who asks.")
@pass_session
def logs(session: Session, container: str, follow: bool, cluster: str, account: str) -> None:  # noqa: FBT001
    """Show what a container said: web, web.2 for one replica, or a whole name."""
    with connect(session) as client:
        chosen = chosen_cluster(client, cluster)
        agent, name = _agent(session, client, chosen, container, account)
        with suppress(BrokenPipeError):
            for line in agent.logs(name, follow=follow):
                stream = sys.stdout if line.stream == 1 else sys.stderr
                stream.buffer.write(line.data)
                stream.flush()


@leaf(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@cluster_option
@click.option("--account", default="", metavar="NAME", help="Who asks; must be an executor of the cluster.")
@click.option("-i", "--stdin", "with_input", is_flag=True, help="Give it what stands on standard input.")
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
) -> None:
    """Execute a command in a running container; ends with the command's own exit status."""
    with connect(session) as client:
        chosen = chosen_cluster(client, cluster)
        agent, name = _agent(session, client, chosen, container, account)

        def write(stream: int, data: bytes) -> None:
            target = sys.stdout if stream == 1 else sys.stderr
            target.buffer.write(data)
            target.flush()

        given = sys.stdin.buffer.read() if with_input else b""
        sys.exit(agent.execute(name, command, given, write))
