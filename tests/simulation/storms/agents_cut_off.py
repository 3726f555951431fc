"""Agents cut off: wires between agents and the chain are cut for longer than a node may be silent, and wires between
agents. What runs goes on, nothing begins that the last share did not name, what was moved meanwhile is cleared away."""

from collections.abc import Iterator

import pytest
from tests.simulation.fleets import FleetPlan

from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import Fleet


class AgentsCutOff(Weather):
    """Up to half of them at a time from the chain, any pair from each other."""

    def begin(self, fleet: Fleet) -> None:
        """Cut, and mend a while later."""
        random = fleet.clock.random
        names = sorted(fleet.nodes)

        def cut() -> None:
            node = fleet.nodes[random.choice(names)]
            if sum(1 for one in fleet.nodes.values() if not one.linked) < len(names) // 2:
                ran = sorted(name for name in node.runtime.containers if node.runtime.runs(name))
                node.linked = False
                fleet.clock.at(random.randint(300, 6_000), lambda: mend(node.name, ran))

        def mend(name: str, ran: list[str]) -> None:
            node = fleet.nodes[name]
            if not node.linked and not all(node.runtime.runs(one) or one in node.ended for one in ran):
                fleet.oracle.wrong.append(f"{name} was cut off, and something that ran there does not run on")
            node.linked = True

        def part() -> None:
            one, other = random.sample(names, 2)
            fleet.apart.add((one, other))
            fleet.clock.at(random.randint(300, 3_000), lambda: fleet.apart.discard((one, other)))

        self.every(fleet, 1_500, cut)
        self.every(fleet, 1_500, part)

    def also(self, fleet: Fleet) -> Iterator[str]:
        """Who cannot be reached may be doubted; who can is not, for two must agree."""
        return iter(())


PLAN = FleetPlan(name="agents_cut_off", weather=lambda _: AgentsCutOff("agents_cut_off"), seeds={4: 2, 7: 1})


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_who_is_cut_off_starts_nothing_new_and_is_cleared_when_it_is_back(count, seed):
    PLAN.play(count, seed)
