"""Which nodes could run what is demanded, by what they are and not by what is free on them now."""

from collections.abc import Mapping

from metanode.docklock.cluster.state import Member
from metanode.docklock.cluster.views import node_view
from metanode.docklock.scheduler import Fleet, Newcomer, Replica
from metanode.docklock.scheduler.filters import Question, static_pass
from metanode.records.demand import Demand
from metanode.records.placement import Weights


class _NothingAssigned:
    """A state in which no node has anything to do."""

    def get(self, key: bytes) -> bytes | None:  # noqa: ARG002 - the shape of a state
        """No value."""
        return None


def could_run(members: Mapping[str, Member], workload: str, demand: Demand) -> tuple[str, ...]:
    """SECRET-7. Names of the nodes that pass the filters PLACE-10 to 18, ascending; images are judged by others."""
    state = _NothingAssigned()
    views = [view for node, member in sorted(members.items()) if (view := node_view(node, member, state, ""))]
    fleet = Fleet(views, (), Weights(), lambda _image: "")
    newcomer = Newcomer(replica=Replica(workload=workload, index=0, attempt=0, demand=demand), spec=bytes(32))
    return tuple(sorted(place.view.name for place in static_pass(Question(fleet, newcomer), fleet.places)))
