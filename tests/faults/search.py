"""Linearizability without a witness: is there any order that explains what clients heard of one account?

The search of Wing and Gong (1993) with Lowe's memory (2017): take any operation that began before every other one
that is left had ended, apply it, go on; never be twice in the same place, which is what was done and what is held. It
knows nothing of blocks, so it would notice a chain and answers that are wrong in the same way. An account is one
object: a transfer is an operation of two, and a history is linearizable only if each of its objects is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.history import Answer, History

STEPS_MAX: Final = 200_000
"""Places looked at for one account: beyond, it is said that nothing is known."""


@dataclass(frozen=True)
class Held:
    """What an account has: its balance, and how many nonces it has used."""

    balance: int
    nonce: int


@dataclass(frozen=True)
class Change:
    """A transfer, as one of its two accounts sees it. `answered` is infinite where nobody heard that it was done."""

    invoked: float
    answered: float
    amount: int
    nonces: int

    def after(self, held: Held) -> Held | None:
        """What the account has then; None where it cannot be."""
        changed = Held(held.balance + self.amount, held.nonce + self.nonces)
        return changed if changed.balance >= 0 else None


@dataclass(frozen=True)
class Seen:
    """A read that promises to be linearizable."""

    invoked: float
    answered: float
    held: Held

    def after(self, held: Held) -> Held | None:
        """It changes nothing, and fits or does not."""
        return held if held == self.held else None


Operation = Change | Seen


def has_an_order(operations: Sequence[Operation], first: Held, steps_max: int = STEPS_MAX) -> bool | None:
    """Whether some order explains all that was answered; None where the search was given up."""
    ops = sorted(operations, key=lambda op: op.invoked)
    due = sum(1 << number for number, op in enumerate(ops) if op.answered < math.inf)
    stack, seen = [(0, 0, first)], {(0, first)}
    while stack:
        done, start, held = stack.pop()
        if done & due == due:
            return True
        if len(seen) > steps_max:
            return None
        while done >> start & 1:
            start += 1
        for number in reversed(_possible(ops, done, start)):
            after = ops[number].after(held)
            place = done | 1 << number, after
            if after is not None and place not in seen:
                seen.add((place[0], after))
                stack.append((place[0], start, after))
    return False


def _possible(ops: Sequence[Operation], done: int, start: int) -> list[int]:
    """The operations that may be next: they began before any other that is left had ended."""
    ended, found = math.inf, []
    for number in range(start, len(ops)):
        if done >> number & 1:
            continue
        if ops[number].invoked > ended:
            break
        found.append(number)
        ended = min(ended, ops[number].answered)
    return [number for number in found if ops[number].invoked <= ended]


def operations(history: History, account: str) -> list[Operation]:
    """What a history says of one account: its transfers, from their first attempt to the first word that they were
    done, and its fresh reads. A transfer that was refused wherever it was handed in was none."""
    invoked: dict[str, float] = {}
    heard: dict[str, tuple[float, bool]] = {}
    alive: set[str] = set()
    for one in history.attempts:
        name = one.order.identity
        if account not in (one.order.sender, one.order.taker):
            continue
        invoked[name] = min(invoked.get(name, math.inf), one.invoked)
        if one.answer is not Answer.REFUSED:
            alive.add(name)
        if one.answer is Answer.OK and one.answered < heard.get(name, (math.inf, True))[0]:
            heard[name] = one.answered, one.succeeded
    found: list[Operation] = []
    for name in alive:
        order, (answered, succeeded) = history.orders[name], heard.get(name, (math.inf, True))
        amount = (order.amount if account == order.taker else 0) - (order.amount if account == order.sender else 0)
        found.append(Change(invoked[name], answered, amount if succeeded else 0, 1 if account == order.sender else 0))
    fresh = (read for read in history.reads if read.account == account and read.is_fresh)
    return [*found, *(Seen(read.invoked, read.answered, Held(read.balance, read.nonce)) for read in fresh)]
