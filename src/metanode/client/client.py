"""The client of one node."""

from types import TracebackType
from typing import Any, Final, Self, TypeVar

from metanode.api.method import Method
from metanode.api.shapes import Answer, Request
from metanode.client.calling import Caller
from metanode.client.cluster_rooms import Cluster, Workload
from metanode.client.connection import Connection
from metanode.client.rooms import Account, Block, Coin, Evidence, Governance, Node, Receipt, Validator
from metanode.client.streaming import Stream
from metanode.client.submitting import Transactions

Answered = TypeVar("Answered", bound=Answer)

TIMEOUT_S: Final = 10.0
"""How long a call may take that names no other deadline."""


class Client:
    """HTTP-16. Speaks to one node. Rooms are attributes: `client.block.get(9)` calls `block.get`.

    Keeps one connection; for one thread at a time. `token`: the bearer token, where the node asks for one.
    `authority`: a PEM file with the root of a private TLS certificate.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = TIMEOUT_S, authority: str = "") -> None:
        self._connection: Final = Connection(url, token or "", authority)
        self._caller: Final = Caller(self._connection, timeout_s)
        self.node: Final = Node(self._caller)
        self.block: Final = Block(self._caller)
        self.validator: Final = Validator(self._caller)
        self.account: Final = Account(self._caller)
        self.coin: Final = Coin(self._caller)
        self.transaction: Final = Transactions(self._caller)
        self.receipt: Final = Receipt(self._caller)
        self.governance: Final = Governance(self._caller)
        self.evidence: Final = Evidence(self._caller)
        self.cluster: Final = Cluster(self._caller)
        self.workload: Final = Workload(self._caller)

    @property
    def url(self) -> str:
        """Where the node is."""
        return self._connection.url

    def call(self, method: Method[Any, Answered], request: Request, timeout_s: float = 0.0) -> Answered:
        """Any method of the table. Raises `ClientError`, `Unreachable`, `DeadlinePassed`."""
        return self._caller.call(method, request, timeout_s)

    def events(
        self, after: str = "", kinds: tuple[str, ...] = (), mentions: str = "", patience_s: float = 60.0
    ) -> Stream:
        """Blocks, transactions and receipts from a cursor `height:index` on; empty for what comes from now on.

        `mentions`: only events in which this text occurs, an address say. `patience_s`: how long a node may be away.
        """
        query = {"kinds": ",".join(kinds), "mentions": mentions, "after": after}
        return Stream(self._connection, {k: v for k, v in query.items() if v}, after, patience_s)

    def ready(self) -> bool:
        """Whether the node has recovered and follows the chain. Raises `Unreachable`."""
        return self._connection.request("GET", "/ready", timeout_s=self._caller.timeout_s).status == 200

    def metrics(self) -> str:
        """The counters as Prometheus text."""
        return self._connection.request("GET", "/metrics", timeout_s=self._caller.timeout_s).body.decode()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
