"""What a block costs in messages and bytes: everybody to everybody, or by way of the leader.

python -m bench.topology [--heights N] [--json FILE]

Councils of the simulator in calm weather, signatures counterfeit but of the real sizes; every message is encoded and
counted on each link it takes. The formulas are (n - 1) + 2n(n - 1) and 5(n - 1) a block.
"""

from collections import Counter
from time import process_time
from typing import Any

from bench.kit.report import Report, parser

from metanode.chain import ibft
from metanode.chain.guard import LastWord, LastWordAsked
from metanode.chain.ibft.reception import height_of
from metanode.primitives.codec import encode
from metanode.sim.council.council import Council
from metanode.sim.council.weather import Weather
from metanode.sim.founding import START_MS

SIZES = (4, 7, 16, 32, 64, 100)


class Counted(Council):
    """What goes over its links."""

    def __init__(self, count: int, heights: int, all_to_all_max: int) -> None:
        super().__init__(1, Weather(count, all_to_all_max=all_to_all_max), watched=False)
        self.heights = heights
        self.messages: Counter[str] = Counter()
        self.bytes = 0

    def send(self, sender: int, receiver: int, message: ibft.Message) -> None:
        """Count it, and let it go."""
        if not isinstance(message, ibft.Wanted | LastWord | LastWordAsked) and height_of(message) <= self.heights:
            self.messages[type(message).__name__] += 1
            self.bytes += len(encode(message))
        super().send(sender, receiver, message)


def measure(count: int, heights: int, *, by_leader: bool) -> dict[str, Any]:
    """So many heights."""
    council = Counted(count, heights, count - by_leader)
    for chair in council.chairs:
        council.at(0, chair.boot)
    began = process_time()
    reached = council.run(START_MS + 600_000, lambda: all(chair.height > heights for chair in council.chairs))
    spent = process_time() - began
    assert reached, "every height is decided"
    expected = 5 * (count - 1) if by_leader else (count - 1) + 2 * count * (count - 1)
    return {
        "n": count,
        "votes": "by leader" if by_leader else "all to all",
        "blocks": heights,
        "messages a block": council.messages.total() / heights,
        "by the formula": expected,
        "bytes a block": council.bytes / heights,
        "bytes a message": council.bytes / council.messages.total(),
        "CPU ms a block and seat": spent / heights / count * 1e3,
    }


def main() -> None:
    """Every size, both ways."""
    arguments = parser(__doc__)
    arguments.add_argument("--heights", type=int, default=6)
    arguments.add_argument("--sizes", default=",".join(map(str, SIZES)))
    options = arguments.parse_args()
    report = Report("topology", options.json)
    sizes = [int(text) for text in options.sizes.split(",")]
    rows = [measure(count, options.heights, by_leader=way) for count in sizes for way in (False, True)]
    report.table("a block: messages between validators", rows)
    report.finish()


if __name__ == "__main__":
    main()
