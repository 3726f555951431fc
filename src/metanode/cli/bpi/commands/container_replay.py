"""`bpi container replay`: a deterministic job is run once more, on another node, and compared with its receipt."""

from typing import Any, Final

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.clusters import cluster_option
from metanode.cli.bpi.commands.container_agents import account_option
from metanode.cli.bpi.node_receipts import Agents, wanted_by
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import short
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session
from metanode.client.agent import AgentClient
from metanode.client.agent_replays import replay as run_again
from metanode.docklock.receipts import entry_name
from metanode.docklock.receipts.names import is_entry_name
from metanode.records.determinism import ENGINE, DeterminismRefusal
from metanode.records.workload_receipt import SIGNED_ENTRIES, WORKLOAD_RECEIPT_FILES, SignedEntry

ACTIVE: Final = "active"
"""The state of a node that takes work."""


@leaf()
@click.argument("receipt", metavar="CONTAINER|RECEIPT")
@click.option("--on", "elsewhere", default="", metavar="NODE", help="Where; by default a node that has not run it.")
@click.option("--local", is_flag=True, help="On this machine, which needs the sandbox; writes no receipt.")
@click.option("--receipt-file", "file", is_flag=True, help="CONTAINER is a receipt file (NAME.receipt) instead.")
@cluster_option
@account_option
@pass_session
def replay(
    session: Session,
    receipt: str,
    elsewhere: str,
    local: bool,  # noqa: FBT001 - click calls it
    file: bool,  # noqa: FBT001 - click calls it
    cluster: str,
    account: str,
) -> ExitStatus | None:
    """Run a deterministic job once more on another node, and compare: EQUAL, or the first difference.

    By its container (sums.0), one attempt of it (sums.0.1), or the name of the receipt of its end (node-2.41.K7QF).
    """
    with connect(session) as client:
        agents = Agents.of(session, client, cluster, account)
        signed = _from_file(receipt) if file else _told(agents, receipt)
        expected = _root(signed)
        if local:
            chosen, told = _here(agents, signed)
        else:
            chosen, endpoint = _chosen(agents, signed.entry.node, elsewhere)
            told = run_again(AgentClient(endpoint, agents.cluster, agents.key), signed)
    entry = signed.entry
    data = {
        "container": f"{entry.workload}.{entry.index}.{entry.attempt}",
        "receipt": str(entry_name(signed)),
        "first": entry.node,
        "again": chosen,
        "expected": expected.hex(),
        **told,
    }
    session.output.result("container.replay/1", data, lambda: _say(session, data))
    return None if told["equal"] else ExitStatus.INVALID_PROOF


def _here(agents: Agents, signed: SignedEntry) -> tuple[str, dict[str, Any]]:
    """What this machine is called, and what came of it here. Raises `Failure`, `Rejected`, `Fault`."""
    from metanode.cli.bpi.running import agents_of
    from metanode.host.agent.repeating_here import HERE, replay_here

    peers = tuple(agents_of(agents.client, agents.cluster).values())
    return HERE, replay_here(signed, agents.cluster, peers, agents.key)


def _from_file(path: str) -> SignedEntry:
    from metanode.cli.files import read_bytes

    return SIGNED_ENTRIES.decode(WORKLOAD_RECEIPT_FILES.decode(read_bytes(path)).signed)


def _root(signed: SignedEntry) -> bytes:
    """The witness root that a receipt tells. Raises `Failure` where it tells none."""
    told = {one.name: one.value for one in signed.entry.details}.get("witness")
    if signed.entry.step == "exited" and isinstance(told, bytes):
        return told
    name = entry_name(signed)
    message = f"{name} ({signed.entry.step}) tells no witness: only the end of a deterministic job does"
    raise Failure(DeterminismRefusal.NO_WITNESS, ExitStatus.NOT_FOUND, message, fix="bpi receipt list --container …")


def _told(agents: Agents, named: str) -> SignedEntry:
    """The receipt of the latest end that is meant. Raises `Failure`."""
    if is_entry_name(named):
        return agents.one(named).signed
    found = [one.signed for told in agents.ask(wanted_by("", named, files=False)) for one in told.shown]
    ends = [one for one in found if one.entry.step == "exited" and any(d.name == "witness" for d in one.entry.details)]
    if not ends:
        message = f"no agent of {agents.cluster} has a receipt of {named} that tells a witness"
        fix = "only a job with `x-metanode: {deterministic: true}` that has ended by itself has one"
        raise Failure(DeterminismRefusal.NO_WITNESS, ExitStatus.NOT_FOUND, message, fix=fix)
    return max(ends, key=lambda one: (one.entry.index, one.entry.attempt, one.entry.time_ms))


def _chosen(agents: Agents, first: str, wanted: str) -> tuple[str, str]:
    """The node that is asked to run it again, and where it answers: another one wherever there is one."""
    lines = agents.client.cluster.nodes(agents.cluster, "", 500).items
    fit = [one for one in lines if one.api and one.state == ACTIVE and wanted in ("", one.node)]
    fit = [one for one in fit if wanted or ENGINE in one.engines]
    fit.sort(key=lambda one: (one.node == first, one.node))
    if not fit:
        message = f"{agents.cluster} has no active node {wanted or 'with the sandbox'} that could run it again"
        raise Failure(CliRefusal.UNKNOWN_NODE, ExitStatus.NOT_FOUND, message, fix="bpi node list")
    return fit[0].node, fit[0].api


def _say(session: Session, data: dict[str, Any]) -> None:
    line, styled = session.output.line, session.output.styled
    line(f"job       {data['container']} · first on {data['first']} ({data['receipt']}) · again on {data['again']}")
    line(f"first     witness {short(data['expected'], 16)}")
    line(f"again     witness {short(data['root'], 16)} · {data['observations']} observations · exit {data['code']}")
    if data["equal"]:
        line(f"{styled('EQUAL', 'good')}     the same bytes were said, left and seen")
        return
    found = data["difference"]
    line(f"{styled('DIFFERENT', 'bad')} first in {found['what']}")
    line(f"          {data['first']}: {found['first']}")
    line(f"          {data['again']}: {found['again']}")
