"""A process that makes load: python -m bench.kit.loader. It makes what it is told to, then sends it by the clock.

Orders come as lines of JSON on standard input, answers leave as lines of JSON:
  {"prepare": {...}}  -> {"prepared": n}        make (and sign) the writes of one run: not timed
  {"run": {...}}      -> {"sent": [...], ...}   send them: open loop, each batch at its time, whatever the node does
"""

import asyncio
import gc
import json
import sys
import time
from typing import Any

import uvloop
from bench.kit.dialects import Dialect, dialect_of
from bench.kit.http_connection import Door


class Loader:
    """One process's share of the load: writes `part`, `part + parts`, …"""

    def __init__(self, part: int, parts: int, ports: list[int], dialect: Dialect) -> None:
        self._ports = ports
        self._dialect = dialect
        self._number, self._step = part, parts
        self._next = 0
        self._ready: list[list[tuple[bytes, str]]] = []
        self._doors: list[Door] = []
        self._refused: dict[str, str] = {}
        self._final: list[tuple[float, float, int]] = []

    def prepare(self, count: int, calls: int) -> int:
        """Make so many; each goes to the next node in turn."""
        lines: list[list[tuple[bytes, str]]] = [[] for _ in self._ports]
        for _ in range(count):
            lines[self._next % len(self._ports)].append(self._dialect.item(self._number, calls))
            self._number += self._step
            self._next += 1
        self._ready = lines
        gc.collect()
        gc.freeze()
        return count

    async def run(self, start: float, rate: float, batch: int) -> dict[str, Any]:
        """Send what is ready, `rate` writes a second beginning at `start` (seconds of the monotonic clock)."""
        if not self._doors:
            self._doors = [Door(port) for port in self._ports]
        sent: list[tuple[str, float]] = []
        slow: list[float] = []
        tasks: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        self._refused, self._final = {}, []
        number = 0
        position = [0] * len(self._ports)
        while any(at < len(line) for at, line in zip(position, self._ready, strict=True)):
            where = number % len(self._ports)
            at = position[where]
            part = self._ready[where][at : at + batch]
            position[where] += batch
            number += 1
            if not part:
                continue
            due = start + len(sent) / rate
            request = self._dialect.request([encoded for encoded, _ in part])
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            slow.append(time.monotonic() - due)
            sent += [(name, due) for _, name in part]
            tasks.append(loop.create_task(self._send(self._doors[where], request, due, [name for _, name in part])))
        await asyncio.gather(*tasks)
        self._ready = []
        late_ms = max(slow) * 1e3 if slow else 0.0
        return {"sent": sent, "refused": self._refused, "final": self._final, "late_max_ms": late_ms}

    async def _send(self, door: Door, request: tuple[str, str, bytes], due: float, names: list[str]) -> None:
        try:
            status, answer = await door.post(*request)
        except OSError as error:
            self._refused.update(dict.fromkeys(names, f"no answer: {error}"))
            return
        if status != 200:
            self._refused.update(dict.fromkeys(names, f"{status} {answer[:200].decode(errors='replace')}"))
            return
        refusals = self._dialect.refusals(answer)
        self._refused.update((names[at], why) for at, why in refusals)
        if self._dialect.answers_when_final and not refusals:
            self._final.append((due, time.monotonic(), len(names)))


async def main() -> None:
    """Orders until the end of standard input."""
    loop = asyncio.get_running_loop()
    first = json.loads(sys.stdin.readline())
    loader = Loader(
        first["part"], first["parts"], first["ports"], dialect_of(first["part"], first["parts"], first["dialect"])
    )
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        answer = (
            {"prepared": loader.prepare(**order["prepare"])} if "prepare" in order else await loader.run(**order["run"])
        )
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
