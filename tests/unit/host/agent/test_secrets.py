"""SECRET-3 to 9. What an agent keeps, opens, seals anew, and what it refuses."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.agent.desk import assignment
from tests.unit.docklock.agent.desk import spec as spec_of
from tests.unit.docklock.secrets.keyring import CLEAR, CONTENT
from tests.unit.host.agent import vault
from tests.unit.host.agent.vault import COMMITMENT, ONE, OTHER, SEED, SPEC, TOKEN, Node, envelope, member, share

from metanode.docklock.secrets import Content, open_sealed
from metanode.host.agent.secrets import Peers, opening_keys
from metanode.primitives.codec import CodecRefusal, encode
from metanode.primitives.refusal import Refusal, Rejected
from metanode.records.secret import SEALED_SECRETS, SecretAsked, SecretRefusal

ASKED = SecretAsked(node="node-2", workload="web", index=0, attempt=1, secret="token", version=3, commitment=COMMITMENT)


def refusal(do: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Rejected) as refused:
        do(*arguments)
    assert CLEAR.decode() not in str(refused.value)
    return refused.value.reason


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_what_is_kept_is_sealed_and_found_after_a_restart(node, tmp_path):
    node.put(envelope())
    assert [(one.secret, one.version) for one in Node(tmp_path).secrets.labels()] == [("token", 3)]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or CLEAR not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (encode(envelope(OTHER, "node-1")), "token", SecretRefusal.WRONG_NODE),
        (encode(envelope(SEED, "node-2")), "token", SecretRefusal.WRONG_NODE),
        (encode(envelope()), "another", SecretRefusal.OTHER_SECRET),
        (encode(envelope())[:-1], "token", CodecRefusal.MALFORMED),
        (encode(replace(envelope(), ciphertext=envelope().ciphertext[:-1])), "token", SecretRefusal.NOT_AUTHENTIC),
        (encode(replace(envelope(), label=replace(envelope().label, version=4))), "token", SecretRefusal.NOT_AUTHENTIC),
    ],
)
def test_what_does_not_open_here_is_not_kept(node, data, name, code):
    assert refusal(node.secrets.keep, data, name) is code
    assert node.store.labels() == ()


def test_a_node_keeps_so_many_and_no_more(node, monkeypatch):
    monkeypatch.setattr("metanode.host.agent.secret_store.KEPT_MAX", 2)
    node.put(envelope(version=1))
    node.put(envelope(version=2))
    node.put(envelope(version=2))
    assert refusal(node.put, envelope(version=3)) is SecretRefusal.FULL
    assert node.secrets.remove("token", 2) == 1
    node.put(envelope(version=3))
    assert [one.version for one in node.store.labels()] == [2, 3]
    assert node.secrets.remove("toke", 0) == 0
    assert node.secrets.remove("token", 0) == 2


def test_a_release_is_written_down_before_the_container_is_made(node):
    node.put(envelope())
    assert asyncio.run(node.secrets.gather(ONE, SPEC))
    released = asyncio.run(node.secrets.release(ONE, SPEC))
    assert [(one.target, one.data, one.mode) for one in released] == [("/run/secrets/token", CLEAR, 0o440)]
    assert [step for step, _ in node.papers.written] == ["secret-released"]
    told = node.papers.written[0][1]
    assert (told["secret"], told["secret-version"], told["commitment"]) == ("token", 3, COMMITMENT)
    assert told["key"] == envelope().label.recipient


def test_a_secret_without_a_content_is_not_released(node):
    unbound = spec_of(secrets=(replace(TOKEN, version=0, commitment=b""),))
    assert refusal(asyncio.run, node.secrets.release(ONE, unbound)) is SecretRefusal.UNBOUND
    assert refusal(asyncio.run, node.secrets.gather(ONE, unbound)) is SecretRefusal.UNBOUND


def test_another_content_under_the_same_name_and_version_is_not_released(node):
    """Whoever puts an envelope cannot change what the chain has pinned."""
    node.put(envelope(content=Content(CONTENT.salt, b"put in its place")))
    assert not asyncio.run(node.secrets.gather(ONE, SPEC))
    assert refusal(asyncio.run, node.secrets.release(ONE, SPEC)) is SecretRefusal.MISSING
    assert [step for step, _ in node.papers.written] == []


def test_an_envelope_that_was_damaged_on_the_disk_is_asked_for_again(node, tmp_path):
    node.put(envelope())
    (path,) = (tmp_path / "secrets").iterdir()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert refusal(asyncio.run, node.secrets.release(ONE, SPEC)) is SecretRefusal.NOT_AUTHENTIC
    assert not path.exists()
    path.write_bytes(b"nothing of the kind")
    assert not asyncio.run(node.secrets.gather(ONE, SPEC))
    assert not path.exists()
    assert [one.code for one in node.papers.refused] == [SecretRefusal.MISSING]


def test_a_node_without_it_asks_and_keeps_only_what_opens(tmp_path):
    answers: vault.Answers = {
        "none": lambda _asked: None,
        "foreign": lambda _asked: encode(envelope(OTHER, "node-2")),
        "old": lambda _asked: encode(envelope(version=2)),
        "noise": lambda _asked: b"\xc1",
        "right": lambda _asked: encode(envelope()),
        "late": lambda _asked: encode(envelope()),
    }
    node = Node(tmp_path, answers=answers)
    assert asyncio.run(node.secrets.gather(ONE, SPEC))
    assert node.others.asked == ["none", "foreign", "old", "noise", "right"]
    assert [(step, told["source"]) for step, told in node.papers.written] == [("secret-received", "right")]
    assert [one.code for one in node.papers.refused] == [
        SecretRefusal.WRONG_NODE, SecretRefusal.OTHER_SECRET, CodecRefusal.MALFORMED,
    ]  # fmt: skip
    assert asyncio.run(node.secrets.release(ONE, SPEC))[0].data == CLEAR


def test_where_nobody_has_it_the_node_says_so_and_waits(tmp_path):
    node = Node(tmp_path, answers={"a": lambda _asked: None})
    assert not asyncio.run(node.secrets.gather(ONE, SPEC))
    (refused,) = node.papers.refused
    assert (refused.code, refused.about) == (SecretRefusal.MISSING, (ONE, b""))
    assert refused.reason.startswith("SECRET-8: ")


def test_all_peers_are_asked_in_the_end_a_few_at_a_time() -> None:
    peers = Peers(lambda: tuple(map(str, range(20))), lambda *_: {})
    asked = [peers.some() for _ in range(3)]
    assert {len(one) for one in asked} == {8}
    assert {peer for one in asked for peer in one} == set(map(str, range(20)))
    assert peers.ask("127.0.0.1:1", ASKED) is None, "nobody listens there"


# --- for another node ------------------------------------------------------------------------------------------------


@pytest.fixture
def asked_node(node):
    """It has the secret, and node-2 is to run what needs it."""
    node.put(envelope())
    node.chain.nodes["node-2"] = (member(OTHER), share(ONE))
    return node


def test_a_secret_is_sealed_anew_for_the_node_that_is_to_run_what_needs_it(asked_node):
    sealed = SEALED_SECRETS.decode(asked_node.seal_for(ASKED, OTHER[:20]))
    assert sealed.label.node == "node-2"
    assert open_sealed(sealed, sealed.label, opening_keys(OTHER)) == CONTENT
    assert CLEAR not in encode(sealed)
    ((step, told),) = asked_node.papers.written
    assert (step, told["to"], told["key"]) == ("secret-resealed", "node-2", sealed.label.recipient)


def test_who_asks_again_gets_the_same_and_fills_no_log(asked_node, monkeypatch):
    first = asked_node.seal_for(ASKED, OTHER[:20])
    assert [asked_node.seal_for(ASKED, OTHER[:20]) for _ in range(3)] == [first] * 3
    assert len(asked_node.papers.written) == 1
    assert refusal(asked_node.seal_for, ASKED, SEED[:20]) is SecretRefusal.NOT_PLACED, "and nobody else does"
    monkeypatch.setattr("metanode.host.agent.secrets.GIVEN_S", 0.0)
    assert asked_node.seal_for(ASKED, OTHER[:20]) != first
    monkeypatch.setattr("metanode.host.agent.secrets.GIVEN_MAX", 1)
    asked_node.seal_for(ASKED, OTHER[:20])
    assert len(asked_node.secrets._given) == 1


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("another account asks", lambda node: (ASKED, SEED[:20])),
        ("nobody of this name", lambda node: (replace(ASKED, node="node-3"), OTHER[:20])),
        ("another attempt", lambda node: (replace(ASKED, attempt=2), OTHER[:20])),
        ("another replica", lambda node: (replace(ASKED, index=1), OTHER[:20])),
        ("another workload", lambda node: (replace(ASKED, workload="db"), OTHER[:20])),
        ("lost", lambda node: known(node, member(OTHER, standing="lost"), ONE)),
        ("only joining", lambda node: known(node, member(OTHER, standing="joining"), ONE)),
        ("never said what it has", lambda node: known(node, member(OTHER, inventory=()), ONE)),
        ("nothing assigned", lambda node: known(node, member(OTHER))),
        ("to be stopped", lambda node: known(node, member(OTHER), assignment(run=False))),
        ("needs no secret", lambda node: needs(node, spec_of())),
        ("needs another version", lambda node: needs(node, spec_of(secrets=(replace(TOKEN, version=2),)))),
        ("needs another content", lambda node: needs(node, spec_of(secrets=(replace(TOKEN, commitment=bytes(32)),)))),
        ("needs something unknown", lambda node: needs(node, None)),
    ],
)
def test_nobody_else_gets_it(asked_node, what, change):
    asked, account = change(asked_node)
    assert refusal(asked_node.seal_for, asked, account) is SecretRefusal.NOT_PLACED, what
    assert asked_node.papers.written == []


def known(node: Node, who: Any, *assignments: Any) -> tuple[SecretAsked, bytes]:
    node.chain.nodes["node-2"] = (who, share(*assignments))
    return ASKED, OTHER[:20]


def needs(node: Node, spec: Any) -> tuple[SecretAsked, bytes]:
    node.spec = spec
    return ASKED, OTHER[:20]


def test_what_is_not_here_is_not_sealed(asked_node):
    assert refusal(asked_node.seal_for, replace(ASKED, version=4), OTHER[:20]) is SecretRefusal.MISSING
    assert refusal(asked_node.seal_for, replace(ASKED, secret="other"), OTHER[:20]) is SecretRefusal.MISSING
