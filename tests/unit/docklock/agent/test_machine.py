"""The agent's machine: what a share asks for, what has ended, what is unwell, what the chain hears."""

from msgspec.structs import replace
from tests.unit.docklock.agent.desk import CHECK, RESTART, SPEC, TIMEOUT_MS, Desk, assignment, name, spec
from tests.unit.docklock.cluster.town import terms

from metanode.docklock.agent.events import (
    Desired,
    Fetch,
    Fetched,
    Found,
    Probe,
    Remove,
    Report,
    Reported,
    Run,
    Stop,
    Tick,
    Vanished,
)


def test_an_assignment_is_fetched_started_and_said_to_be_ready() -> None:
    desk = Desk()
    one = assignment()
    assert desk.wants(one) == [Fetch(name(), one)]
    assert desk.fetches() == [Run(name(), one, SPEC, 0)]
    assert desk.runs() == []
    assert desk.heard() == [(0, "ready", 0)]
    assert desk.steps == [("verified", ""), ("started", "")]
    assert desk.wants(one) == [], "the same share again asks for nothing"


def test_what_the_share_does_not_name_any_more_is_cleared_away_without_a_word() -> None:
    desk = Desk()
    desk.started()
    desk.heard()
    assert desk.wants() == [Stop(name(), SPEC.stop_grace_ms)]
    assert desk.ends(143) == [Remove(name())]
    assert desk.removes() == []
    assert desk.heard() == []


def test_what_is_to_stop_is_asked_given_its_grace_and_said_to_be_gone_when_it_is() -> None:
    desk = Desk()
    desk.started()
    desk.heard()
    assert desk.wants(assignment(run=False)) == [Stop(name(), SPEC.stop_grace_ms)]
    assert desk.ends(143) == [Remove(name())]
    assert desk.heard() == []
    assert desk.removes() == []
    assert desk.heard() == [(0, "stopped", 0)]
    assert desk.wants(assignment(run=False)) == [], "until the share has followed it is over all the same"
    assert desk.wants() == []


def test_what_was_never_here_is_stopped_already() -> None:
    desk = Desk()
    assert desk.wants(assignment(run=False)) == []
    assert desk.heard() == [(0, "stopped", 0)]


def test_what_an_earlier_agent_left_is_adopted_or_cleared_away() -> None:
    desk = Desk()
    one = assignment()
    desk.hears(Found(desk.now_ms, ((name(), True, 0), (name(7, 3), True, 0), (name(8, 1), False, 2))))
    assert desk.wants(one) == [Fetch(name(), one), Stop(name(7, 3), 10_000), Remove(name(8, 1))]
    assert desk.fetches() == []
    assert desk.heard() == [(0, "ready", 0)]
    assert desk.steps == [("moved", ""), ("moved", ""), ("verified", "")], "nothing was started"
    assert desk.ends(0, name(7, 3)) == [Remove(name(7, 3))]
    assert desk.ends(0, name(7, 3)) == [Remove(name(7, 3))], "heard of twice"
    assert desk.steps[3:] == [("stopped", "0")]
    assert desk.ends(0, name(9)) == [Remove(name(9))]
    assert len(desk.steps) == 4, "what nobody knew of is removed, and nothing said of it"


def test_what_an_earlier_agent_left_and_does_not_end_in_time_is_told_as_a_kill() -> None:
    desk = Desk()
    desk.hears(Found(desk.now_ms, ((name(7, 3), True, 0),)))
    desk.wants()
    desk.ends(137, name(7, 3))
    assert desk.steps == [("moved", ""), ("killed", "137")]
    assert desk.reasons[-1] == "it did not end within its grace"


def test_what_ended_while_no_agent_was_there_is_dealt_with_by_its_rule() -> None:
    desk = Desk()
    desk.hears(Found(desk.now_ms, ((name(), False, 9),)))
    desk.wants(assignment())
    assert desk.fetches() == [Remove(name())]
    assert desk.heard() == [(0, "starting", 0), (0, "unready", 9)]
    assert desk.steps == [("verified", ""), ("exited", "9")]


def test_what_cannot_be_fetched_is_asked_for_again_and_what_may_not_run_is_refused() -> None:
    desk = Desk()
    one = assignment()
    desk.wants(one)
    assert desk.hears(Fetched(desk.now_ms, name(), None, "agent.content-missing", final=False)) == []
    assert desk.woken == desk.now_ms + TIMEOUT_MS // 4
    desk.now_ms += 2_000
    assert desk.hears(Tick(desk.now_ms)) == [Fetch(name(), one)]
    assert desk.hears(Fetched(desk.now_ms, name(), None, "spec.other-terms", final=True)) == []
    assert desk.heard() == [(0, "refused", 125)]
    assert desk.steps == [("refused", "spec.other-terms")]


def test_what_ends_is_started_again_after_a_rest_that_doubles() -> None:
    desk = Desk()
    desk.started()
    desk.heard()
    rests = []
    for again in range(1, 5):
        assert desk.ends(1) == [Remove(name())]
        assert desk.removes() == []
        rests.append(RESTART.delay_ms << (again - 1))
        desk.now_ms += rests[-1] - 1
        assert desk.hears(Tick(desk.now_ms)) == []
        desk.now_ms += 1
        assert desk.hears(Tick(desk.now_ms)) == [Run(name(), assignment(), SPEC, again)]
        desk.runs()
    assert desk.heard() == [(0, "unready", 1), (0, "ready", 0)] * 4
    assert [step for step, _ in desk.steps][2:] == ["exited", "restarted"] * 4


def test_how_often_it_is_started_again_is_limited_within_its_window() -> None:
    desk = Desk()
    desk.started(spec(restart=replace(RESTART, condition="on-failure", attempts_max=1, window_ms=60_000)))
    desk.ends(1)
    desk.removes()
    desk.now_ms += 5_000
    desk.hears(Tick(desk.now_ms))
    desk.runs()
    desk.heard()
    assert desk.ends(3) == [Remove(name())]
    assert desk.heard() == []
    desk.removes()
    assert desk.heard() == [(0, "exited", 3)]


def test_a_rule_that_waits_for_failures_leaves_what_ended_well() -> None:
    desk = Desk()
    desk.started(spec(restart=replace(RESTART, condition="on-failure")))
    desk.heard()
    desk.ends(0)
    desk.removes()
    assert desk.heard() == [(0, "exited", 0)]


def test_the_retries_of_a_job_are_the_committees() -> None:
    desk = Desk()
    desk.started(spec(terms=terms(kind="job")))
    desk.heard()
    desk.ends(2)
    desk.removes()
    assert desk.heard() == [(0, "exited", 2)]


def test_what_could_not_be_started_is_told_with_125() -> None:
    desk = Desk()
    desk.wants(assignment())
    desk.fetches(spec(restart=replace(RESTART, condition="no")))
    assert desk.runs(code="runtime.command-not-found") == [Remove(name())]
    desk.removes()
    assert desk.heard() == [(0, "failed", 125)]
    assert desk.steps[-1] == ("refused", "runtime.command-not-found")


def test_want_of_memory_is_told_as_a_kill() -> None:
    desk = Desk()
    desk.started()
    desk.ends(137, out_of_memory=True)
    assert (desk.steps[-1], desk.reasons) == (("killed", "137"), ["out of memory"])


def test_what_does_not_end_within_its_grace_is_told_as_a_kill() -> None:
    for what, code, step in (
        (SPEC, 137, "killed"),
        (SPEC, 143, "stopped"),
        (spec(stop_signal="SIGKILL"), 137, "stopped"),
    ):
        desk = Desk()
        desk.started(what)
        desk.wants(assignment(run=False))
        desk.ends(code)
        assert desk.steps[-1] == (step, str(code))


def test_what_the_share_forgot_is_let_go_of_once_and_then_stopped() -> None:
    desk = Desk()
    desk.started()
    desk.wants()
    desk.wants()
    desk.ends(143)
    assert [step for step, _ in desk.steps] == ["verified", "started", "moved", "stopped"]
    asked = Desk()
    asked.started()
    asked.wants(assignment(run=False))
    asked.wants()
    asked.ends(143)
    assert [step for step, _ in asked.steps] == ["verified", "started", "stopped"], "it was asked to end, not let go of"


def test_who_is_pushed_out_goes_before_who_comes() -> None:
    desk = Desk(cpu_millicores=1_000)
    desk.started(one=assignment(0, cpu_millicores=800))
    old, new = assignment(0, run=False, cpu_millicores=800), assignment(1, cpu_millicores=800)
    assert desk.wants(old, new) == [Stop(name(), SPEC.stop_grace_ms), Fetch(name(1), new)]
    assert desk.fetches(of=name(1)) == []
    assert desk.ends(143) == [Remove(name())]
    assert desk.removes() == [Run(name(1), new, SPEC, 0)]


def test_two_with_one_port_do_not_run_together() -> None:
    desk = Desk()
    desk.started(one=assignment(0, ports=(80,)))
    new = assignment(1, ports=(80,))
    desk.wants(assignment(0, run=False, ports=(80,)), new)
    assert desk.fetches(of=name(1)) == []
    desk.ends(0)
    assert desk.removes() == [Run(name(1), new, SPEC, 0)]


def test_health_is_looked_at_every_interval_and_counts_in_a_row() -> None:
    desk = Desk()
    desk.started(spec(health=(CHECK,)))
    assert desk.heard() == [(0, "started", 0)]
    desk.now_ms += 1_000
    assert desk.hears(Tick(desk.now_ms)) == [Probe(name(), CHECK)]
    assert desk.looks(well=False) == []
    assert desk.heard() == [], "within the first time failures do not count"
    desk.now_ms += 1_000
    desk.hears(Tick(desk.now_ms))
    desk.looks(well=True)
    assert desk.heard() == [(0, "ready", 0)]
    for _ in range(2):
        assert desk.heard() == []
        desk.now_ms += 1_000
        desk.hears(Tick(desk.now_ms))
        desk.looks(well=False)
    assert desk.heard() == [(0, "unready", 0)]
    desk.now_ms += 1_000
    desk.hears(Tick(desk.now_ms))
    desk.looks(well=True)
    assert desk.heard() == [(0, "ready", 0)]
    assert [step for step, _ in desk.steps] == ["verified", "started", "healthy", "unhealthy", "healthy"]


def test_an_unanswered_look_is_not_followed_by_another() -> None:
    desk = Desk()
    desk.started(spec(health=(CHECK,)))
    desk.now_ms += 1_000
    assert desk.hears(Tick(desk.now_ms)) == [Probe(name(), CHECK)]
    desk.now_ms += 5_000
    assert desk.hears(Tick(desk.now_ms)) == []


def test_a_node_without_news_says_that_it_lives_four_times_within_the_timeout() -> None:
    desk = Desk()
    desk.wants()
    first = desk.agent.handle(Tick(desk.now_ms + TIMEOUT_MS // 4 - 1))
    assert not [effect for effect in first if isinstance(effect, Report)]
    second = desk.agent.handle(Tick(desk.now_ms + TIMEOUT_MS // 4))
    assert [effect for effect in second if isinstance(effect, Report)] == [Report(())]


def test_what_did_not_become_final_is_said_again_and_in_its_latest_state() -> None:
    desk = Desk()
    desk.deaf = True
    desk.started(spec(health=(CHECK,)))
    assert desk.heard() == [], "the first report, without news, is under way"
    desk.hears(Reported(desk.now_ms, final=True))
    assert desk.heard() == [(0, "started", 0)]
    desk.looks(well=True)
    assert desk.heard() == [], "one at a time"
    desk.hears(Reported(desk.now_ms, final=False))
    assert desk.heard() == [(0, "ready", 0)]
    desk.hears(Reported(desk.now_ms, final=True))
    assert desk.heard() == []


def test_a_node_that_is_not_let_in_reports_nothing() -> None:
    desk = Desk()
    assert desk.agent.handle(Desired(desk.now_ms, 1, (), 0)) == []
    assert desk.agent.handle(Tick(desk.now_ms + 60_000)) == []


def test_what_the_runtime_took_with_it_has_ended_by_a_kill() -> None:
    desk = Desk()
    desk.started()
    desk.started(one=assignment(1), beside=(assignment(),))
    desk.heard()
    assert desk.hears(Vanished(desk.now_ms, (name(1),))) == [Remove(name())]
    assert (desk.steps[-1], desk.reasons) == (("killed", "137"), ["its runtime was lost"])
    assert desk.heard() == [(0, "unready", 137)]


def test_an_attempt_that_is_over_is_not_begun_again_by_an_older_share() -> None:
    desk = Desk()
    one = assignment()
    desk.started(spec(restart=replace(RESTART, condition="no")), one)
    desk.ends(1)
    desk.removes()
    assert desk.wants(one) == [], "the chain has not heard of its end yet"
    assert desk.wants() == []
    two = assignment(attempt=2)
    assert desk.wants(two) == [Fetch(name(0, 2), two)]


def test_what_is_to_end_while_it_is_being_started_is_stopped_when_it_runs() -> None:
    """Asked too early, the runtime knows nothing of it, and a moment later it would run for ever."""
    desk = Desk()
    desk.wants(assignment())
    desk.fetches()
    assert desk.wants(assignment(run=False)) == []
    assert desk.runs() == [Stop(name(), SPEC.stop_grace_ms)]
    assert desk.ends(143) == [Remove(name())]
    assert desk.removes() == []
    assert desk.heard() == [(0, "stopped", 0)]


def test_what_is_to_end_and_could_not_be_started_is_gone() -> None:
    desk = Desk()
    desk.wants(assignment())
    desk.fetches()
    assert desk.wants() == []
    assert desk.runs(code="runtime.setup-failed") == [Remove(name())]
    assert desk.removes() == []
    assert desk.heard() == []


def test_what_runs_although_nobody_waits_for_it_any_more_is_cleared_away() -> None:
    """Its runtime was lost while it was being started, and its share has changed since."""
    desk = Desk()
    desk.wants(assignment())
    desk.fetches()
    desk.wants()
    assert desk.hears(Vanished(desk.now_ms, ())) == [Remove(name())]
    desk.removes()
    assert desk.runs() == [Stop(name(), 0)]
    assert desk.ends(137) == [Remove(name())]


def test_a_clock_that_is_set_back_an_hour_delays_nothing() -> None:
    desk = Desk()
    desk.started(spec(health=(CHECK,)))
    desk.now_ms -= 3_600_000
    desk.hears(Tick(desk.now_ms))
    assert desk.woken <= desk.now_ms + 1_000
    desk.now_ms += 1_000
    asked = desk.agent.handle(Tick(desk.now_ms))
    assert [effect for effect in asked if isinstance(effect, Probe | Report)] == [Probe(name(), CHECK), Report(())]


def test_a_clock_that_is_set_back_does_not_lengthen_a_rest_nor_a_window() -> None:
    desk = Desk()
    desk.started(spec(restart=replace(RESTART, attempts_max=1, window_ms=60_000)))
    desk.ends(1)
    desk.now_ms -= 3_600_000
    desk.removes()
    desk.now_ms += 1_000
    assert [type(effect) for effect in desk.hears(Tick(desk.now_ms))] == [Run]
    desk.runs()
    desk.now_ms += 60_000
    assert desk.ends(1) == [Remove(name())]
    assert desk.removes() == []
    desk.now_ms += 2_000
    assert [type(effect) for effect in desk.hears(Tick(desk.now_ms))] == [Run], "the window is over"


def test_an_agent_that_was_just_started_takes_back_what_an_earlier_one_said() -> None:
    desk = Desk()
    desk.hears(Found(desk.now_ms, ((name(1), True, 0),)))
    desk.wants(assignment(), assignment(1))
    assert desk.heard() == [(0, "starting", 0)], "the other one runs"
    desk.wants(assignment(), assignment(1), assignment(2))
    assert desk.heard() == [], "what is new was never said to be ready"


def test_what_an_earlier_agent_left_and_the_runtime_then_lost_is_not_adopted() -> None:
    """The runtime is lost while the specification is on its way: nothing is there to be taken over."""
    desk = Desk()
    desk.hears(Found(desk.now_ms, ((name(), True, 0), (name(1), True, 0))))
    desk.wants(assignment(), assignment(1))
    assert desk.hears(Vanished(desk.now_ms, (name(1),))) == []
    assert desk.fetches() == [Run(name(), assignment(), SPEC, 0)]
    assert desk.fetches(of=name(1)) == [], "this one is still there"
    assert desk.heard() == [(0, "starting", 0), (1, "ready", 0)]


def test_what_was_found_and_then_lost_before_the_first_share_is_started() -> None:
    desk = Desk()
    desk.hears(Found(desk.now_ms, ((name(), True, 0),)))
    desk.hears(Vanished(desk.now_ms, ()))
    desk.wants(assignment())
    assert desk.fetches() == [Run(name(), assignment(), SPEC, 0)]
