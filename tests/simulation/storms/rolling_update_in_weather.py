"""A rolling update in weather: new versions roll out one after the other, some of them broken, while nodes die, agents
are killed and wires are cut. In the end the newest that works runs everywhere."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from tests.simulation.fleets import FleetPlan

from metanode.docklock.cluster.state import read_workload
from metanode.records.workload import WorkloadSpec, spec_digest
from metanode.sim.docklock.acts import Weather
from metanode.sim.docklock.fleet import Fleet
from metanode.sim.docklock.samples import UPDATE, service

ROLLS = replace(UPDATE, order="start-first", parallelism=2, failures_max_bp=0, on_failure="rollback")


def version(number: int, name: str = "web") -> WorkloadSpec:
    update = ROLLS if name == "web" else UPDATE
    return service(name, 500 if name == "web" else 800, update=update, version=str(number))


class RollingUpdate(Weather):
    """Every third version cannot even start."""

    def workloads(self, count: int) -> list[tuple[WorkloadSpec, int]]:
        """One renewed start first, one stop first."""
        return [(version(1), count), (version(1, "api"), count)]

    def begin(self, fleet: Fleet) -> None:
        """New versions, and weather."""
        random, count = fleet.clock.random, len(fleet.nodes)
        nodes = [fleet.nodes[name] for name in sorted(fleet.nodes)]
        numbers = {"web": 1, "api": 1}

        def roll() -> None:
            name = random.choice(sorted(numbers))
            numbers[name] += 1
            spec = version(numbers[name], name)
            if numbers[name] % 3 == 0:
                for node in nodes:
                    node.runtime.broken.add(spec_digest(spec))
            fleet.apply(spec, count)

        def strike() -> None:
            node = random.choice(nodes)
            match random.randrange(4):
                case 0 if all(one.alive for one in nodes):
                    node.die()
                    fleet.clock.at(random.randint(500, 4_000), node.boot)
                case 1:
                    node.kill_agent()
                    fleet.clock.at(random.randint(10, 500), node.boot)
                case 2 if all(one.linked for one in nodes):
                    node.linked = False
                    fleet.clock.at(random.randint(100, 3_000), lambda: setattr(node, "linked", True))
                case _:
                    node.lose_runtime()

        self.every(fleet, 5_000, roll)
        self.every(fleet, 3_000, strike)

    def heal(self, fleet: Fleet) -> None:
        """One more version that works."""
        Weather.heal(self, fleet)
        for name in ("web", "api"):
            fleet.apply(version(1_000, name), len(fleet.nodes))

    def also(self, fleet: Fleet) -> Iterator[str]:
        """The last one runs."""
        assert fleet.state is not None
        for name in ("web", "api"):
            workload = read_workload(fleet.state, "shop", name)
            if workload is None or workload.current.spec != spec_digest(version(1_000, name)):
                yield f"{name} runs by another version than the last"


PLAN = FleetPlan(
    name="rolling_update_in_weather",
    weather=lambda _: RollingUpdate("rolling_update_in_weather", heals_ms=26_000, bound_ms=40_000),
    seeds={4: 2, 7: 1},
)


@pytest.mark.parametrize(("count", "seed"), PLAN.cases())
def test_the_newest_version_that_works_runs_in_the_end(count, seed):
    PLAN.play(count, seed)
