"""`bpi block …`: what became final."""

import click

from metanode.cli.bpi.reach import connect
from metanode.cli.bpi.showing import as_data, counted, instant
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session


@leaf()
@click.argument("height", type=click.IntRange(0), default=0)
@pass_session
def show(session: Session, height: int) -> None:
    """Show a block: its header, its certificate and its transactions; the last one where no height is named."""
    with connect(session) as client:
        view = client.block.get(height)

    def human() -> None:
        line = session.output.line
        line(f"block     {view.height} · {view.hash}")
        line(f"time      {instant(view.timestamp_ms)}")
        line(f"proposer  {view.proposer_name} (seat {view.proposer}) · round {view.commit.round}")
        seats = ", ".join(map(str, view.commit.signers))
        line(f"commit    {len(view.commit.signers)} of {view.commit.of} · seats {seats}")
        line(f"parent    {view.parent_hash}")
        line(f"state     {view.state_root}")
        line(f"receipts  {view.receipts_root}")
        line(f"size      {view.bytes} bytes · {counted(len(view.transactions), 'transaction')}")
        for name in view.transactions:
            line(f"  {name}")
        for digest in view.evidence:
            line(f"  evidence {digest}")

    session.output.result("block/1", as_data(view), human)


@leaf(name="list")
@click.option("--before", type=click.IntRange(0), default=0, help="Only below this height; 0 begins at the head.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@pass_session
def list_(session: Session, before: int, limit: int) -> None:
    """List blocks, the latest first."""
    with connect(session) as client:
        page = client.block.list(before, limit)
    rows = [
        (b.height, instant(b.timestamp_ms), b.transactions, b.proposer_name, b.round, f"{b.signers}/{b.of}")
        for b in page.items
    ]
    columns = ("height", "time", "transactions", "proposer", "round", "signed")
    session.output.result("block.list/1", as_data(page), lambda: session.output.table(columns, rows, "no block there"))
