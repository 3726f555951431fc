"""Heights that stand still, or needed more rounds, for a known cause: whole nodes in the simulator, and what they give
by the API names the cause. Nobody honest is called a liar."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from metanode.api import guilt
from metanode.api.errors import ApiError
from metanode.chain.forensics import Checks, verify_evidence_bytes
from metanode.chain.light import GenesisBasis
from metanode.chain.stall import Cause, Explanation, Told, Trouble, Why, explain, read_transcript
from metanode.node.effects import PublishFinal
from metanode.node.events import Asked
from metanode.primitives.codec import encode
from metanode.primitives.names import Seat
from metanode.records.evidence_file import evidence_file
from metanode.records.header import read_header
from metanode.sim import standins
from metanode.sim.acts import PARAMETERS
from metanode.sim.byzantine.equivocator import Equivocator
from metanode.sim.byzantine.late import Late
from metanode.sim.byzantine.silent import Silent
from metanode.sim.byzantine.wrong_roots import WrongRoots
from metanode.sim.founding import START_MS, Founding, computer, found
from metanode.sim.machine_room import MachineRoom
from metanode.sim.storm import Cut, Storm
from metanode.sim.world import World

FOR_EVER_MS = 1 << 40
CHECKS = Checks(pairing=standins.verify_aggregate, signature=standins.verify)
CALM_MS = 4_000
"""Some blocks, before anything happens."""


@dataclass
class Scene:
    """A world, and what its nodes tell."""

    world: World
    founding: Founding

    def later(self, ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        return self.world.run(self.world.now_ms - START_MS + ms, done)

    def answer(self, index: int, height: int) -> object:
        asked = guilt.TranscriptGet(height=height)
        self.world.tell(index, Asked(self.world.now_ms, 1, "transcript.get", asked))
        return self.world.rooms[index].watch.answers.pop(1)

    def transcript(self, index: int, height: int = 0) -> bytes:
        view = self.answer(index, height)
        assert isinstance(view, guilt.TranscriptView), view
        return bytes.fromhex(view.file)

    def read(self, data: bytes) -> Told:
        return read_transcript(data, GenesisBasis(self.founding.genesis), CHECKS)

    def explain(self, *indices: int, height: int = 0) -> Explanation:
        return explain([self.read(self.transcript(index, height)) for index in indices])

    def round_of(self, height: int) -> int:
        """In which it became final, as somebody tells who was there."""
        commits = [room.watch.final[height][1] for room in self.world.rooms if height in room.watch.final]
        return commits[0].round

    def tip(self, index: int = 0) -> int:
        return self.world.rooms[index].watch.height


def scene(storm: Storm | None = None, liars: dict[int, type[MachineRoom]] | None = None, count: int = 4) -> Scene:
    founding = found(count, parameters=PARAMETERS)
    kinds = liars or {}
    rooms = [
        computer(founding, seat, one, founding.validators, kinds.get(seat, MachineRoom))
        for seat, one in enumerate(founding.validators)
    ]
    made = Scene(World(7, rooms, storm or Storm("none"), START_MS), founding)
    made.world.start()
    return made


def troubles(explained: Explanation) -> dict[int, Trouble]:
    return {finding.seat: finding.trouble for finding in explained.findings}


def test_a_chain_that_goes_on_has_nothing_to_explain() -> None:
    calm = scene()
    calm.later(CALM_MS)
    explained = calm.explain(0, 1, 2, 3)
    assert (explained.cause, explained.stands_still, explained.rounds) == (Cause.NONE, False, ())
    for _ in range(20):  # also in the middle of a height, where some have spoken and others not yet
        calm.later(77)
        midway = calm.explain(0, 1, 2, 3)
        assert (midway.cause, midway.findings) == (Cause.NONE, ())
    past = calm.explain(0, height=calm.tip())
    assert (past.cause, past.case.decided, past.findings) == (Cause.NONE, 0, ())


def test_two_of_four_are_dead() -> None:
    halted = scene()
    halted.later(CALM_MS)
    for index in (1, 3):
        halted.world.crash(index)
    halted.later(15_000)
    for asked in ((0, 2), (0,), (2,)):
        explained = halted.explain(*asked)
        assert (explained.cause, explained.stands_still) == (Cause.NO_QUORUM, True)
        assert (explained.case.heard, explained.blamed) == ((0, 2), (1, 3))
        assert troubles(explained) == {1: Trouble.SILENT, 3: Trouble.SILENT}
        assert not any(finding.proved for finding in explained.findings)
        assert {name for finding in explained.findings for name in finding.said_by} == {
            f"validator-{index}" for index in asked
        }


@pytest.mark.parametrize(("count", "dead"), [(7, (1, 3, 5)), (17, (1, 3, 5, 7, 9, 11))])
def test_more_than_may_fail_are_dead(count: int, dead: tuple[int, ...]) -> None:
    """Also where votes go by way of the leader, and certificates are aggregates."""
    halted = scene(count=count)
    halted.later(CALM_MS)
    for index in dead:
        halted.world.crash(index)
    halted.later(12_000)
    for asked in ((0,), (0, 2, 4)):
        explained = halted.explain(*asked)
        assert (explained.cause, explained.blamed) == (Cause.NO_QUORUM, dead)
        assert troubles(explained) == dict.fromkeys(dead, Trouble.SILENT)


def test_one_is_left_alone() -> None:
    halted = scene()
    halted.later(CALM_MS)
    for index in (1, 2, 3):
        halted.world.crash(index)
    halted.later(15_000)
    explained = halted.explain(0)
    assert (explained.cause, explained.case.heard, explained.blamed) == (Cause.NO_QUORUM, (0,), (1, 2, 3))


def test_who_restarts_within_a_height_shows_its_own_words_and_what_is_said_again() -> None:
    """What others said before is lost: the journal has one's own steps. The slow timer brings some of it again."""
    halted = scene()
    halted.later(CALM_MS)
    for index in (1, 3):
        halted.world.crash(index)
    halted.later(15_000)
    before = halted.read(halted.transcript(0))
    halted.world.crash(0)
    halted.later(100)
    halted.world.boot(0)
    halted.later(200)
    own = {vote.seat for vote in halted.read(halted.transcript(0)).votes}
    assert own <= {0, 2}
    halted.later(8_000)
    after = halted.read(halted.transcript(0))
    assert 2 in {vote.seat for vote in after.votes if vote.round == after.said.round}
    assert len(after.votes) < len(before.votes)
    assert after.said.notes.began_ms > before.said.notes.began_ms
    for told in ([after], [after, halted.read(halted.transcript(2))]):
        explained = explain(told)
        assert explained.cause is Cause.NO_QUORUM
        assert troubles(explained) == {0: Trouble.OBSERVING, 1: Trouble.SILENT, 3: Trouble.SILENT}
        assert "asks its peers" in explained.findings[0].detail


def test_the_leader_is_dead_for_a_height() -> None:
    halted = scene()
    dead: dict[int, int] = {}

    def hear(_: int, final: PublishFinal) -> None:
        if not dead and final.height >= 5:
            dead[final.height + 1] = (read_header(final.header).proposer + 1) % 4
            halted.world.at(0, lambda: halted.world.crash(dead[final.height + 1]))

    for room in halted.world.rooms:
        room.listeners.append(hear)
    halted.later(CALM_MS, lambda: bool(dead))
    halted.later(10_000)
    ((height, leader),) = dead.items()
    assert halted.round_of(height) == 1
    others = [index for index in range(4) if index != leader]
    explained = halted.explain(*others, height=height)
    assert (explained.cause, explained.blamed, explained.case.decided) == (Cause.DEAD_LEADER, (leader,), 1)
    (story,) = explained.rounds
    assert (story.round, story.leader, story.why, story.proposed) == (0, leader, Why.NOT_PROPOSED, ())
    assert set(story.left) == set(others)
    assert troubles(explained) == {leader: Trouble.SILENT}
    assert not explained.stands_still


def cut(*sides: tuple[int, ...], one_way: bool = False) -> Storm:
    first, second = sides
    cuts = [Cut(CALM_MS, FOR_EVER_MS, first, second)]
    cuts += [] if one_way else [Cut(CALM_MS, FOR_EVER_MS, second, first)]
    return Storm("cut", cuts=tuple(cuts))


def test_two_against_two() -> None:
    halted = scene(cut((0, 1), (2, 3)))
    halted.later(CALM_MS + 15_000)
    explained = halted.explain(0, 1, 2, 3)
    assert (explained.cause, explained.sides) == (Cause.PARTITION, ((0, 1), (2, 3)))
    assert explained.case.heard == (0, 1, 2, 3)
    found = {finding.seat: (finding.heard_by, finding.missed_by) for finding in explained.findings}
    names = [f"validator-{index}" for index in range(4)]
    west, east = tuple(names[:2]), tuple(names[2:])
    assert found == {0: (west, east), 1: (west, east), 2: (east, west), 3: (east, west)}
    assert set(troubles(explained).values()) == {Trouble.PARTITIONED}
    across = halted.explain(1, 2)
    assert (across.cause, across.sides) == (Cause.PARTITION, ((0, 1), (2, 3)))
    one_side = halted.explain(0, 1)
    assert (one_side.cause, one_side.blamed) == (Cause.NO_QUORUM, (2, 3)), "the other side is silent to those asked"


def test_a_leader_whose_words_reach_nobody() -> None:
    """One way is cut: it hears all and is not heard. Its own node shows what it said; the others never had it."""
    halted = scene(cut((2,), (0, 1, 3), one_way=True))
    halted.later(CALM_MS + 12_000)
    height = next(h for h in range(5, halted.tip()) if halted.round_of(h) and leader_of(halted, h) == 2)
    told_all = halted.explain(0, 1, 2, 3, height=height)
    assert (told_all.cause, told_all.blamed) == (Cause.PARTITION, (2,))
    (found,) = [finding for finding in told_all.findings if finding.seat == 2]
    assert (found.trouble, found.heard_by) == (Trouble.PARTITIONED, ("validator-2",))
    assert set(found.missed_by) <= {"validator-0", "validator-1", "validator-3"}
    others = halted.explain(0, 1, 3, height=height)
    assert (others.cause, others.blamed, troubles(others)) == (Cause.DEAD_LEADER, (2,), {2: Trouble.SILENT})


def leader_of(halted: Scene, height: int) -> int:
    below = next(r.watch.final[height - 1][0] for r in halted.world.rooms if height - 1 in r.watch.final)
    return (read_header(below).proposer + 1) % len(halted.world.rooms)


def test_one_is_dead_and_one_is_behind() -> None:
    """Seat 3 hears nothing any more and is heard: it still speaks of the height at which that began."""
    halted = scene(cut((0, 1, 2), (3,), one_way=True))
    halted.later(CALM_MS + 2_000)
    halted.world.crash(1)
    halted.later(4_000)
    explained = halted.explain(0, 2)
    assert (explained.cause, explained.case.heard, explained.blamed) == (Cause.NO_QUORUM, (0, 2), (1, 3))
    assert troubles(explained) == {1: Trouble.SILENT, 3: Trouble.BEHIND}
    asked_too = halted.explain(0, 2, 3)
    assert troubles(asked_too) == {1: Trouble.SILENT, 3: Trouble.BEHIND}
    (found,) = [finding for finding in asked_too.findings if finding.seat == 3]
    assert (found.said_by, found.detail) == (("validator-3",), f"it works on height {halted.tip(3) + 1}")


def heights_led_by(halted: Scene, seat: int, rounds: bool = True) -> list[int]:
    return [h for h in range(2, halted.tip()) if leader_of(halted, h) == seat and bool(halted.round_of(h)) is rounds]


@pytest.mark.parametrize(
    ("room", "cause", "why", "trouble"),
    [
        (WrongRoots, Cause.REFUSED, Why.REFUSED, None),
        (Late, Cause.SLOW, Why.NOT_PROPOSED, Trouble.SLOW),
        (Silent, Cause.DEAD_LEADER, Why.NOT_PROPOSED, Trouble.SILENT),
    ],
)
def test_a_liar_leads(room: type[MachineRoom], cause: Cause, why: Why, trouble: Trouble | None) -> None:
    halted = scene(liars={1: room})
    halted.later(20_000)
    heights = heights_led_by(halted, 1)
    assert heights
    for height in heights:
        explained = halted.explain(0, 2, 3, height=height)
        assert (explained.cause, explained.blamed) == (cause, (1,)), height
        assert explained.rounds[0].why is why
        assert troubles(explained).get(1) is trouble
        assert set(troubles(explained)) <= {1}
        if cause is Cause.REFUSED:
            assert explained.rounds[0].detail
            assert set(explained.rounds[0].said_by) <= {"validator-0", "validator-2", "validator-3"}


def test_a_leader_of_two_faces_is_convicted_by_its_own_words() -> None:
    """At height 1 two see the one block and two the other: no quorum for either."""
    halted = scene(liars={0: Equivocator})
    halted.later(CALM_MS)
    assert halted.round_of(1) == 1
    explained = halted.explain(1, 2, 3, height=1)
    assert (explained.cause, explained.blamed) == (Cause.LYING_LEADER, (0,))
    (found,) = [finding for finding in explained.findings if finding.trouble is Trouble.LYING]
    assert (found.seat, found.proved) == (0, True)
    file = encode(evidence_file(halted.founding.chain_id, (), found.evidence[0]))
    assert verify_evidence_bytes(file, GenesisBasis(halted.founding.genesis), CHECKS).seats == (Seat(0),)


def test_no_honest_seat_is_ever_called_a_liar() -> None:
    for liars in ({1: Late}, {2: Silent}, {3: WrongRoots}):
        halted = scene(liars=dict(liars))
        halted.later(8_000)
        for height in range(1, halted.tip()):
            explained = halted.explain(*(i for i in range(4) if i not in liars), height=height)
            assert Trouble.LYING not in troubles(explained).values()


def test_a_height_that_is_not_begun_is_refused() -> None:
    calm = scene()
    calm.later(CALM_MS)
    refused = calm.answer(0, calm.tip() + 2)
    assert isinstance(refused, ApiError)
    assert refused.code == "api.beyond-head"


def test_a_liar_that_claims_a_far_round_moves_nobody() -> None:
    """What a node says of itself, in a file that it writes itself, changes the round of the case by one at most."""
    halted = scene()
    halted.later(CALM_MS)
    for index in (1, 3):
        halted.world.crash(index)
    halted.later(15_000)
    honest, liar = (halted.read(halted.transcript(index)) for index in (0, 2))
    far = replace(liar, votes=tuple(v for v in liar.votes if v.seat != 2))
    assert explain([honest, far]).case.round == explain([honest]).case.round
