"""VOLUME-1 to 5. Folders of a node that outlive containers; what the chain is told of them, and when."""

import asyncio
import os
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace
from tests.unit.docklock.agent.desk import assignment
from tests.unit.docklock.agent.desk import spec as spec_of
from tests.unit.docklock.cluster.town import terms
from tests.unit.host.agent.vault import SEED, Node

from metanode.host.agent import holdings
from metanode.host.agent.chain import ChainPort, ChainUnreachable, Outcome
from metanode.host.agent.engines import AgentRefusal
from metanode.host.agent.furnishing import Furnishing
from metanode.host.agent.holdings import Holdings
from metanode.host.agent.joining import inventory_of
from metanode.host.agent.volumes import VOLUMES_MAX, NodeVolumes, VolumeRefusal
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.cluster import Inventory
from metanode.records.cluster_calls import ClusterJoin
from metanode.records.demand import DemandRefusal

HAS = inventory_of(SEED, "127.0.0.1:26700", (1_000, 1 << 20), "sandbox", (), ())


def refusal(do: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Rejected) as refused:
        do(*arguments)
    return refused.value.reason


@pytest.fixture
def volumes(tmp_path: Path) -> NodeVolumes:
    return NodeVolumes(tmp_path / "volumes")


def test_a_volume_is_made_once_and_is_the_containers_to_write(volumes, tmp_path):
    assert volumes.make(("data", "logs"))
    (tmp_path / "volumes/data/x").write_text("kept")
    assert not volumes.make(("data",))
    assert (tmp_path / "volumes/data/x").read_text() == "kept"
    assert NodeVolumes(tmp_path / "volumes").names() == ("data", "logs")
    assert (tmp_path / "volumes/data").stat().st_mode & 0o777 == 0o777
    assert (tmp_path / "volumes").stat().st_mode & 0o077 == 0, "nobody else of the machine gets there"


def test_names_lead_nowhere_else(volumes, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "volumes/link").symlink_to(tmp_path / "outside")
    (tmp_path / "volumes/UPPER").mkdir()
    (tmp_path / "volumes/file").touch()
    assert volumes.names() == ()
    for name in ("..", "../outside", "a/b", "/etc", "", ".going-x", "a\0b"):
        assert refusal(volumes.make, (name,)) is DemandRefusal.BAD_NAME
        assert refusal(volumes.remove, name, ()) is DemandRefusal.BAD_NAME
    assert refusal(volumes.remove, "link", ()) is VolumeRefusal.MISSING
    assert (tmp_path / "outside").is_dir()


def test_a_node_has_so_many_and_no_more(volumes):
    volumes.make(f"v{number}" for number in range(VOLUMES_MAX))
    assert refusal(volumes.make, ("one-more",)) is VolumeRefusal.TOO_MANY
    volumes.remove("v0", ())
    volumes.make(("one-more",))


def test_what_a_container_has_is_not_removed(volumes, tmp_path):
    volumes.make(("data",))
    volumes.use("main.web.0.1", ("data",))
    volumes.use("main.db.0.1", ())
    assert refusal(volumes.remove, "data", ("main.web.0.1",)) is VolumeRefusal.IN_USE
    volumes.leave("main.web.0.1")
    assert refusal(volumes.remove, "data", ("main.other.0.1",)) is VolumeRefusal.IN_USE, "it may have it"
    volumes.remove("data", ("main.db.0.1",))
    assert list((tmp_path / "volumes").iterdir()) == []
    assert refusal(volumes.remove, "data", ()) is VolumeRefusal.MISSING


def test_removing_follows_no_link_and_what_was_begun_is_ended_at_the_next_start(volumes, tmp_path):
    volumes.make(("data",))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").touch()
    (tmp_path / "volumes/data/link").symlink_to(tmp_path / "outside")
    (tmp_path / "volumes/.going-old/deep").mkdir(parents=True)
    volumes.remove("data", ())
    assert (tmp_path / "outside/kept").exists()
    assert NodeVolumes(tmp_path / "volumes").names() == ()
    assert list((tmp_path / "volumes").iterdir()) == []


def test_what_is_there_is_counted(volumes, tmp_path, monkeypatch):
    volumes.make(("data",))
    volumes.use("main.web.0.1", ("data",))
    (tmp_path / "volumes/data/deep").mkdir()
    (tmp_path / "volumes/data/deep/x").write_bytes(os.urandom(10_000))
    (shown,) = volumes.show()
    assert (shown.name, shown.files, shown.whole, shown.users) == ("data", 2, True, ("main.web.0.1",))
    assert shown.bytes >= 10_000
    monkeypatch.setattr("metanode.host.agent.volumes.COUNTED_MAX", 1)
    assert not volumes.show()[0].whole


class Chain:
    """Hears joins; answers what it was given, in order, then success."""

    def __init__(self, *answers: Outcome | ChainUnreachable) -> None:
        self.answers = list(answers)
        self.heard: list[Inventory] = []

    def submit(self, call: ClusterJoin) -> Outcome:
        answer = self.answers.pop(0) if self.answers else Outcome(1, "")
        if isinstance(answer, ChainUnreachable):
            raise answer
        self.heard.append(call.inventory)
        return answer


def told_of(chain: Chain, now: Any) -> Holdings:
    return Holdings(cast("ChainPort", chain), "main", "node-1", now, HAS)


def test_the_chain_is_told_once_of_each_change_however_long_it_takes(monkeypatch):
    monkeypatch.setattr(holdings, "AGAIN_S", 0.0)
    chain, has = Chain(ChainUnreachable("away"), ChainUnreachable("away")), [replace(HAS, volumes=("data",))]
    told = told_of(chain, lambda: has[0])

    async def twice() -> None:
        await asyncio.gather(told.tell(), told.tell())
        await told.tell()

    asyncio.run(twice())
    assert [one.volumes for one in chain.heard] == [("data",)]
    has[0] = HAS
    asyncio.run(told.tell())
    assert [one.volumes for one in chain.heard] == [("data",), ()]


def test_what_the_chain_refuses_is_not_written_to():
    told = told_of(Chain(Outcome(1, "cluster.other-node")), lambda: replace(HAS, volumes=("data",)))
    assert refusal(asyncio.run, told.tell()) is AgentRefusal.NOT_LET_IN


def test_changes_are_looked_for_and_told_at_a_bounded_rate(monkeypatch):
    chain, has = Chain(Outcome(1, "cluster.node-state")), [HAS]
    told, slept = told_of(chain, lambda: has[0]), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            has[0] = replace(HAS, images=(bytes(32),))
        if len(slept) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr("metanode.host.agent.holdings.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(told.run())
    look, join = holdings.LOOK_S, holdings.JOIN_S
    assert slept == [look, look, join, look, join, look, look, look]
    assert len(chain.heard) == 2, "refused once, told once"


def test_a_new_volume_is_told_before_anything_can_be_written_to_it(volumes, tmp_path):
    chain, order = Chain(), []

    class Watching(Chain):
        def submit(self, call: ClusterJoin) -> Outcome:
            order.append(call.inventory.volumes)
            return super().submit(call)

    chain = Watching()
    told = told_of(chain, lambda: replace(HAS, volumes=volumes.names()))
    furnishing = Furnishing(volumes, Node(tmp_path).secrets, told)
    spec = spec_of(terms=terms(demand={"volumes": ("data",)}))

    async def furnish() -> None:
        assert await furnishing.gather("main.web.0.1", assignment(), spec, runs=False)
        assert order == []
        await furnishing.furnish(assignment(), spec)
        assert order == [("data",)]
        await furnishing.furnish(assignment(), spec)
        assert order == [("data",)]

    asyncio.run(furnish())
    assert refusal(volumes.remove, "data", ()) is VolumeRefusal.IN_USE
    furnishing.leave("main.web.0.1")
    volumes.remove("data", ())
