"""`bpi verify`."""

import sys
import time
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.trust import TrustedGenesis, check_chain, trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import Failure
from metanode.cli.session import Session, pass_session
from metanode.primitives.refusal import Rejected

NOTE_EVERY = 1_000
"""Headers between two words of progress."""


@leaf()
@click.option("--genesis", "genesis_file", default="", metavar="FILE", help="What to trust; the local one by default.")
@click.option("--height", type=click.IntRange(0), default=0, help="Stop there; 0 is the head.")
@click.option("--headers-only", is_flag=True, help="Leave out transactions and receipts.")
@pass_session
def verify(session: Session, genesis_file: str, height: int, headers_only: bool) -> None:  # noqa: FBT001
    """Check the whole chain in this process, from genesis to its head, believing no node.

    Every header against the one before, every certificate by its aggregate signature, every change of the validator
    set, every transaction and receipt against the roots. Whatever does not fit ends with 21 and says which layer.
    """
    from metanode.cli.bpi.commands.genesis_check import check_possessions
    from metanode.client.verify import GenesisBasis, LightClient

    trusted = trusted_genesis(session, genesis_file)
    output = session.output
    output.line(f"{trusted.words} · checked by this process, not by the node")
    check_possessions(trusted.genesis)
    began, headers, receipts = time.monotonic(), 0, 0
    signed: dict[int, set[int]] = {}
    with connect(session) as client:
        status = client.node.status()
        check_chain(trusted, status.chain_id)
        light = LightClient(client, GenesisBasis(trusted.genesis))
        try:
            for checked in light.advance(height or status.height) if status.height else ():
                headers += 1
                signed.setdefault(checked.seats, set()).add(checked.signers)
                if not headers_only:
                    receipts += light.check_block(checked.header)
                if headers % NOTE_EVERY == 0 and sys.stderr.isatty():
                    output.note(f"height {headers} …")
        except Rejected as rejected:
            raise _invalid(rejected, headers + 1) from None
    took = time.monotonic() - began
    data = {
        "valid": True,
        "chain": trusted.chain_id.hex(),
        "genesis": str(trusted.path),
        "height": headers,
        "headers": headers,
        "commits": headers,
        "receipts": None if headers_only else receipts,
        "signed": [{"seats": seats, "signers": sorted(signers)} for seats, signers in signed.items()],
        "head": light.trusted.hash.hex(),
        "took_s": round(took, 3),
    }
    output.result("verify/1", data, lambda: _human(session, trusted, data))


def _invalid(rejected: Rejected, height: int) -> Failure:
    """21, and the layer."""
    from metanode.api.errors import explain

    layer, meaning = str(rejected.reason).rpartition(".")[2], explain(rejected.reason)
    message = f"INVALID at height {height} (layer: {layer}): {rejected.detail}"
    return Failure(
        rejected.reason, ExitStatus.INVALID_PROOF, message, rule=meaning.rule, fix="ask another node; keep this answer"
    )


def _human(session: Session, trusted: TrustedGenesis, data: dict[str, Any]) -> None:
    output, headers = session.output, data["headers"]
    by = ", ".join(f"{' or '.join(map(str, one['signers']))} of {one['seats']}" for one in data["signed"])
    by = f" ({by})" if by else ""
    receipts = "not checked" if data["receipts"] is None else f"{data['receipts']}/{data['receipts']}"
    valid = output.styled("VALID", "good")
    counts = f"headers {headers}/{headers} · commits {headers}/{headers}{by} · receipts {receipts}"
    output.line(f"{counts}        {valid}  height {headers}")
    if session.verbosity:
        output.line(f"chain {trusted.chain_id.hex()} · head {data['head']} · {data['took_s']} s")
