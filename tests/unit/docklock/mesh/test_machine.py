"""Who may call whom, which replica answers, and what becomes of a flow."""

from dataclasses import replace

import pytest
from tests.unit.docklock.mesh.switchboard import CALLER, NODES, SERVER, WEB, Switchboard, service

from metanode.docklock.mesh import MeshRefusal
from metanode.docklock.mesh.dns import Code
from metanode.docklock.mesh.events import (
    Abandon,
    Allow,
    Ask,
    Check,
    Connect,
    Effect,
    Join,
    Members,
    Reach,
    Refuse,
    WriteDown,
)
from metanode.docklock.mesh.services import Replica
from metanode.docklock.mesh.state import CONTAINER_FLOWS_MAX, FLOWS_MAX, SESSION_FLOWS_MAX, TRY_MS, WRITTEN_MS

ONE, TWO, THREE = Replica(0, 1, "one"), Replica(1, 1, "two"), Replica(2, 1, "three")
VAULT = service("vault", networks=("back",))


def refusal(effects: list[Effect]) -> MeshRefusal:
    (refused,) = [one for one in effects if isinstance(one, Refuse)]
    return refused.code


def asked(effects: list[Effect]) -> Ask:
    (one,) = effects
    assert isinstance(one, Ask)
    return one


def test_members_are_let_in_and_no_others():
    board = Switchboard()
    assert board.hears(Members(0, NODES[:1])) == [Allow(NODES[:1])]


def test_a_call_is_led_here_and_elsewhere_in_turn():
    board = Switchboard(WEB)
    board.begins(CALLER, SERVER)
    flow, effects = board.calls()
    assert effects == [Connect(flow, SERVER.name, 80)]
    assert board.connects(flow) == [Join(flow)]
    flow, effects = board.calls()
    ask = asked(effects)
    assert (ask.node, ask.opening.caller, ask.opening.revision) == (NODES[0], "caller", 3)
    assert (ask.opening.service, ask.opening.index, ask.opening.port) == ("web", 1, 80)
    assert board.answers(flow) == [Join(flow)]


def test_names_that_may_be_called_have_an_address_others_are_refused_or_unknown():
    board = Switchboard(WEB, VAULT)
    board.begins(replace(CALLER, egress=(("api.example.org", 443),)))
    found = {board.asks(name)[0].address for name in ("web", "web.shop", "web.shop.mesh")}
    assert len(found) == 1
    assert board.asks("api.example.org")[0].code is Code.NO_ERROR
    assert board.asks("vault")[0].code is Code.REFUSED
    for name in ("nobody", "web.other", "web.shop.lan", "", "a.b.c.d"):
        assert (board.asks(name)[0].code, board.asks(name)[0].address) == (Code.NAME, "")
    assert board.asks("web", "shop.stranger.0.1")[0].code is Code.REFUSED


def test_a_refusal_is_written_down_with_what_would_allow_it_once_a_minute():
    board = Switchboard(WEB, VAULT, service("alone", networks=()))
    board.begins(CALLER)
    _, (written,) = board.asks("vault")
    assert written == WriteDown(
        board.now_ms,
        CALLER.name,
        "vault",
        MeshRefusal.NOT_DECLARED,
        "MESH-3",
        "add back to the networks of caller",
    )
    assert board.asks("vault")[1] == []
    board.waits(WRITTEN_MS)
    assert len(board.asks("vault")[1]) == 1
    (_, (alone,)) = board.asks("alone")
    assert isinstance(alone, WriteDown)
    assert alone.fix == "give caller and alone a network together: alone is in none"


def test_an_address_without_a_name_leads_nowhere():
    board = Switchboard(WEB, VAULT)
    board.begins(CALLER)
    _, effects = board.calls("127.99.1.1")
    assert refusal(effects) is MeshRefusal.NOT_DECLARED
    assert [one.target for one in effects if isinstance(one, WriteDown)] == ["127.99.1.1"]
    assert refusal(board.calls("vault")[1]) is MeshRefusal.NOT_DECLARED


def test_a_destination_outside_is_reached_at_its_port_alone():
    board = Switchboard(WEB)
    board.begins(replace(CALLER, egress=(("api.example.org", 443),)))
    flow, effects = board.calls("api.example.org", 443)
    assert effects == [Reach(flow, "api.example.org", 443)]
    assert board.connects(flow, MeshRefusal.LEADS_HOME) == [Refuse(flow, MeshRefusal.LEADS_HOME, "")]
    assert refusal(board.calls("api.example.org", 80)[1]) is MeshRefusal.NOT_DECLARED


def test_what_a_chain_node_says_of_networks_opens_nothing_here():
    board = Switchboard(replace(WEB, replicas=(ONE,)))
    board.begins(CALLER, replace(SERVER, networks=("back",)))
    assert refusal(board.calls()[1]) is MeshRefusal.NOT_DECLARED


def test_older_news_are_ignored():
    board = Switchboard(WEB)
    board.begins(CALLER)
    board.learns(replace(WEB, revision=2, replicas=(TWO,)), height=9)
    board.learns(height=8)
    assert board.mesh.height == 9
    assert board.mesh.services(CALLER.name)["web"][1].replicas == (TWO,)
    board.learns(WEB, height=10)
    assert board.mesh.services(CALLER.name)["web"][1].revision == 2, "of an older revision"


def test_without_a_ready_replica_a_call_is_refused_at_once():
    board = Switchboard(replace(WEB, replicas=()))
    board.begins(CALLER)
    flow, effects = board.calls()
    assert effects == [Refuse(flow, MeshRefusal.NO_REPLICA, "web")]
    assert board.mesh.flow(flow) is None
    assert refusal(board.calls(port=81)[1]) is MeshRefusal.NO_SUCH_PORT
    assert refusal(board.requests("nobody")[1]) is MeshRefusal.UNKNOWN_SERVICE


@pytest.mark.parametrize(
    "code", [MeshRefusal.NOT_HERE, MeshRefusal.NOT_LISTENING, MeshRefusal.UNREACHABLE, MeshRefusal.TOO_MANY_FLOWS]
)
def test_a_replica_that_cannot_be_had_is_passed_over(code: MeshRefusal):
    board = Switchboard(replace(WEB, replicas=(TWO, THREE)))
    board.begins(CALLER)
    flow, effects = board.calls()
    first = asked(effects).node
    again = asked(board.answers(flow, code))
    assert again.node != first
    assert refusal(board.answers(flow, code)) is code, "there is no third"


def test_at_most_three_are_asked():
    many = tuple(Replica(index, 1, "two") for index in range(9))
    board = Switchboard(replace(WEB, replicas=many))
    board.begins(CALLER)
    flow, effects = board.calls()
    said = {asked(effects).opening.index}
    said |= {asked(board.answers(flow, MeshRefusal.NOT_HERE)).opening.index for _ in range(2)}
    assert len(said) == 3
    assert refusal(board.answers(flow, MeshRefusal.NOT_HERE)) is MeshRefusal.NOT_HERE


def test_what_another_replica_would_not_change_ends_it():
    board = Switchboard(replace(WEB, replicas=(TWO, THREE)))
    board.begins(CALLER)
    flow, _ = board.calls()
    assert refusal(board.answers(flow, MeshRefusal.NOT_DECLARED)) is MeshRefusal.NOT_DECLARED
    flow, _ = board.calls()
    asked(board.answers(flow, "mesh.of-a-later-version"))


def test_nobody_is_waited_for_without_end():
    board = Switchboard(replace(WEB, replicas=(TWO, THREE)))
    board.begins(CALLER)
    flow, _ = board.calls()
    assert board.waits(TRY_MS - 1) == []
    abandoned, again = board.waits(1)
    assert abandoned == Abandon(flow)
    assert isinstance(again, Ask)
    assert refusal(board.waits(TRY_MS)) is MeshRefusal.TOO_SLOW


def test_where_a_session_falls_what_had_not_begun_is_asked_again():
    board = Switchboard(replace(WEB, replicas=(TWO,)))
    board.begins(CALLER)
    flow, effects = board.calls()
    assert asked(board.falls(NODES[0], again=True)).node == asked(effects).node, "another session follows"
    assert board.falls(NODES[1]) == []
    assert refusal(board.falls(NODES[0])) is MeshRefusal.UNREACHABLE
    flow, _ = board.calls()
    board.answers(flow)
    assert board.falls(NODES[0]) == [], "what carries is reset by who carries it"


def test_a_node_without_an_endpoint_or_unknown_is_unreachable():
    board = Switchboard(replace(WEB, replicas=(TWO,)), nodes=(replace(NODES[0], endpoint=""),))
    board.begins(CALLER)
    assert refusal(board.calls()[1]) is MeshRefusal.UNREACHABLE


# --- asked by another node --------------------------------------------------------------------------------------------


def test_another_node_is_believed_after_a_check():
    board = Switchboard(WEB)
    board.begins(SERVER)
    flow, (check,) = board.is_asked()
    assert isinstance(check, Check)
    assert check.node == NODES[0]
    assert board.checks(flow) == [Connect(flow, SERVER.name, 80)]
    assert board.connects(flow) == [Join(flow)]


def test_a_caller_that_shares_no_network_or_does_not_stand_there_is_refused():
    board = Switchboard(WEB)
    board.begins(SERVER)
    flow, _ = board.is_asked()
    assert refusal(board.checks(flow, networks=("back",))) is MeshRefusal.NOT_DECLARED
    flow, _ = board.is_asked()
    assert refusal(board.checks(flow, MeshRefusal.NOT_PLACED)) is MeshRefusal.NOT_PLACED
    flow, _ = board.is_asked(caller="")
    assert board.checks(flow, networks=(), operator=True) == [Connect(flow, SERVER.name, 80)]


def test_only_what_runs_here_at_a_port_it_declares():
    board = Switchboard(WEB)
    board.begins(SERVER)
    assert refusal(board.is_asked(attempt=2)[1]) is MeshRefusal.NOT_HERE
    assert refusal(board.is_asked(service="vault")[1]) is MeshRefusal.NOT_HERE
    assert refusal(board.is_asked(port=22)[1]) is MeshRefusal.NO_SUCH_PORT
    assert refusal(board.is_asked(key=b"stranger")[1]) is MeshRefusal.NOT_PLACED
    flow, _ = board.is_asked()
    board.gone(SERVER.name)
    assert refusal(board.checks(flow)) is MeshRefusal.NOT_HERE, "it ended meanwhile"
    flow, _ = board.enters(SERVER.name, 80)
    assert board.mesh.flow(flow) is None


def test_a_program_that_does_not_listen_is_told_so():
    board = Switchboard(WEB)
    board.begins(SERVER)
    flow, _ = board.is_asked()
    board.checks(flow)
    assert board.connects(flow, MeshRefusal.NOT_LISTENING) == [
        Refuse(flow, MeshRefusal.NOT_LISTENING, "web"),
    ]


# --- bounds and counters ----------------------------------------------------------------------------------------------


def test_flows_are_bounded_of_a_container_between_two_nodes_and_of_a_node():
    board = Switchboard(replace(WEB, replicas=(TWO,)))
    board.begins(CALLER, SERVER, replace(CALLER, name="shop.caller.1.1"))
    for _ in range(SESSION_FLOWS_MAX):
        asked(board.calls()[1])
    assert refusal(board.calls()[1]) is MeshRefusal.TOO_MANY_FLOWS
    for _ in range(SESSION_FLOWS_MAX):
        board.is_asked()
    assert refusal(board.is_asked()[1]) is MeshRefusal.TOO_MANY_FLOWS
    board.learns(replace(WEB, replicas=(ONE,)))
    for _ in range(CONTAINER_FLOWS_MAX - SESSION_FLOWS_MAX):
        board.calls()
    assert refusal(board.calls()[1]) is MeshRefusal.TOO_MANY_FLOWS
    while not isinstance((effects := board.enters(SERVER.name, 80)[1])[0], Refuse):
        pass
    assert refusal(effects) is MeshRefusal.TOO_MANY_FLOWS
    assert sum(board.mesh.flow(number) is not None for number in range(5_000)) == FLOWS_MAX


def test_what_was_carried_is_counted_by_service_and_node():
    board = Switchboard(WEB)
    board.begins(CALLER, SERVER)
    flow, _ = board.calls()
    board.connects(flow)
    row = board.mesh.counters.row("web", "one")
    assert (row.opened, row.open, row.sent_bytes) == (1, 1, 0)
    board.ends(flow, 7, 90)
    assert (row.opened, row.open, row.sent_bytes, row.received_bytes) == (1, 0, 7, 90)
    flow, _ = board.calls()
    board.answers(flow, MeshRefusal.NOT_DECLARED)
    assert board.mesh.counters.row("web", "two").refused == 1
    board.ends(flow)
    assert row.open == 0
