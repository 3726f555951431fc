"""Secrets on the operator's side: which nodes could need one, by keys proved here; sealed to each, and put there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.keys import Signer
from metanode.cli.bpi.trust import TrustedGenesis
from metanode.cli.failure import CliRefusal, Failure
from metanode.client import Client, ClientError, state_keys
from metanode.client.agent import AgentClient
from metanode.client.agent_keeping import Kept, put_secret, secrets_of
from metanode.client.verify import GenesisBasis, LightClient
from metanode.docklock.cluster.state import CLUSTERS, MEMBERS, Member
from metanode.docklock.secrets import Content, commitment_of, label_of, salt_of, salt_question, seal
from metanode.host.entropy import random_bytes
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected

KEEPERS_MAX: Final = 64
"""Nodes that one command seals to; others get it from these when something that needs it is placed on them."""


@dataclass(frozen=True, slots=True)
class Meant:
    """A secret as a specification names it. `nodes`: those that have it; `fresh`: it is a new version."""

    secret: str
    version: int
    commitment: bytes
    nodes: tuple[str, ...] = field(default=())
    fresh: bool = False


class Sealer:
    """SECRET-7. One cluster, seen by an operator who trusts a genesis and believes no node."""

    def __init__(self, client: Client, trusted: TrustedGenesis, cluster: str, signer: Signer) -> None:
        self._client: Final = client
        self._trusted: Final = trusted
        self._cluster: Final = cluster
        self._signer: Final = signer

    @cached_property
    def members(self) -> dict[str, Member]:
        """The nodes of the cluster that are in, proved under a header that was followed from the genesis. Raises
        `Rejected`, `ClientError`, `Failure`."""
        light = LightClient(self._client, GenesisBasis(self._trusted.genesis))
        record = light.prove(*state_keys.cluster(self._cluster))
        if record.value is None:
            message = f"there is no cluster {self._cluster}"
            raise Failure(CliRefusal.NO_CLUSTER, ExitStatus.NOT_FOUND, message, fix="bpi cluster list")
        found = {}
        for node in CLUSTERS.decode(record.value).nodes:
            value = light.prove(*state_keys.member(self._cluster, node), record.header.height).value
            member = MEMBERS.decode(value) if value is not None else None
            if member is not None and member.standing == "in" and member.inventory:
                found[node] = member
        return found

    def agent(self, node: str) -> AgentClient:
        """The agent of a node."""
        return AgentClient(self.members[node].inventory[0].api, self._cluster, self._signer.key)

    @cached_property
    def kept(self) -> dict[str, list[Kept]]:
        """What each agent that answers has. Raises `Failure` where none answers."""
        found, said = {}, []
        for node in self.members:
            try:
                found[node] = secrets_of(self.agent(node))
            except ClientError as error:
                said.append(f"{node}: {error.form.message}")
        if not found:
            message = f"no agent of {self._cluster} answers: {'; '.join(said[:3]) or 'it has no node that is in'}"
            raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi node list")
        return found

    def newest(self, secret: str) -> Meant | None:
        """The newest version that any agent has."""
        having = [(one.version, one.commitment, node) for node, all_ in self.kept.items() for one in all_
                  if one.secret == secret]  # fmt: skip
        if not having:
            return None
        version, commitment, _ = max(having)
        nodes = tuple(node for *which, node in having if which == [version, commitment])
        return Meant(secret, version, bytes.fromhex(commitment), nodes)

    def put(self, secret: str, clear: bytes, nodes: Iterable[str]) -> Meant:
        """SECRET-1, SECRET-7. Seal a content to nodes: as the version it has already where it is the newest, as a new
        one else. Raises `Failure` where no node took it."""
        content = Content(salt_of(self._signer.key.sign(salt_question(self._cluster, secret, clear))), clear)
        commitment = commitment_of(self._cluster, secret, content)
        before = self.newest(secret)
        fresh = before is None or before.commitment != commitment
        version = 1 if before is None else before.version + fresh
        have = set() if before is None or fresh else set(before.nodes)
        said = []
        for node in sorted(set(nodes) & set(self.members))[:KEEPERS_MAX]:
            if node in have:
                continue
            key = self.members[node].inventory[0].sealing_key
            try:
                label = label_of(self._trusted.chain_id, self._cluster, node, key, secret, version, commitment)
                put_secret(self.agent(node), secret, encode(seal(label, key, content, random_bytes(32))))
            except (ClientError, Rejected) as error:
                said.append(f"{node}: {error}")
            else:
                have.add(node)
        if not have:
            message = f"no node took the secret {secret}: {'; '.join(said[:3]) or 'none could run what needs it'}"
            raise Failure(CliRefusal.NOT_READY, ExitStatus.RUNTIME, message, fix="bpi node list")
        return Meant(secret, version, commitment, tuple(sorted(have)), fresh)

    def named(self, secret: str) -> Meant:
        """The newest version of a secret that must be there already. Raises `Failure`."""
        found = self.newest(secret)
        if found is None:
            message = f"no agent of {self._cluster} that answers has the secret {secret}"
            raise Failure(CliRefusal.NOTHING_THERE, ExitStatus.NOT_FOUND, message, fix=f"bpi secret set {secret}")
        return found
