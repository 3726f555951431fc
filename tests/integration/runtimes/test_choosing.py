"""Which engine an agent uses: tried in earnest, and why not where none works."""

import asyncio
from pathlib import Path

import pytest

from metanode.host.agent.engines import AgentRefusal, end_containers, open_engine
from metanode.primitives.refusal import Rejected

pytestmark = pytest.mark.live


def test_an_engine_that_is_not_there_is_refused_with_what_would_help(tmp_path: Path) -> None:
    try:
        with pytest.raises(Rejected) as refused:
            asyncio.run(open_engine(tmp_path, "hypervisor"))
        assert refused.value.reason is AgentRefusal.NO_ENGINE
        assert "no program hypervisor on this machine (apt-get install hypervisor)" in refused.value.detail
    finally:
        end_containers(tmp_path)


def test_the_first_that_works_is_taken(tmp_path: Path) -> None:
    async def choose() -> str:
        engine = await open_engine(tmp_path, "")
        await engine.driver.close()
        return engine.works.engine

    try:
        assert asyncio.run(choose()) == "sandbox"
    finally:
        end_containers(tmp_path)
