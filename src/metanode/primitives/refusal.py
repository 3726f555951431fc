"""The first of the three kinds of wrong: somebody else's mistake, named by a stable code."""

from enum import StrEnum


class Refusal(StrEnum):
    """Why something a stranger gave us is turned away.

    Each room subclasses this with its own members; a member's value is its stable code, `room.kebab-name`,
    unique in the whole house, and the string below the member says what was wrong.
    """


class Rejected(Exception):
    """Raised by rules and decoders, caught once, in the door of the machine that asked.

    `reason` is the stable code, `detail` one human sentence with the value and the limit.
    """

    def __init__(self, reason: Refusal, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
