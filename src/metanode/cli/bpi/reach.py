"""Which node a command talks to, and how."""

import time
from collections.abc import Callable

from metanode.api.exits import ExitStatus
from metanode.api.node import NodeStatus
from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.bpi.processes import POLL_S, START_S
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.cli.session import Session
from metanode.client import Client, ClientError


def node_url(session: Session) -> str:
    """The node that was named; where none was, the first of the local network that is awake, else the default."""
    setting = session.configuration.setting("node")
    data = session.data
    network = LocalNetwork(data if LocalNetwork(data).is_there else data.resolve().parent)  # or one of its nodes
    if setting.origin == "default" and network.is_there:
        nodes = network.nodes
        awake = (node.url for node in nodes if node.process and not node.is_paused)
        return next(awake, nodes[0].url if nodes else setting.value)
    return setting.value


def connect(session: Session, url: str = "", timeout_s: float = 0.0) -> Client:
    """A client of that node, or of the one at `url`. Raises `Failure` where the file of the token or of the private TLS
    root cannot be read."""
    file, authority = session.setting("token_file"), session.setting("authority")
    token = read_text(file, 4096).strip() if file else None
    if authority:
        read_text(authority)
    return Client(url or node_url(session), token, timeout_s or 10.0, authority)


def answers(url: str) -> bool:
    """Whether a node there has recovered and follows the chain."""
    try:
        with Client(url, timeout_s=2.0) as client:
            return client.ready()
    except ClientError:
        return False


def status_when(client: Client, enough: Callable[[NodeStatus], bool], deadline_s: float = START_S) -> NodeStatus:
    """The first status that is enough. Raises `Failure` with what the node itself says, where none comes in time."""
    deadline = time.monotonic() + deadline_s
    while not enough(status := client.node.status()):
        if time.monotonic() > deadline:
            message = f"no progress in {deadline_s:.0f} s: {status.light.reason}"
            fix = status.light.fix or "bpi doctor"
            raise Failure(CliRefusal.NOT_READY, ExitStatus.CONSENSUS, message, fix=fix, retryable=True)
        time.sleep(POLL_S)
    return status
