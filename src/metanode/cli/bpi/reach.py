"""Which node a command talks to, and how."""

from metanode.cli.bpi.local_network import LocalNetwork
from metanode.cli.session import Session
from metanode.client import Client


def node_url(session: Session) -> str:
    """The node that was named; where none was, the first of the local network that runs, else the default."""
    setting = session.configuration.setting("node")
    network = LocalNetwork(session.data)
    if setting.origin == "default" and network.is_there:
        nodes = network.nodes
        return next((node.url for node in nodes if node.process), nodes[0].url if nodes else setting.value)
    return setting.value


def connect(session: Session, url: str = "", timeout_s: float = 0.0) -> Client:
    """A client of that node, or of the one at `url`. Raises `Failure` where the token file cannot be read."""
    from metanode.cli.files import read_text

    file = session.setting("token_file")
    token = read_text(file, 4096).strip() if file else None
    return Client(url or node_url(session), token, timeout_s or 10.0)
