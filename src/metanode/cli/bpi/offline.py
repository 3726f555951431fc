"""Checking a file here, with nothing but a genesis: what every such command has in common."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.completing import files
from metanode.cli.bpi.trust import TrustedGenesis, trusted_genesis
from metanode.cli.failure import Failure
from metanode.cli.files import read_bytes
from metanode.cli.session import Session

Proven = TypeVar("Proven")
_Command = TypeVar("_Command", bound=Callable[..., Any])


def genesis_option(meaning: str = "What to trust; the local one by default.") -> Callable[[_Command], _Command]:
    """`--genesis FILE`, given to the command as `genesis_file`, empty where there is none."""
    return click.option("--genesis", "genesis_file", default="", metavar="FILE", shell_complete=files, help=meaning)


@dataclass(frozen=True, slots=True)
class Checked(Generic[Proven]):
    """What a file proved, by which genesis, and how long the check took."""

    trusted: TrustedGenesis
    proven: Proven
    took_ms: float


def check_file(
    session: Session, file: str, genesis_file: str, check: Callable[[bytes, Any], Proven]
) -> Checked[Proven]:
    """Say what is trusted, read the file, and check it on that basis. Raises `Failure`, with 21 where it does not
    hold."""
    from metanode.client.verify import GenesisBasis
    from metanode.primitives.refusal import Rejected

    trusted = trusted_genesis(session, genesis_file)
    data = read_bytes(file)
    session.output.line(trusted.words)
    began = time.perf_counter()
    try:
        proven = check(data, GenesisBasis(trusted.genesis))
    except Rejected as rejected:
        raise invalid(file, rejected) from None
    return Checked(trusted, proven, round((time.perf_counter() - began) * 1000, 3))


def invalid(what: str, rejected: Any, fix: str = "") -> Failure:
    """21, and which layer of the proof of `what` does not hold. `fix`: what to do, else what the refusal says."""
    from metanode.api.errors import explain

    layer, meaning = str(rejected.reason).rpartition(".")[2], explain(rejected.reason)
    message = f"{what}{': ' if what else ''}INVALID (layer: {layer}): {rejected.detail}"
    return Failure(rejected.reason, ExitStatus.INVALID_PROOF, message, rule=meaning.rule, fix=fix or meaning.fix)
