"""What BPCI costs: handshakes, and frames of 1 KB and 64 KB through two machines joined in memory.

python -m bench.transport [--messages 60000] [--json FILE]. No sockets: the carrier is a list.

Time is of the processor, split by side. "batch": messages of one `SendMessages`. "signed": records of one checkpoint.
"""

from collections import deque
from hashlib import sha256, sha512
from time import process_time
from typing import Any

from bench.kit.report import Report, parser

from metanode.network.bpci import (
    ENTROPY_BYTES,
    STREAMS,
    AllowedPeer,
    AllowPeers,
    Blame,
    Bpci,
    BpciSettings,
    BytesArrived,
    Compute,
    Computed,
    Connected,
    Delivered,
    Event,
    Quota,
    Role,
    SendMessages,
    Stream,
    Transmit,
    Witnessed,
    perform,
)
from metanode.primitives.ed25519 import SigningKey

NOW_MS = 1_800_000_000_000
CLUSTER = bytes(16)
UNBOUNDED = dict.fromkeys(STREAMS, Quota(1 << 50, 1 << 50))


class Pair:
    """Two machines; whatever one transmits, the other hears."""

    def __init__(self, number: int, checkpoint_records: int) -> None:
        self.keys = [SigningKey(bytes((side,)) * 32) for side in range(2)]
        self.machines = [
            Bpci(BpciSettings(bytes(32), key.public_key, CLUSTER, UNBOUNDED, checkpoint_records)) for key in self.keys
        ]
        self.spent = [0.0, 0.0]
        self.delivered = 0
        self.witnessed = 0
        self.draws = number << 32
        self.moving: deque[tuple[int, Event]] = deque()
        for side in range(2):
            peer = AllowedPeer(self.keys[1 - side].public_key, CLUSTER, Role.VALIDATOR)
            self.tell(side, AllowPeers((peer,), NOW_MS))

    def dial(self) -> None:
        """A handshake."""
        self.moving.append((1, Connected(1, False, b"", "a:1", NOW_MS)))
        self.tell(0, Connected(1, True, self.keys[1].public_key, "b:1", NOW_MS))

    def send(self, messages: tuple[bytes, ...]) -> None:
        """One batch from the first to the second."""
        self.tell(0, SendMessages(self.keys[1].public_key, Stream.BULK, messages, NOW_MS))

    def tell(self, side: int, event: Event) -> None:
        """The event and all that follows from it."""
        self.moving.append((side, event))
        while self.moving:
            side, event = self.moving.popleft()
            started = process_time()
            effects = self.machines[side].handle(event)
            self.spent[side] += process_time() - started
            for effect in effects:
                match effect:
                    case Transmit(link, data):
                        self.moving.append((1 - side, BytesArrived(link, data, NOW_MS)))
                    case Compute(token, operation):
                        self.draws += 1
                        draw = self.draws.to_bytes(8)
                        entropy = (sha512(draw).digest() + sha256(draw).digest())[:ENTROPY_BYTES]
                        started = process_time()
                        result = perform(operation, self.keys[side], entropy)
                        self.spent[side] += process_time() - started
                        self.moving.append((side, Computed(token, result, NOW_MS)))
                    case Delivered(_, _, messages):
                        self.delivered += len(messages)
                    case Witnessed():
                        self.witnessed += 1
                    case Blame():
                        raise AssertionError(effect)
                    case _:
                        pass


def frames(size: int, batch: int, total: int, checkpoint_records: int) -> dict[str, Any]:
    """So many messages from one side to the other."""
    pair = Pair(0, checkpoint_records)
    pair.dial()
    pair.spent = [0.0, 0.0]
    messages = tuple([bytes(size)] * batch)
    rounds = max(1, total // batch)
    for _ in range(rounds):
        pair.send(messages)
    count = rounds * batch
    assert pair.delivered == count
    sent, received = (spent / count * 1e6 for spent in pair.spent)
    return {
        "bytes": size,
        "batch": batch,
        "signed": checkpoint_records,
        "messages": count,
        "tx us": sent,
        "rx us": received,
        "/s a core each": 1e6 / max(sent, received),
        "/s both on one": 1e6 / (sent + received),
        "checkpoints": pair.witnessed,
    }


def main() -> None:
    """All of it."""
    arguments = parser(__doc__)
    arguments.add_argument("--messages", type=int, default=60_000)
    options = arguments.parse_args()
    report = Report("transport", options.json)
    total, count = options.messages, 200
    spent = [0.0, 0.0]
    for number in range(count):
        pair = Pair(number, 64)
        pair.spent = [0.0, 0.0]
        pair.dial()
        spent = [before + new for before, new in zip(spent, pair.spent, strict=True)]
    initiator, responder = (side / count * 1e6 for side in spent)
    report.table("handshake, hybrid", [{"handshakes": count, "initiator us": initiator, "responder us": responder}])
    rows = [frames(1024, batch, total, 64) for batch in (1, 8, 64, 1024)]
    rows += [frames(1024, 1, total // 20, 1), frames(65_536, 8, total // 20, 64)]
    report.table("messages from one side to the other", rows)
    report.finish()


if __name__ == "__main__":
    main()
