"""`bpi node agent init`, `run`, `status`: what runs containers on one machine."""

import os
from pathlib import Path

import click

from metanode.api.exits import ExitStatus
from metanode.cli.bpi.agent_file import (
    ACCOUNT,
    FILE,
    KEYS,
    AgentFile,
    load_agent_file,
    make_agent,
)
from metanode.cli.bpi.commands.status import STYLES
from metanode.cli.bpi.trust import trusted_genesis
from metanode.cli.commands import leaf
from metanode.cli.failure import CliRefusal, Failure
from metanode.cli.files import read_text
from metanode.cli.session import Session, pass_session
from metanode.host.keys import DEVELOPMENT_PASSWORD, find_password, list_accounts, load_account
from metanode.primitives import ed25519
from metanode.records.address import show_address
from metanode.records.genesis import genesis_hash, load_toml


@leaf()
@click.option("--cluster", required=True, metavar="NAME", help="The cluster it shall be part of.")
@click.option("--name", required=True, metavar="NODE", help="What the node is called there.")
@click.option("--chain", "chain", multiple=True, required=True, metavar="URL", help="A chain node; several are better.")
@click.option("--listen", default="127.0.0.1:26700", metavar="IP:PORT", help="For people and other agents.")
@click.option("--advertise", default="", metavar="HOST:PORT", help="What they dial, if it is not --listen.")
@click.option("--mesh-listen", default="", metavar="IP:PORT", help="For other agents; beside --listen by default.")
@click.option("--mesh-advertise", default="", metavar="HOST:PORT", help="What they dial, if it is not --mesh-listen.")
@click.option("--genesis", default="", metavar="FILE", help="Of the chain; the one in --data's network else.")
@click.option("--cpus", type=float, default=0.0, help="Cores that may be used; all by default.")
@click.option("--memory-mib", type=int, default=0, help="Memory that may be used; nine tenths of all by default.")
@click.option("--engine", default="", metavar="ENGINE", help="sandbox, crun, runc, docker, podman, kubernetes.")
@click.option("--engine-socket", default="", metavar="PATH", help="Of docker or podman, where it is not the usual one.")
@click.option("--engine-option", multiple=True, metavar="KEY=VALUE", help="Of kubernetes: kubeconfig=FILE, node=NAME …")
@click.option("--password-file", default="", metavar="FILE", help="Locks the node's key; opens it at each start.")
@click.option("--to", "folder", required=True, metavar="FOLDER", help="Where the agent's data shall be.")
@pass_session
def init(  # noqa: PLR0913, PLR0917 - one argument an option
    session: Session,
    cluster: str,
    name: str,
    chain: tuple[str, ...],
    listen: str,
    advertise: str,
    mesh_listen: str,
    mesh_advertise: str,
    genesis: str,
    cpus: float,
    memory_mib: int,
    engine: str,
    engine_socket: str,
    engine_option: tuple[str, ...],
    password_file: str,
    folder: str,
) -> None:
    """Make the folder of an agent: its settings, and the key by which its node is known.

    The node's account is printed: whoever operates the cluster admits it with bpi node admit.
    """
    from metanode.host.agent.joining import this_machine

    trusted = trusted_genesis(session, genesis)
    root = Path(folder).resolve()
    if (root / FILE).exists():
        message = f"{root} is an agent's folder already"
        raise Failure(CliRefusal.NETWORK_EXISTS, ExitStatus.CONFLICT, message, fix="bpi node agent run starts it")
    machine = this_machine()
    development = trusted.genesis.development and not password_file
    password = DEVELOPMENT_PASSWORD if development else find_password(password_file, os.environ)
    file = AgentFile(
        cluster=cluster,
        node=name,
        chain=chain,
        listen=listen,
        advertise=advertise,
        mesh=mesh_listen,
        mesh_advertise=mesh_advertise,
        cpu_millicores=int(cpus * 1_000) or machine.cpu_millicores,
        memory_kib=memory_mib * 1_024 or machine.memory_kib * 9 // 10,
        engine=engine,
        engine_socket=engine_socket,
        engine_options=engine_option,
        password_file=password_file,
    )
    address = make_agent(root, file, read_text(str(trusted.path)), password, development=False)
    data = {"folder": str(root), "node": name, "cluster": cluster, "account": show_address(address)}
    said = f"{name} of {cluster}: account {data['account']}\ntry:  bpi node admit {name} {data['account']}"
    session.output.result("node.agent.init/1", data, lambda: session.output.line(said))


@leaf()
@pass_session
def run(session: Session) -> None:
    """Run the agent of a folder (--data) in this process until it is told to stop; its containers run on.

    It says READY once the chain knows the node and the runtime was tried. Containers that an earlier agent started
    are adopted.
    """
    from metanode.cli.bpi.agent_chain import ClientChain
    from metanode.cli.bpi.mesh_chain import MeshChain
    from metanode.host.agent.engines import Engine
    from metanode.host.agent.run import AgentSettings, run_agent

    root = session.data.resolve()
    file = load_agent_file(root)
    genesis = load_toml(read_text(str(root / file.genesis)))
    seed = _node_seed(root, file)
    chain = ClientChain(file.chain, genesis, file.cluster, file.node, seed)
    mesh_chain = MeshChain(file.chain, genesis, file.cluster, file.node)
    output = session.output

    def ready(url: str, engine: Engine) -> None:
        works = engine.works
        data = {"event": "ready", "url": url, "pid": os.getpid(), "engine": works.engine, "notes": list(works.notes)}
        said = f"READY  {url}  {file.node} of {file.cluster} · {works.engine} {works.version}"
        output.result("node.agent.run/1", data, lambda: output.line(said))

    host, _, port = file.listen.rpartition(":")
    settings = AgentSettings(
        folder=root,
        chain_id=genesis_hash(genesis),
        cluster=file.cluster,
        node=file.node,
        host=host,
        port=int(port),
        endpoint=file.endpoint,
        cpu_millicores=file.cpu_millicores,
        memory_kib=file.memory_kib,
        engine=file.engine,
        engine_socket=file.engine_socket,
        engine_options=file.engine_options,
        receipts_bytes_max=file.receipts_bytes_max,
        mesh_listen=file.mesh,
        mesh_advertise=file.mesh_advertise,
    )
    reason = run_agent(settings, seed, chain, mesh_chain, ready)
    output.result("node.agent.run/1", {"event": "stopped", "reason": reason}, lambda: output.line(f"STOPPED  {reason}"))


@leaf()
@pass_session
def status(session: Session) -> ExitStatus | None:
    """Show how the agent of a folder (--data) is: GREEN, YELLOW or RED, how it sees the chain, what it runs.

    It asks the agent itself, by the node's own key, so it answers while the chain does not. RED ends with 20.
    """
    from metanode.client.agent import AgentClient

    root = session.data.resolve()
    file = load_agent_file(root)
    found = AgentClient(file.listen, file.cluster, ed25519.SigningKey(_node_seed(root, file))).status()

    def human() -> None:
        output, light = session.output, str(found["light"])
        output.line(f"{output.styled(light.upper(), STYLES[light])}  {file.node} of {file.cluster} · {found['chain']}")
        output.line(f"running   {len(found['running'])} containers by {found['engine']} {found['version']}")
        output.line(f"receipts  {found['receipts']} written · {found['receipts_pinned']} pinned on chain")
        for note in found["notes"]:
            output.line(f"note      {note}")
        if session.verbosity:
            for name in found["running"]:
                output.line(f"          {name}")

    session.output.result("node.agent.status/1", {"cluster": file.cluster, **found}, human)
    return ExitStatus.CONSENSUS if found["light"] == "red" else None


def _node_seed(root: Path, file: AgentFile) -> bytes:
    """The seed of the node's account. Raises `Failure`, `Rejected` where the password does not open it."""
    if not list_accounts(root / KEYS):
        message = f"there is no key in {root / KEYS}"
        raise Failure(CliRefusal.CONFIGURATION, ExitStatus.CONFIGURATION, message, fix="bpi node agent init makes one")
    development = load_toml(read_text(str(root / file.genesis))).development and not file.password_file
    password = DEVELOPMENT_PASSWORD if development else find_password(file.password_file, os.environ)
    return load_account(root / KEYS, ACCOUNT, password)
