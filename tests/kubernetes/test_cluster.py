"""Every scenario against a whole cluster: API server, scheduler, controllers, kubelet. See `make test-kubernetes`."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kubernetes.__main__ import PROGRAMS, RECORD
from tests.kubernetes.cluster import ADDRESS, API_PORT, Cluster
from tests.kubernetes.recording import Recorder
from tests.kubernetes.scenarios import SCENARIOS, play
from tests.kubernetes.stage import NAMESPACE, Stage

from metanode.host.agent.probes import look
from metanode.host.runtimes.driver import EventKind, Works
from metanode.host.runtimes.kubernetes.driver import open_kubernetes
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.states import Phase
from metanode.primitives.refusal import Rejected
from metanode.records.workload import HealthCheck

if not os.environ.get(PROGRAMS):
    pytest.skip(
        "KUBERNETES NOT TRIED HERE: make test-kubernetes builds one (10 minutes, once, as root) and tries it; "
        "what it answered then is played by test_played.py",
        allow_module_level=True,
    )

pytestmark = [pytest.mark.live, pytest.mark.root]
RECORDINGS = Path(__file__).parent / "recordings"


@pytest.fixture
def stage(cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    recorder = Recorder(ADDRESS, API_PORT, cluster.authority)

    async def others(name: str, act: object) -> None:
        recorder.note(kind="mark", name=name)
        await asyncio.to_thread(act)  # type: ignore[arg-type]

    mine, guest = cluster.kubeconfig("mine", recorder.url), cluster.kubeconfig("guest", recorder.url, cluster.guest)
    yield Stage(tmp_path, mine, guest, cluster.image, others, cluster.ask, cluster.forget, is_real=True)
    call = getattr(request.node, "callspec", None)
    if os.environ.get(RECORD) and call is not None:
        RECORDINGS.mkdir(exist_ok=True)
        version = cluster.ask("GET", "/version")["gitVersion"]
        recorder.write(RECORDINGS / f"{call.params['name']}.jsonl", version)
    recorder.close()
    for pod in cluster.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]:  # of a test that failed
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}"
        cluster.ask("PATCH", path, {"metadata": {"finalizers": None}}, quiet=True)
        cluster.ask("DELETE", path, {"gracePeriodSeconds": 0}, quiet=True)


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_so_in_a_cluster(stage: Stage, name: str) -> None:
    play(stage, name)


def check(probe: str, port: int = 0, path: str = "", command: tuple[str, ...] = ()) -> HealthCheck:
    """A look at a container, that may take five seconds."""
    return HealthCheck(
        probe=probe,
        command=command,
        port=port,
        path=path,
        interval_ms=1_000,
        timeout_ms=5_000,
        retries=1,
        start_period_ms=0,
    )


def test_a_health_check_reaches_a_pod_at_its_address(stage: Stage) -> None:
    async def played() -> None:
        driver = await stage.driver()
        plan = stage.plan("shop.web.0.1", "sh", "-c", "echo well > /tmp/index.html; exec httpd -f -p 8080 -h /tmp")
        await driver.create(plan)
        await driver.start(plan.id)
        while not await look(driver, plan.id, check("http", 8080, "/index.html")):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        assert await look(driver, plan.id, check("tcp", 8080))
        assert not await look(driver, plan.id, check("tcp", 8081))
        assert await look(driver, plan.id, check("command", command=("ls", "/tmp/index.html")))
        await driver.kill(plan.id)
        await driver.remove(plan.id)
        await driver.close()

    asyncio.run(asyncio.wait_for(played(), 90))


def test_what_runs_goes_on_while_the_api_server_is_away(cluster: Cluster, stage: Stage) -> None:
    async def played() -> None:
        driver = await stage.driver(f"kubeconfig={cluster.kubeconfig('direct')}")
        events = driver.events()
        plan = stage.plan("shop.web.0.1", "sh", "-c", "for i in $(seq 100000); do echo $i; sleep 0.1; done")
        await driver.create(plan)
        await driver.start(plan.id)
        assert (await anext(events)).kind is EventKind.STARTED
        await asyncio.to_thread(cluster.stop_api_server)
        other = stage.plan("shop.web.1.1", "sh", "-c", "sleep 60")
        for asked in (driver.create(other), driver.stop(plan.id, 1_000)):
            with pytest.raises(Rejected) as refused:
                await asked
            assert refused.value.reason is RuntimeRefusal.ENGINE_GONE
        assert (await driver.inspect(plan.id)).phase is Phase.RUNNING
        end = (await driver.inspect(plan.id)).log.end
        await asyncio.to_thread(cluster.start_api_server)
        while (await driver.inspect(plan.id)).log.end == end:  # noqa: ASYNC110 - the log is followed again
            await asyncio.sleep(0.1)
        said = b"".join([record.data async for record in driver.logs(plan.id)]).split()
        assert said == [b"%d" % number for number in range(1, len(said) + 1)], "nothing lost, nothing twice"
        await driver.kill(plan.id)
        event = await anext(events)
        assert (event.kind, event.state.id if event.state else "") == (EventKind.EXITED, plan.id)
        await driver.remove(plan.id)
        await driver.close()

    asyncio.run(asyncio.wait_for(played(), 150))


def test_the_certificate_of_the_server_is_checked(cluster: Cluster, stage: Stage) -> None:
    async def played() -> str:
        driver = await open_kubernetes(stage.place(f"kubeconfig={cluster.kubeconfig('direct')}"))
        works = await driver.probe()
        await driver.close()
        assert isinstance(works, Works), works
        return works.engine

    assert asyncio.run(played()) == "kubernetes"
