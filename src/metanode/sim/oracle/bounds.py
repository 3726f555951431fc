"""Bounded memory: every store of the engine has a limit here, by the rule that names it; one that is not here fails.

Sizes are read from outside, by the names of the engine's attributes; nothing of the engine is imported.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from metanode.chain.ibft import Ibft

AHEAD, BEHIND = 16, 64
"""IBFT-M3. Rounds for which votes are kept."""
WAITING, COMING, CHECKED = 1_024, 64, 16_384
"""IBFT-M3. Unchecked messages and messages of coming heights by one link; remembered signatures."""
SHOWN = 2
"""Values whose shares one liar can start to sum in one round and kind: one word each, and what was learnt of it."""
_ROUNDS: Final = AHEAD + BEHIND + 1

Limit = Callable[[int, int], int]
"""The limit by the number of seats and the rounds entered in this height."""

HEIGHT: Final[Mapping[str, Limit]] = {
    "votes": lambda _, __: 4 * _ROUNDS,
    "accused": lambda n, _: 9 * n,
    "changes": lambda _, __: AHEAD + 1,
    "latest": lambda n, _: n,
    "suspects": lambda n, _: n,
    "shares": lambda n, _: 2 * _ROUNDS * n * SHOWN,
    "asked": lambda n, _: 4 * n,
    "contents": lambda n, _: 8 + n,
    "held": lambda n, _: 8 + n,
    "valid": lambda n, _: 8 + n,
    "validating": lambda n, rounds: 8 + n + rounds,
    "wanted": lambda n, rounds: n + rounds,
    "own": lambda _, __: 4,
    "spoken": lambda _, __: 8,
    "out": lambda _, __: 0,
    "proposed": lambda _, rounds: rounds + 1,
    "requested": lambda _, rounds: 4 * (rounds + 1),
    "justifications": lambda _, rounds: rounds + 1,
}
"""Of one height. What grows with the rounds, grows by what this seat itself did in each of them."""

DIARY: Final[Mapping[str, Limit]] = {
    "rounds": lambda _, __: 128,
    "arrivals": lambda _, __: 4 * _ROUNDS,
    "late": lambda n, _: n,
    "turned_down": lambda _, __: 64,
}
"""Of what is noted of it (STALL-1)."""

MACHINE: Final[Mapping[str, Limit]] = {
    "_hinted": lambda n, _: n,
    "_intake.checked": lambda _, __: CHECKED,
    "_intake._queue": lambda n, _: (n + 1) * WAITING,
    "_intake._used._used": lambda n, _: n + 1,
    "_ahead._kept": lambda n, _: (n + 1) * COMING,
    "_ahead._used._used": lambda n, _: n + 1,
    "_answers._said": lambda n, _: n + 1,
    "_overdue.words": lambda n, _: 64 * n,
    "_permission._checks": lambda n, _: 4 * n,
}
"""Of the machine."""


def outgrown(machine: Ibft) -> Iterator[str]:
    """IBFT-M3. Every store that is larger than its limit, or has none."""
    state = getattr(machine, "_state")  # noqa: B009 - the name of an attribute that is not ours
    if state is None:
        return
    count, rounds = len(state.validators), state.round
    for name in type(state).__dataclass_fields__:
        value = getattr(state, name)
        if isinstance(value, dict | list | set | deque):
            yield from _judge(f"a height's {name}", value, HEIGHT.get(name), count, rounds)
    for name, limit in DIARY.items():
        yield from _judge(f"a diary's {name}", getattr(state.diary, name), limit, count, rounds)
    for table in state.votes.values():
        if len(table) > count:
            yield f"IBFT-M3: {len(table)} votes of one kind and round, of {count} seats"
    seen: dict[str, Any] = {}
    _walk(machine, "", seen)
    for name, value in seen.items():
        yield from _judge(name, value, MACHINE.get(name), count, rounds)


def _walk(one: object, path: str, seen: dict[str, Any]) -> None:
    """The stores of an object and of those it is made of, but for the heights."""
    names = list(getattr(one, "__dict__", {})) + list(getattr(type(one), "__slots__", ()))
    for name in names:
        value, where = getattr(one, name, None), f"{path}{name}"
        if isinstance(value, dict | list | set | deque):
            seen[where] = value
        elif name in {"_intake", "_ahead", "_answers", "_permission", "_overdue", "_used"}:
            _walk(value, f"{where}.", seen)


def _judge(name: str, value: Any, limit: Limit | None, count: int, rounds: int) -> Iterator[str]:
    if limit is None:
        yield f"IBFT-M3: {name} is a store without a limit"
    elif len(value) > limit(count, rounds):
        yield f"IBFT-M3: {name} holds {len(value)}, at most {limit(count, rounds)} are allowed"
