"""`bpi down`."""

from metanode.cli.bpi.local_agents import local_agents, stop_agents
from metanode.cli.bpi.local_network import existing_network
from metanode.cli.bpi.processes import stop
from metanode.cli.commands import leaf
from metanode.cli.session import Session, pass_session


@leaf()
@pass_session
def down(session: Session) -> None:
    """Stop every node of the local network, every agent and its containers; the data stays.

    Each is asked to stop and ends when its last step is on the disk; one that does not within 10 s is killed.
    """
    network = existing_network(session.data)
    agents = stop_agents(found) if (found := local_agents(network)) else []
    stopped, killed = stop(network.running)
    data = {"stopped": [node.name for node in stopped], "killed": [node.name for node in killed], "agents": agents}

    def human() -> None:
        output = session.output
        if not stopped and not killed and not agents:
            output.line("nothing was running")
        if agents:
            output.line(f"stopped {', '.join(agents)} with all containers")
        if stopped:
            output.line(f"stopped {', '.join(data['stopped'])}; its data stays in {session.data}")
        if killed:
            output.line(f"killed  {', '.join(data['killed'])}: it did not stop in time")

    session.output.result("down/1", data, human)
