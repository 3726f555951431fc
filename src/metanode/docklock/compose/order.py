"""COMPOSE-14. Who waits for whom: no circle, and those who are waited for come first."""

from collections.abc import Mapping as Table


def circle(waits: Table[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The services of one circle, each waiting for the next, beginning with the first by name; empty without one."""
    done: set[str] = set()
    for start in sorted(waits):
        path: list[str] = []
        stack = [(start, 0)]
        while stack:
            name, at = stack.pop()
            if at == 0:
                if name in path:
                    found = path[path.index(name) :]
                    first = found.index(min(found))
                    return (*found[first:], *found[:first])
                if name in done:
                    continue
                path.append(name)
            others = waits.get(name, ())
            if at < len(others):
                stack.append((name, at + 1))
                stack.append((others[at], 0))
            else:
                done.add(path.pop())
    return ()


def in_order(waits: Table[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Every service after those that it waits for, by name where that leaves a choice. There must be no circle."""
    placed: list[str] = []
    left = dict(waits)
    while left:
        ready = min(name for name, others in left.items() if not any(other in left for other in others))
        placed.append(ready)
        del left[ready]
    return tuple(placed)
