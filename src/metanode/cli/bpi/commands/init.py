"""`bpi init`."""

from pathlib import Path
from typing import Any

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.local_network import MARK, PORT_BASE_DEFAULT, VALIDATORS_DEFAULT, LocalNetwork
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.session import Session, pass_session

PORT_BASE_MAX = 65_535 - 2 * 20
"""So that the ports of twenty nodes fit above it."""


@leaf()
@click.argument("folder", default="")
@click.option("--template", type=click.Choice(["compose"]), help="Write a first Compose file and a README beside it.")
@click.option("--validators", type=click.IntRange(1, 20), default=VALIDATORS_DEFAULT, show_default=True)
@click.option("--port-base", type=click.IntRange(1_024, PORT_BASE_MAX), default=PORT_BASE_DEFAULT, show_default=True)
@click.option("--name", default="development", show_default=True, help="Name of the chain.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the chain.")
@pass_session
def init(session: Session, /, folder: str, template: str | None, port_base: int, name: str, **options: Any) -> None:
    """Make a development network in ./.bpi, or in the .bpi of a new folder, with keys that everybody can make.

    Each validator has a data directory there; accounts acme, globex and faucet hold USD. Nothing is started.
    """
    from metanode.cli.bpi.templates import check_free, write_template

    place = Path(folder)
    written = check_free(place, template) if template else ()
    network = create(place / session.data, options["validators"], port_base, name, options["parameters"])
    if template:
        write_template(place, template)
    nodes = network.nodes
    data = {
        "root": str(network.root),
        "genesis": str(network.genesis),
        "nodes": [{"name": node.name, "url": node.url} for node in nodes],
        "written": [str(path) for path in written],
    }

    def human() -> None:
        session.output.line(f"{len(nodes)} validators, development keys in {place / session.data} (never for value)")
        session.output.line(f"genesis     {place / session.data / nodes[0].name / 'genesis.toml'}")
        session.output.line(f"ports       {nodes[0].url} … {nodes[-1].url}")
        if written:
            session.output.line(f"written     {', '.join(str(path) for path in written)}")
        there = f"cd {place}; " if folder else ""
        run = f"; bpi container run {written[0].name}" if written else ""
        session.output.line(f"try:  {there}bpi up{run}")

    session.output.result("init/1", data, human)


def create(root: Path, validators: int, port_base: int, name: str, parameters: tuple[str, ...]) -> LocalNetwork:
    """A whole network, or nothing. Raises `Failure` where the folder holds something already."""
    from metanode.host.development import create_network
    from metanode.host.disk import Disk, write_durably
    from metanode.records.parameters import Parameters, with_parameter

    network = LocalNetwork(root.resolve())
    if network.is_there:
        message = f"{root} has a network already"
        raise Failure(
            CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, message, fix="bpi up starts it; --data names another folder"
        )
    is_file = network.root.exists() and not network.root.is_dir()
    if is_file or any(path != network.accounts for path in network.root.glob("*")):
        message = f"{root} is not empty, and is no network that was made to the end"
        fix = f"--data names another folder; or remove {root} if nothing in it matters"
        raise Failure(CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, message, fix=fix)
    chosen = Parameters()
    for text in parameters:
        key, _, value = text.partition("=")
        if not value.isdecimal():
            raise click.BadParameter(f"{text!r}: write NAME=VALUE, a whole number", param_hint="--parameter")
        chosen = with_parameter(chosen, key, int(value))
    before = set(network.root.rglob("*"))  # keys somebody made before there was a network
    was_there = network.root.exists()
    try:
        made = create_network(network.root, validators, port_base, name, chosen)
        mark = f"# A local network of bpi; its nodes are the folders beside this file.\nnodes = {len(made.nodes)}\n"
        write_durably(Disk(), network.root / MARK, mark.encode())
    except BaseException:  # Ctrl-C too: what is half made can only be in the way
        for path in sorted(set(network.root.rglob("*")) - before, reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        if not was_there and network.root.exists():
            network.root.rmdir()
        raise
    return network
