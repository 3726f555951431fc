"""`bpi node repair`."""

from metanode.cli.bpi.commands.node_run import refuse_network
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session
from metanode.host.data_directory import DataDirectory
from metanode.host.disk import Disk
from metanode.host.entropy import random_bytes


@leaf()
@pass_session
def repair(session: Session) -> None:
    """Set aside what is damaged of a node's blocks and state; it starts again and fetches it from its peers.

    The node of --data must not run. Every block and every row is read: blocks before the first damage are kept, a store
    that is damaged or knows lost blocks is made anew from them at the next start. Keys, sign guard and journal are not
    touched. Nothing is deleted: what was set aside has a name that ends in .damaged.
    """
    from metanode.host.repair import repair_directory

    root = session.data
    refuse_network(root)
    directory = DataDirectory(root)
    try:
        done = repair_directory(directory, Disk(), random_bytes)
    finally:
        directory.close()
    data = {
        "data": str(root),
        "first_block": done.first,
        "last_block": done.last,
        "height": done.height,
        "set_aside": [str(path) for path in done.aside],
    }

    def human() -> None:
        line = session.output.line
        kept = f"blocks {done.first} … {done.last}" if done.last >= done.first else "none"
        line(f"block log  {kept}")
        line(f"store      {f'at height {done.height}' if done.height else 'begins anew at the next start'}")
        for path in done.aside:
            line(f"set aside  {path}")
        line(f"try:  bpi node run --data {root}" if done.aside else "nothing is damaged")

    session.output.result("node.repair/1", data, human)
