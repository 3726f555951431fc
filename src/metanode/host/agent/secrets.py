"""What a node does with secrets: keeps what is sealed to it, opens it for containers, seals it anew for other nodes."""

import asyncio
import http.client
import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from metanode.docklock.cluster.state import Assignment
from metanode.docklock.secrets import OpeningKeys, label_of, open_sealed, seal
from metanode.host.agent.chain import ChainPort
from metanode.host.agent.records import Records
from metanode.host.agent.refusing import Refusals, Refused
from metanode.host.agent.secret_store import SecretStore
from metanode.host.runtimes.plan import Secret
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.primitives.sealing import hkdf_sha256
from metanode.records.secret import (
    SEALED_BYTES_MAX,
    SEALED_SECRETS,
    SealedSecret,
    SecretAsked,
    SecretLabel,
    SecretRefusal,
    check_asked,
    check_sealed,
)
from metanode.records.workload import SecretFile, WorkloadSpec
from metanode.records.workload_receipt import DetailValue

PEERS_MAX: Final = 8
"""Other agents that are asked for a secret in one try; the next try begins behind them."""
PEER_TIMEOUT_S: Final = 5.0
"""How long another agent may take to answer."""
GIVEN_S: Final = 60.0
"""So long the same question gets the same envelope again: a receipt an answer would let a node fill another's log."""
GIVEN_MAX: Final = 256
"""Answers that are remembered so."""
READABLE: Final = 0o550
"""Of the permissions of a secret, those that mean something: its user and group, and nothing is written."""


def opening_keys(seed: bytes) -> OpeningKeys:
    """Derived from the node's seed, and used for nothing else."""
    x25519 = hkdf_sha256(seed, salt=b"", info=b"metanode.agent.x25519", length=32)
    return OpeningKeys(x25519, hkdf_sha256(seed, salt=b"", info=b"metanode.agent.ml-kem-768", length=64))


@dataclass(frozen=True, slots=True)
class Here:
    """Which node this is: its chain, cluster, name, and the keys that open what is sealed to it."""

    chain_id: bytes
    cluster: str
    node: str
    keys: OpeningKeys

    def label(self, one: SecretFile | SecretAsked) -> SecretLabel:
        """SECRET-3. What an envelope for this node must say, for a secret that a specification names."""
        if not one.version:
            raise Rejected(SecretRefusal.UNBOUND, f"{one.secret}: apply the workload again")
        public = self.keys.public
        return label_of(self.chain_id, self.cluster, self.node, public, one.secret, one.version, one.commitment)


def told_of(label: SecretLabel) -> dict[str, DetailValue]:
    """SECRET-9. What a receipt says of a secret: never a digest of the secret itself, which could be guessed."""
    return {
        "secret": label.secret,
        "secret-version": label.version,
        "commitment": label.commitment,
        "key": label.recipient,
    }


class Peers:
    """Other agents, asked by the node's own account. `headers` signs a request with its body."""

    def __init__(
        self, endpoints: Callable[[], tuple[str, ...]], headers: Callable[[str, str, bytes], dict[str, str]]
    ) -> None:
        self._endpoints: Final = endpoints
        self._headers: Final = headers
        self._next = 0

    def some(self) -> tuple[str, ...]:
        """The next few, so that all are asked in the end."""
        found = self._endpoints()
        if len(found) <= PEERS_MAX:
            return found
        begin, self._next = self._next % len(found), self._next + PEERS_MAX
        return (found[begin:] + found[:begin])[:PEERS_MAX]

    def ask(self, peer: str, asked: SecretAsked) -> bytes | None:
        """SECRET-8. An envelope, nothing where the peer has none or gives none."""
        path, body = f"/v1/secrets/{asked.secret}/seal", encode(asked)
        try:
            with closing(http.client.HTTPConnection(peer, timeout=PEER_TIMEOUT_S)) as connection:
                connection.request("POST", path, body, self._headers("POST", path, body))
                answer = connection.getresponse()
                data = answer.read(SEALED_BYTES_MAX + 1)
                return data if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None


class NodeSecrets:
    """SECRET-4, SECRET-8, SECRET-9. `spec`: the specification of an assignment, as the chain pins it; `None` where
    nobody has it."""

    def __init__(
        self,
        here: Here,
        store: SecretStore,
        chain: ChainPort,
        peers: Peers,
        spec: Callable[[Assignment], WorkloadSpec | None],
        records: Records,
        refusals: Refusals,
    ) -> None:
        self._here: Final = here
        self._store: Final = store
        self._chain: Final = chain
        self._peers: Final = peers
        self._spec: Final = spec
        self._records: Final = records
        self._refusals: Final = refusals
        self._given: Final[dict[bytes, tuple[float, bytes]]] = {}
        self._log: Final = logging.getLogger("metanode.agent")

    # --- kept here --------------------------------------------------------------------------------------------------

    def keep(self, data: bytes, secret: str) -> SecretLabel:
        """SECRET-4. Keep an envelope that is sealed to this node, and opens. Raises `Rejected`."""
        sealed = SEALED_SECRETS.decode(data)
        check_sealed(sealed)
        label = sealed.label
        own = self._here.keys.public
        expected = label_of(
            self._here.chain_id, self._here.cluster, self._here.node, own, secret, label.version, label.commitment
        )
        open_sealed(sealed, expected, self._here.keys)
        self._store.put(sealed)
        return label

    def labels(self) -> tuple[SecretLabel, ...]:
        """What is kept here."""
        return self._store.labels()

    def remove(self, secret: str, below: int) -> int:
        """SECRET-10. Forget a secret, or its versions below one."""
        return self._store.remove(secret, below)

    def refused(
        self, error: Rejected, rule: str, caller: bytes, one: Assignment | None = None, image: bytes = b""
    ) -> None:
        """A receipt of a refusal by a rule; those that are alike become few (WREC-19)."""
        about = (one, image) if one is not None else None
        self._refusals.note(Refused(str(error.reason), f"{rule}: {error.detail}", caller, known=True, about=about))

    # --- before a container is made ---------------------------------------------------------------------------------

    async def gather(self, one: Assignment, spec: WorkloadSpec) -> bool:
        """SECRET-8. Whether every secret of a specification is here; other nodes are asked for those that are not.
        Raises `Rejected` where the specification does not say which content is meant, `ChainUnreachable`."""
        image = spec.terms.demand.image
        for secret in spec.secrets:
            label = self._here.label(secret)
            if self._has(label):
                continue
            source, bad = await asyncio.to_thread(self._fetch, one, secret)
            for refused in bad:
                self.refused(refused, "SECRET-3", b"", one, image)
            if source:
                await self._records.write("secret-received", one, image, {**told_of(label), "source": source})
                continue
            missing = Rejected(SecretRefusal.MISSING, f"{secret.secret} {secret.version}: no node that answers has it")
            self.refused(missing, "SECRET-8", b"", one, image)
            return False
        return True

    async def release(self, one: Assignment, spec: WorkloadSpec) -> tuple[Secret, ...]:
        """SECRET-9. The secrets of a container, each written down before the container is made. Raises `Rejected`."""
        released = []
        for secret in spec.secrets:
            label = self._here.label(secret)
            try:
                content = open_sealed(self._found(label), label, self._here.keys)
            except Rejected as rejected:
                if rejected.reason is not SecretRefusal.MISSING:
                    self._store.discard(secret.secret, secret.version, secret.commitment)
                raise
            await self._records.write("secret-released", one, spec.terms.demand.image, told_of(label))
            released.append(Secret(secret.target, content.clear, secret.mode & READABLE))
        return tuple(released)

    def _found(self, label: SecretLabel) -> SealedSecret:
        found = self._store.find(label.secret, label.version, label.commitment)
        if found is None:
            raise Rejected(SecretRefusal.MISSING, f"{label.secret} {label.version} is not here any more")
        return found

    def _has(self, label: SecretLabel) -> bool:
        """Whether an envelope is here that opens; one that was damaged is no envelope."""
        try:
            found = self._store.find(label.secret, label.version, label.commitment)
            if found is None:
                return False
            open_sealed(found, label, self._here.keys)
        except Rejected as rejected:
            self._log.warning("a secret was damaged", extra={"why": str(rejected)})
            self._store.discard(label.secret, label.version, label.commitment)
            return False
        return True

    def _fetch(self, one: Assignment, secret: SecretFile) -> tuple[str, list[Rejected]]:
        """The peer that gave an envelope which opens, empty where none did; and what others gave instead."""
        bad: list[Rejected] = []
        asked = SecretAsked(
            node=self._here.node,
            workload=one.workload,
            index=one.index,
            attempt=one.attempt,
            secret=secret.secret,
            version=secret.version,
            commitment=secret.commitment,
        )
        label = self._here.label(secret)
        for peer in self._peers.some():
            data = self._peers.ask(peer, asked)
            if data is None:
                continue
            try:
                sealed = SEALED_SECRETS.decode(data)
                open_sealed(sealed, label, self._here.keys)
            except Rejected as rejected:
                bad.append(Rejected(rejected.reason, f"{peer} gave {rejected.detail}"))
                continue
            self._store.put(sealed)
            return peer, bad
        return "", bad

    # --- for another node -------------------------------------------------------------------------------------------

    async def seal_for(self, asked: SecretAsked, account: bytes, once: bytes) -> bytes:
        """SECRET-8. An envelope for the node that asks, if the chain says that it is to run what needs the secret; to
        the key that the chain proves for it. Asked the same again within a minute it gives the same, which is written
        down already. `once`: 32 fresh bytes. Raises `Rejected`, `ChainUnreachable`."""
        key = account + encode(asked)
        if (given := self._given.get(key)) is not None and time.monotonic() - given[0] < GIVEN_S:
            return given[1]
        one, sealed = await asyncio.to_thread(self._sealed_for, asked, account, once)
        told = {**told_of(sealed.label), "to": asked.node}
        await self._records.write("secret-resealed", one, b"", told)
        if len(self._given) >= GIVEN_MAX:
            del self._given[next(iter(self._given))]
        self._given[key] = (time.monotonic(), encode(sealed))
        return self._given[key][1]

    def _sealed_for(self, asked: SecretAsked, account: bytes, once: bytes) -> tuple[Assignment, SealedSecret]:
        check_asked(asked)
        own = self._here.label(asked)
        found = self._found(own)
        key, one = self._placed(asked, account)
        content = open_sealed(found, own, self._here.keys)
        label = label_of(own.chain_id, own.cluster, asked.node, key, asked.secret, asked.version, asked.commitment)
        return one, seal(label, key, content, once)

    def _placed(self, asked: SecretAsked, account: bytes) -> tuple[bytes, Assignment]:
        """The sealing key of the node that asks, and what it is to run, both proved. Raises `Rejected`."""
        member, share = self._chain.neighbour(asked.node)
        if member is None or member.standing != "in" or member.account != account or not member.inventory:
            raise Rejected(SecretRefusal.NOT_PLACED, f"{asked.node} is no node of this account that is in")
        wanted = (asked.workload, asked.index, asked.attempt)
        for one in share.assignments:
            if (one.workload, one.index, one.attempt) == wanted and one.run:
                spec = self._spec(one)
                named = spec is not None and any(
                    (use.secret, use.version, use.commitment) == (asked.secret, asked.version, asked.commitment)
                    for use in spec.secrets
                )
                if not named:
                    break
                return member.inventory[0].sealing_key, one
        said = f"{asked.node} is not to run {asked.workload}.{asked.index}.{asked.attempt} with {asked.secret}"
        raise Rejected(SecretRefusal.NOT_PLACED, said)
