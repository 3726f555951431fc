"""`bpi validator …`: who signs."""

import time

import click

from metanode.api.node import ValidatorView
from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import as_data, yes
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session


def _heard(view: ValidatorView) -> str:
    if not view.last_heard_ms:
        return "never"
    return f"{max(0.0, time.time() - view.last_heard_ms / 1000):.1f} s ago"


@leaf(name="list")
@click.option("--height", type=click.IntRange(0), default=0, help="The set that signs this height; 0 is the head.")
@pass_session
def list_(session: Session, height: int) -> None:
    """List the validators, and whether the node reaches them."""
    with connect(session) as client:
        page = client.validator.list(height)
    rows = [(v.seat, v.name, yes(v.reachable), _heard(v), ", ".join(v.addresses) or "-") for v in page.items]

    def human() -> None:
        session.output.table(("seat", "name", "reachable", "heard", "address"), rows)
        session.output.line(
            f"{len(page.items)} validators · a block needs {page.quorum} · tolerates {page.faults_tolerated} faulty"
        )

    session.output.result("validator.list/1", as_data(page), human)


@leaf()
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Show one validator: its keys, operator and addresses."""
    with connect(session) as client:
        view = client.validator.get(name)

    def human() -> None:
        line = session.output.line
        line(f"validator  {view.name} (seat {view.seat}) at height {view.height}")
        line(f"reachable  {yes(view.reachable)} · heard {_heard(view)}")
        line(f"operator   {view.operator}")
        line(f"addresses  {', '.join(view.addresses) or '-'}")
        line(f"transport  {view.transport_key}")
        line(f"vote       {view.vote_key}")
        line(f"bls        {view.bls_key}")

    session.output.result("validator/1", as_data(view), human)
