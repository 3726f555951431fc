"""`bpi container run`, `apply`, `lint`, `convert`: what needs a Compose file."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.api.transactions import TransactionStatus
from metanode.cli.bpi.clusters import chosen_cluster, cluster_option
from metanode.cli.bpi.image_moves import Tags
from metanode.cli.bpi.job_inputs import hand_out_inputs
from metanode.cli.bpi.observing import Reader
from metanode.cli.bpi.running import agents_of, await_running, hand_out, read_application, wanted
from metanode.cli.bpi.secret_binding import seal_secrets
from metanode.cli.bpi.sending import How, Sending, sending
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session
from metanode.docklock.compose import Application
from metanode.records.cluster_calls import ClusterApply
from metanode.records.workload import spec_digest


def _understood(session: Session, sender: Sending, path: str, named: str) -> tuple[str, Application]:
    """The cluster that is meant, and what the file asks of it: tags are what its agents have by that name. Raises
    `Failure`."""
    first = wanted(path, read_application(path))
    cluster = chosen_cluster(sender.client, named or first.cluster)
    tags = Tags(session, cluster, sender.signer.name)
    return cluster, wanted(path, read_application(path, tags.digest))


def _apply(session: Session, how: How, path: str, named: str, timeout_s: float, *, run: bool) -> ExitStatus | None:
    sender = Sending(session, how)
    client = sender.client
    cluster, application = _understood(session, sender, path, named)
    application = seal_secrets(session, sender, cluster, path, application)
    specs = [one.spec for one in application.workloads]
    agents = agents_of(client, cluster)
    hand_out_inputs(path, agents, cluster, sender.signer.key, specs)
    have = hand_out(agents, cluster, sender.signer.key, specs)
    session.output.note(f"{len(specs)} specifications are with {have} agents")
    calls = [
        ClusterApply(cluster=cluster, spec=spec_digest(one.spec), terms=one.spec.terms, replicas=one.replicas)
        for one in application.workloads
    ]
    final: list[tuple[int, float]] = []

    def running() -> Iterator[dict[str, Any]]:
        height, began = final[0]
        for spec in specs if run else ():
            name = spec.terms.workload
            facts = await_running(client, cluster, name, timeout_s)
            seconds = round(time.monotonic() - began, 2)
            told = Reader.since(client, cluster, name, height).read()
            placed = [one.height for one in told if one.event["type"] == "cluster.replica-placed"]
            yield {**facts, "placed": max(placed, default=0), "seconds_after_finality": seconds}

    def after(status: TransactionStatus) -> tuple[dict[str, Any], list[str]]:
        final.append((status.height, time.monotonic()))
        return ({"workloads": list(running())} if session.as_json and run else {}), []

    failed = sender.send(*calls, after=after)
    if failed is None and not session.as_json and final:
        for facts in running():
            _say_running(session, facts)
    return failed


def _say_running(session: Session, facts: dict[str, Any]) -> None:
    done = facts["phase"] == "completed"
    where = f" on {', '.join(facts['nodes'])}" if facts["nodes"] else ""
    word = session.output.styled("COMPLETED" if done else "RUNNING", "good")
    count = f"{facts['replicas'] if done else facts['running']} of {facts['replicas']}"
    by = f" · placed by block {facts['placed']}" if facts["placed"] else ""
    when = f" · seen {facts['seconds_after_finality']:.2f} s after finality"
    session.output.line(f"{word}  {facts['workload']} · {count}{where}{by}{when}")


@leaf()
@click.argument("file", metavar="COMPOSE-FILE")
@cluster_option
@click.option("--within", type=float, default=60.0, metavar="SECONDS", help="Longest wait for it to run; 60.")
@sending
@pass_session
def run(session: Session, file: str, cluster: str, within: float, how: How) -> ExitStatus | None:
    """Apply a Compose file, and return when everything in it was seen running, or completed."""
    return _apply(session, how, file, cluster, within, run=True)


@leaf()
@click.argument("file", metavar="COMPOSE-FILE")
@cluster_option
@sending
@pass_session
def apply(session: Session, file: str, cluster: str, how: How) -> ExitStatus | None:
    """Apply a Compose file: what it says becomes what the cluster is to run; what it does not name stays as it is."""
    return _apply(session, how, file, cluster, 0.0, run=False)


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


@leaf()
@click.argument("file", metavar="COMPOSE-FILE")
@click.option("--to", "form", type=click.Choice(["kubernetes"]), default="kubernetes", show_default=True,
              help="What it becomes.")  # fmt: skip
@click.option("-o", "--output", "output", default="", metavar="FILE", help="Write it there; else it is printed.")
@pass_session
def convert(session: Session, file: str, form: str, output: str) -> None:
    """Convert a Compose file to manifests of Kubernetes; what those have no word for is told.

    Tags stay as they are written: no agent is asked.
    """
    from metanode.cli.bpi.guilt import write_file
    from metanode.docklock.compose.kubernetes import convert as converted

    found = converted(wanted(file, read_application(file)))
    if output:
        write_file(Path(output), found.text.encode())
    untold = [{"line": one.line, "path": one.path, "message": one.sentence} for one in found.findings]
    data = {"file": file, "to": form, "manifests": found.text, "untold": untold}

    def human() -> None:
        if not output:
            session.output.raw(found.text)
        else:
            session.output.line(f"WRITTEN  {output}")
        for one in found.findings:
            session.output.note(f"{file}:{one.sentence}")

    session.output.result("container.convert/1", data, human)
