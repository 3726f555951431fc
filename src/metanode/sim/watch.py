"""What checkers look at: all that a computer said and did, whatever happened to its disk."""

from dataclasses import dataclass, field
from typing import Any

from metanode.node.effects import PublishFinal
from metanode.records.commit import BlsCommit
from metanode.records.receipt import TransactionOrigin
from metanode.records.vote import Vote


@dataclass(slots=True)
class Watch:
    """Every vote the keys signed, every block published as final, every note, across all lives of one computer.

    `blamed`: whom it blamed for what: a validator's name, or the beginning of a transport key.
    `contradictions`: a height or a transaction that was published a second time, and differently.
    """

    signed: list[Vote] = field(default_factory=list)
    final: dict[int, tuple[bytes, BlsCommit]] = field(default_factory=dict)
    receipts: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    final_at_ms: dict[int, int] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    blames: dict[str, int] = field(default_factory=dict)
    blamed: dict[tuple[str, str], bool] = field(default_factory=dict)
    halted: str = ""
    outcomes: dict[int, tuple[tuple[bytes, str, str, bool], ...]] = field(default_factory=dict)
    answers: dict[int, Any] = field(default_factory=dict)

    def publish(self, final: PublishFinal, now_ms: int) -> None:
        """What a node tells its clients is final. After a restart it may say so again, but never differently."""
        known = self.final.setdefault(final.height, (final.header, final.commit))
        self.final_at_ms.setdefault(final.height, now_ms)
        if known[0] != final.header:
            self.contradictions.append(f"height {final.height} was final with another header")
        for index, receipt in enumerate(final.receipts):
            if isinstance(receipt.origin, TransactionOrigin):
                place = self.receipts.setdefault(receipt.origin.identity, (final.height, index))
                if place != (final.height, index):
                    name = receipt.origin.identity.hex()[:16]
                    self.contradictions.append(f"transaction {name} at {place} and at {(final.height, index)}")

    @property
    def height(self) -> int:
        """The highest height published as final."""
        return next(reversed(self.final), 0)
