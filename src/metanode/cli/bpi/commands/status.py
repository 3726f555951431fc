"""`bpi status`."""

from metanode.api.exits import ExitStatus
from metanode.api.node import NodeStatus
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.bpi.reach import connect, node_url
from metanode.cli.bpi.showing import as_data
from metanode.cli.commands import leaf
from metanode.cli.failure import Failure
from metanode.cli.session import Session, pass_session
from metanode.client import Unreachable

STYLES = {"green": "good", "yellow": "warning", "red": "bad"}
"""The light's colours."""


@leaf()
@pass_session
def status(session: Session) -> ExitStatus | None:
    """Show whether the chain is well: one line, GREEN, YELLOW or RED, why, and what would mend it.

    It is one node's view. RED ends with 20; with -v more lines follow.
    """
    url = node_url(session)
    try:
        with connect(session, url) as client:
            found = client.node.status()
    except Unreachable as error:
        raise _nobody(session, url, error) from None
    session.output.result("status/1", {"url": url, **as_data(found)}, lambda: _human(session, url, found))
    return ExitStatus.CONSENSUS if found.light.colour == "red" else None


def _nobody(session: Session, url: str, error: Unreachable) -> Failure:
    """RED without a view: nobody answers, and what is known of the processes here."""
    network = LocalNetwork(session.data)
    running = (
        f"; {len(network.running)} of {len(network.nodes)} nodes in {session.data} run" if network.is_there else ""
    )
    form, fix = error.form, "bpi up" if network.is_there else "start the node, or name another with --node"
    session.output.line(f"{session.output.styled('RED', 'bad')}  no node answers at {url}{running} · fix: {fix}")
    return Failure(form.code, ExitStatus(form.exit), form.message, rule=form.rule, fix=fix, retryable=True)


def _human(session: Session, url: str, found: NodeStatus) -> None:
    output, light = session.output, found.light
    parts = [light.reason.replace(", ", " · ")]
    if light.colour == "green":
        parts += [f"height {found.height}", f"last block {found.last_block_age_ms / 1000:.1f} s ago"]
    if light.fix:
        parts.append(f"fix: {light.fix}")
    output.line(f"{output.styled(light.colour.upper(), STYLES[light.colour])}  {' · '.join(parts)}")
    if session.verbosity:
        output.line(f"node      {found.node} at {url} · version {found.version} · rules {found.rules_version}")
        output.line(f"chain     {found.chain_name} {found.chain_id}{' (development)' if found.development else ''}")
        output.line(f"head      height {found.height} · {found.block_hash} · round {found.round}")
        output.line(f"quorum    {found.quorum} of {found.validators_total} · reachable {found.validators_reachable}")
        output.line(f"peers     {found.peers_connected} of {found.peers_known} connected")
        output.line(f"pool      {found.pool_transactions} transactions · {found.pool_bytes} bytes")
