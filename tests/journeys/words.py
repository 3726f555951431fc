"""Who said what: votes read from the sign guards while the nodes run, and what the chain says of them."""

import threading
from dataclasses import dataclass, field
from typing import Final, Self

from tests.journeys.town import House, Town

from metanode.chain.guard import read_record
from metanode.host.disk import Disk
from metanode.host.fault import Fault
from metanode.host.guard_file import GuardFile
from metanode.records.vote import VoteKind


@dataclass(slots=True)
class Diary:
    """Every word of a validator that was caught: (height, round, kind) and the header it was about."""

    said: dict[tuple[int, int, int], bytes] = field(default_factory=dict)
    generation: int = -1
    contradictions: list[str] = field(default_factory=list)


class Listener:
    """A thread that looks into the guard files of running nodes, as a remote signer's auditor would: each slot holds
    the last words signed, so that looking often enough hears nearly all of them."""

    def __init__(self, town: Town, pause_s: float = 0.02) -> None:
        self._town: Final = town
        self._pause_s: Final = pause_s
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, daemon=True)
        self.diaries: Final[dict[str, Diary]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10)
        self.listen()

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_s):
            self.listen()

    def listen(self) -> None:
        """Look once."""
        for house in self._town.houses:
            self._look(house)

    def forget_generation(self, house: House) -> None:
        """Its guard was put back, or made anew: what it said still counts, how often it spoke begins again."""
        if house.name in self.diaries:
            self.diaries[house.name].generation = -1

    def _look(self, house: House) -> None:
        path = house.folder / "guard"
        owner = house.folder / "FORMAT"
        if not path.exists() or not owner.exists():
            return
        try:
            identity = bytes.fromhex(owner.read_text().partition('identity = "')[2][:64])
            if len(identity) != 32:
                return  # being written at this moment
            guard = GuardFile.open(path, identity, Disk())
        except (Fault, ValueError):
            return  # another's, or taken away at this moment
        guard.close()
        if not guard.record:
            return
        diary = self.diaries.setdefault(house.name, Diary())
        if guard.generation < diary.generation:
            # A torn read of the newest slot falls back to the other one: one generation, never more.
            if guard.generation < diary.generation - 1:
                diary.contradictions.append(f"generation {guard.generation} after {diary.generation}")
            return
        diary.generation = guard.generation
        for vote in read_record(guard.record).vote:
            place = (vote.height, vote.round, vote.kind)
            known = diary.said.setdefault(place, vote.header_hash)
            if known != vote.header_hash:
                diary.contradictions.append(f"{place}: {known.hex()[:16]} and {vote.header_hash.hex()[:16]}")


def check_nobody_signed_twice(town: Town, listener: Listener, house: House) -> None:
    """From the guards: no two words for one step, and no COMMIT, PREPARE or PROPOSAL of a decided round for another
    header than the chain's. From the chain: no evidence. From the logs: no guard had to refuse a second word."""
    with house.ask(timeout_s=20.0) as client:
        last = client.node.status().height
        headers: dict[int, tuple[int, str]] = {}
        for name, diary in listener.diaries.items():
            assert diary.contradictions == [], f"{name} signed twice"
            heard = [place for place in diary.said if place[0] <= last]
            assert heard, f"no word of {name} was heard"
            for height, round_, kind in heard:
                if height not in headers:
                    block = client.block.get(height)
                    headers[height] = block.commit.round, block.hash
                decided_round, decided_hash = headers[height]
                if round_ == decided_round and kind in (VoteKind.PROPOSAL, VoteKind.PREPARE, VoteKind.COMMIT):
                    said = diary.said[height, round_, kind].hex()
                    assert said == decided_hash, f"{name}: {VoteKind(kind).name} at {height}/{round_} differs"
        assert client.node.evidence().items == (), "nobody is accused of anything"
    for one in town.houses:
        refused = [
            line
            for line in one.logged("guard_refused")
            if line["reason"] in ("guard.second-word", "guard.hides-commit")
        ]
        assert refused == [], f"{one.name} asked its guard for a second word"


def generation_of(house: House) -> int:
    """How many words the guard has allowed."""
    identity = bytes.fromhex((house.folder / "FORMAT").read_text().partition('identity = "')[2][:64])
    guard = GuardFile.open(house.folder / "guard", identity, Disk())
    guard.close()
    return guard.generation
