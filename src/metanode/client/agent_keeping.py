"""What an agent keeps for its cluster, as operators ask about it: sealed secrets, named volumes."""

from typing import Any

import msgspec

from metanode.client.agent import AgentClient


class Kept(msgspec.Struct, frozen=True):
    """An envelope that an agent has: which secret, version and content (commitment, in hexadecimal)."""

    secret: str
    version: int
    commitment: str


class KeptVolume(msgspec.Struct, frozen=True):
    """A volume of an agent: bytes on the disk, files (`whole`: all were counted), containers that have it."""

    name: str
    bytes: int
    files: int
    whole: bool
    users: tuple[str, ...]


class _Removed(msgspec.Struct, frozen=True):
    removed: Any


def secrets_of(agent: AgentClient) -> list[Kept]:
    """The envelopes that are there."""
    return msgspec.json.decode(agent.ask("GET", "/v1/secrets"), type=list[Kept])


def put_secret(agent: AgentClient, secret: str, sealed: bytes) -> None:
    """Let the agent keep an envelope that is sealed to its node. Raises `ClientError` with the code of its refusal."""
    agent.ask("PUT", f"/v1/secrets/{secret}", sealed)


def remove_secret(agent: AgentClient, secret: str, below: int = 0) -> int:
    """Let the agent forget a secret, or its versions below one; how many envelopes it had."""
    answer = agent.ask("DELETE", f"/v1/secrets/{secret}" + (f"?below={below}" if below else ""))
    return int(msgspec.json.decode(answer, type=_Removed).removed)


def volumes_of(agent: AgentClient) -> list[KeptVolume]:
    """The volumes that are there."""
    return msgspec.json.decode(agent.ask("GET", "/v1/volumes"), type=list[KeptVolume])


def remove_volume(agent: AgentClient, name: str) -> None:
    """Let the agent take a volume away with all that is in it. Raises `ClientError` with the code of its refusal."""
    agent.ask("DELETE", f"/v1/volumes/{name}")
