"""A program may end before the word that it runs has come: its receipts say both, in their order, and nobody is stopped
for it. Found by the journey that compares the receipts of engines."""

from tests.unit.docklock.agent.desk import RESTART, Desk, assignment, spec

from metanode.docklock.agent.events import Remove, Stop, Tick

ONCE = spec(restart=RESTART)


def begun() -> Desk:
    desk = Desk()
    desk.wants(assignment())
    desk.fetches(ONCE)
    desk.steps.clear()
    return desk


def test_an_end_that_overtakes_is_told_after_its_start() -> None:
    desk = begun()
    asked = desk.ends(3)
    assert desk.steps == [("started", ""), ("exited", "3")]
    assert [type(effect) for effect in asked] == [Remove]


def test_the_word_that_was_overtaken_stops_nothing() -> None:
    desk = begun()
    desk.ends(3)
    assert desk.runs() == []
    desk.removes()
    desk.now_ms = desk.woken
    desk.hears(Tick(desk.now_ms))
    assert desk.runs() == [], "the next try is told by its own word"
    assert [step for step, _ in desk.steps] == ["started", "exited", "restarted"]


def test_nor_does_it_where_the_next_try_has_begun_by_then() -> None:
    desk = begun()
    desk.ends(3)
    desk.removes()
    desk.now_ms = desk.woken
    desk.hears(Tick(desk.now_ms))
    assert not [effect for effect in desk.runs() if isinstance(effect, Stop)], "of the try before"
    assert [step for step, _ in desk.steps] == ["started", "exited"], "the second does not run yet"
    assert not [effect for effect in desk.runs() if isinstance(effect, Stop)]
    assert [step for step, _ in desk.steps] == ["started", "exited", "restarted"]
