"""The agent's end of the shim's socket."""

import asyncio
from typing import Any

from metanode.host.runtimes.link import ShimLink
from metanode.host.runtimes.shim.frames import packed


class Writer:
    """What is written goes nowhere."""

    def write(self, _data: bytes) -> None: ...

    def close(self) -> None: ...

    async def wait_closed(self) -> None: ...


def test_a_command_that_begins_and_ends_in_one_read_is_had() -> None:
    """Found by containers begun and ended in quick succession: the link had forgotten it before it was taken."""

    async def play() -> int:
        reader, writer = asyncio.StreamReader(), Writer()
        something: Any = writer
        link = ShimLink(reader, something)
        asked = asyncio.create_task(link.execute(id="c"))
        await asyncio.sleep(0)
        end = {"exec": 7, "end": [3, 0, 1]}
        reader.feed_data(packed({"n": 1, "ok": {"exec": 7}}) + packed(end))
        execution = await asked
        code = (await execution.wait()).code
        await link.close()
        return code

    assert asyncio.run(play()) == 3
