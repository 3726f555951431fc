"""When the agent starts something, again or at all, and how often it says that it lives."""

from collections.abc import Iterable
from typing import Final

from metanode.docklock.agent.state import BACKOFF_MS_MAX, Task

BEATS: Final = 4
"""Reports within the time after which a silent node is lost: three may go astray."""


def heartbeat_ms(timeout_ms: int) -> int:
    """AGENT-8. How often the node says that it lives: four times within the timeout."""
    return max(timeout_ms // BEATS, 1)


def may_start(task: Task, tasks: Iterable[Task], cpu_millicores: int, memory_kib: int) -> bool:
    """AGENT-4. Whether there is room for one more: what is still stopping counts, so that a newcomer waits for those
    that were pushed out for it."""
    running = [other.assignment for other in tasks if other is not task and other.takes_room]
    return (
        sum(one.cpu_millicores for one in running) + task.assignment.cpu_millicores <= cpu_millicores
        and sum(one.memory_kib for one in running) + task.assignment.memory_kib <= memory_kib
        and not {port for one in running for port in one.ports} & set(task.assignment.ports)
    )


def restarts(task: Task, code: int) -> bool:
    """AGENT-6. Whether the restart rule wants it again: a job's retries are the committee's, not the node's."""
    assert task.spec is not None, "what ran has a specification"
    if task.spec.terms.kind == "job":
        return False
    return {"no": False, "on-failure": code != 0, "always": True}[task.spec.restart.condition]


def exhausted(task: Task, now_ms: int) -> bool:
    """AGENT-6. Whether it was started as often as its rule allows within its window (0: no limit; no window: ever)."""
    assert task.spec is not None, "what ran has a specification"
    rule = task.spec.restart
    if rule.window_ms:
        task.starts = [start for start in task.starts if now_ms - start < rule.window_ms]
    return rule.attempts_max > 0 and len(task.starts) > rule.attempts_max


def wait_ms(task: Task) -> int:
    """AGENT-6. How long it rests before it is started again: its delay, doubled each time, at most five minutes."""
    assert task.spec is not None, "what ran has a specification"
    return min(max(task.spec.restart.delay_ms, 100) << min(task.again, 12), BACKOFF_MS_MAX)
