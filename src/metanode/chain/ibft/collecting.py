"""Votes by way of the leader, in sets where everybody to everybody is too much."""

from metanode.chain.ibft.events import Broadcast, SendTo
from metanode.chain.ibft.messages import Ballot, Decided, Prepared
from metanode.chain.ibft.state import HeightState
from metanode.records.commit import BlsCommit, PreparedCertificate


def say(state: HeightState, message: Ballot) -> None:
    """IBFT-L1, IBFT-L3. Our vote to the leader, who counts for all: in large sets, in round 0, until the slow timer.
    Else to everybody."""
    if not state.collects or state.round > 0 or state.fell_back:
        state.out.append(Broadcast(message))
    elif not state.leads:
        state.out.append(SendTo(state.leader_of(state.round), message))


def show_prepared(state: HeightState, certificate: PreparedCertificate) -> None:
    """IBFT-L2. What the leader summed of the PREPAREs that only it heard; also when it fell back meanwhile, for some
    may not have."""
    if state.collects and certificate.round == 0 and state.seat == state.leader_of(0):
        state.out.append(Broadcast(Prepared(certificate=certificate)))


def show_decided(state: HeightState, commit: BlsCommit) -> None:
    """IBFT-L2, IBFT-L3. What the leader summed of the COMMITs that only it heard; after the fall-back, what anybody
    summed: whoever decides says nothing more, and the others would lack its COMMIT."""
    content = state.contents.get(commit.header_hash)
    if state.collects and commit.round == 0 and content is not None:
        state.out.append(Broadcast(Decided(commit=commit, header=content.header)))
