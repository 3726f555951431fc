"""`bpi verify`."""

import sys
import time
from dataclasses import dataclass, field
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.offline import genesis_option
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.trust import TrustedGenesis, basis_facts, basis_words, check_chain, trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import Failure
from metanode.cli.session import Session, pass_session
from metanode.primitives.refusal import Rejected

NOTE_EVERY = 1_000
"""Headers between two words of progress."""


@leaf()
@genesis_option()
@click.option("--height", type=click.IntRange(0), default=0, help="Stop there; 0 is the head.")
@click.option("--headers-only", is_flag=True, help="Leave out transactions and receipts.")
@click.option("--skip", is_flag=True, help="Only the headers that announce another validator set, and the last one.")
@pass_session
def verify(session: Session, genesis_file: str, height: int, headers_only: bool, skip: bool) -> None:  # noqa: FBT001
    """Check the whole chain in this process, from genesis to its head, believing no node.

    Every header against the one before, every certificate by its aggregate signature, every change of the validator
    set, every transaction and receipt against the roots. Whatever does not fit ends with 21 and says which layer. With
    --skip the head is as certain, in a moment; what lies below it is not looked at.
    """
    from metanode.cli.bpi.commands.genesis_check import check_possessions
    from metanode.client.verify import GenesisBasis, LightClient

    trusted = trusted_genesis(session, genesis_file)
    basis = basis_facts(trusted, int(time.time() * 1000))
    for line in basis_words(trusted, basis):
        session.output.line(line)
    check_possessions(trusted.genesis)
    began, tally = time.monotonic(), Tally()
    with connect(session) as client:
        status = client.node.status()
        check_chain(trusted, status.chain_id)
        light = LightClient(client, GenesisBasis(trusted.genesis))
        steps = light.skip if skip else light.advance
        try:
            for checked in steps(height or status.height) if status.height else ():
                tally.headers += 1
                tally.signed.setdefault(checked.seats, set()).add(checked.signers)
                if not headers_only and not skip:
                    tally.receipts += light.check_block(checked.header)
                if tally.headers % NOTE_EVERY == 0 and sys.stderr.isatty():
                    session.output.note(f"height {checked.header.height} …")
        except Rejected as rejected:
            raise _invalid(rejected, light.trusted.height) from None
    data = {
        "valid": True,
        "chain": trusted.chain_id.hex(),
        "genesis": str(trusted.path),
        "basis": basis,
        "height": light.trusted.height,
        "headers": tally.headers,
        "commits": tally.headers,
        "receipts": None if headers_only or skip else tally.receipts,
        "signed": [{"seats": seats, "signers": sorted(signers)} for seats, signers in tally.signed.items()],
        "head": light.trusted.hash.hex(),
        "took_s": round(time.monotonic() - began, 3),
    }
    session.output.result("verify/1", data, lambda: _human(session, trusted, data))


@dataclass(slots=True)
class Tally:
    """What was looked at. `signed`: how many signed, by the number of seats."""

    headers: int = 0
    receipts: int = 0
    signed: dict[int, set[int]] = field(default_factory=dict)


def _invalid(rejected: Rejected, followed: int) -> Failure:
    """21, the layer, and how far it was right."""
    from metanode.api.errors import explain

    layer, meaning = str(rejected.reason).rpartition(".")[2], explain(rejected.reason)
    message = f"INVALID above height {followed} (layer: {layer}): {rejected.detail}"
    return Failure(
        rejected.reason, ExitStatus.INVALID_PROOF, message, rule=meaning.rule, fix="ask another node; keep this answer"
    )


def _human(session: Session, trusted: TrustedGenesis, data: dict[str, Any]) -> None:
    output, headers, height = session.output, data["headers"], data["height"]
    by = ", ".join(f"{' or '.join(map(str, one['signers']))} of {one['seats']}" for one in data["signed"])
    by = f" ({by})" if by else ""
    receipts = "not checked" if data["receipts"] is None else f"{data['receipts']}/{data['receipts']}"
    valid = output.styled("VALID", "good")
    of = f"{headers}/{headers}" if headers == height else f"{headers} of {height}"
    counts = f"headers {of} · commits {headers}/{headers}{by} · receipts {receipts}"
    output.line(f"{counts}        {valid}  height {height}")
    if session.verbosity:
        output.line(f"chain {trusted.chain_id.hex()} · head {data['head']} · {data['took_s']} s")
