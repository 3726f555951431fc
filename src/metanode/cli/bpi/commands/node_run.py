"""`bpi node run`."""

import os
from pathlib import Path

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session


@leaf(name="run")
@pass_session
def run(session: Session) -> None:
    """Run one node in this process until it is told to stop.

    --data names its data directory. It prints READY and its URL once it answers; SIGTERM and Ctrl-C stop it after its
    last step is on the disk. Two processes never run on one data directory.
    """
    from metanode.host.run import run as run_node

    root = session.data
    refuse_network(root)
    output = session.output

    def ready(url: str) -> None:
        output.result(
            "node.run/1", {"event": "ready", "url": url, "pid": os.getpid()}, lambda: output.line(f"READY  {url}")
        )

    reason = run_node(root, os.environ, ready)
    output.result("node.run/1", {"event": "stopped", "reason": reason}, lambda: output.line(f"STOPPED  {reason}"))


def refuse_network(root: Path) -> None:
    """A folder of several nodes is not one node."""
    network = LocalNetwork(root)
    if network.is_there and not (root / "FORMAT").exists():
        names = " or ".join(str(root / node.name) for node in network.nodes[:2])
        message = f"{root} is a network of {len(network.nodes)} nodes, not one data directory"
        raise Failure(CliRefusal.USAGE, ExitStatus.USAGE, message, fix=f"bpi up starts them all; --data {names} one")
