"""Messages between agent and shim: bounded, and what is no message is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metanode.host.runtimes.caging import Cage, Input
from metanode.host.runtimes.plan import HOST_USR, ContainerPlan, Kept, Limits, LogBounds, Mount, Secret
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.host.runtimes.shim.frames import FRAME_BYTES_MAX, Unpacker, bytes_of, packed, text_of
from metanode.host.runtimes.shim.plans import plan_message, plan_of
from metanode.primitives.refusal import Rejected

PLAN = ContainerPlan(
    "shop.web.0.1",
    HOST_USR,
    ("sh", "-c", "echo ä"),
    Limits(64 << 20, 500, 7, 99),
    env=(("A", "1"),),
    mounts=(Mount("/a", "/b", read_only=True),),
    secrets=(Secret("/s/x", b"\xff\0"),),
    kept=(Kept.NET_BIND_SERVICE,),
    log=LogBounds(8192, 3),
    cage=Cage(bytes(32), (Input("/c/d", "/input/d", b"d" * 32),), ("/tmp/out",)),
)


def test_a_plan_survives_the_way() -> None:
    assert plan_of(json.loads(json.dumps(plan_message(PLAN)))) == PLAN
    assert plan_of(plan_message(PLAN, secrets=False)) == replace(PLAN, secrets=())


@pytest.mark.parametrize(
    "changed",
    [
        {"uid": True}, {"uid": "0"}, {"id": 1}, {"read_only_root": 1}, {"command": [1]}, {"command": 5},
        {"env": [["A"]]},
        {"limits": [1]}, {"limits": ["1", 2, 3, 4]}, {"mounts": [["/a", "/b"]]}, {"mounts": [["/a", "/b", 0]]},
        {"secrets": [["/s/x", "not base64!", 0o400]]}, {"kept": ["SYS_ADMIN"]}, {"log": [True, 2]},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_plan_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(Rejected) as refused:
        plan_of({**plan_message(PLAN), **changed})
    assert refused.value.reason is RuntimeRefusal.BAD_FRAME


@pytest.mark.parametrize("missing", sorted(set(plan_message(PLAN)) - {"cage"}))
def test_a_plan_lacks_nothing(missing: str) -> None:
    with pytest.raises(Rejected) as refused:
        plan_of({name: value for name, value in plan_message(PLAN).items() if name != missing})
    assert refused.value.reason is RuntimeRefusal.BAD_FRAME


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20), max_size=3), max_size=5),
    st.data(),
)
def test_messages_arrive_however_they_are_cut(messages: list[dict[str, object]], data: st.DataObject) -> None:
    stream = b"".join(packed(message) for message in messages)
    unpacker, found = Unpacker(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += unpacker.feed(stream[:cut])
        stream = stream[cut:]
    assert found == messages


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000], ids=lambda body: repr(body[:4]))
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        Unpacker().feed(len(body).to_bytes(4, "big") + body)
    assert refused.value.reason is RuntimeRefusal.BAD_FRAME


def test_nesting_is_bounded_whatever_the_recursion_limit_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found where another library had raised it: the parser ran out of stack, and the process was gone."""
    monkeypatch.setattr(json, "loads", lambda _: pytest.fail("it was parsed"))
    for body in (b"[" * 100_000, b'{"a":' * 33 + b"1" + b"}" * 33):
        with pytest.raises(Rejected) as refused:
            Unpacker().feed(len(body).to_bytes(4, "big") + body)
        assert refused.value.reason is RuntimeRefusal.BAD_FRAME


def test_brackets_in_texts_and_many_beside_each_other_are_no_nesting() -> None:
    message = {"words": ["[" * 100, '\\"{{[', "\\\\"] * 50, "mounts": [{"at": [number]} for number in range(200)]}
    assert Unpacker().feed(packed(message)) == [message]


def test_a_frame_that_is_too_long_is_refused_before_it_arrives() -> None:
    with pytest.raises(Rejected) as refused:
        Unpacker().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
    assert refused.value.reason is RuntimeRefusal.BAD_FRAME
    with pytest.raises(Rejected) as unsent:
        packed({"a": "x" * FRAME_BYTES_MAX})
    assert unsent.value.reason is RuntimeRefusal.BAD_FRAME


@given(st.binary(max_size=300))
def test_bytes_travel_as_text(data: bytes) -> None:
    assert bytes_of(text_of(data)) == data


@given(st.binary(max_size=64))
def test_noise_is_refused_or_waited_for(data: bytes) -> None:
    try:
        messages = Unpacker().feed(data)
    except Rejected as refused:
        assert refused.reason is RuntimeRefusal.BAD_FRAME
    else:
        assert all(isinstance(message, dict) for message in messages)


def test_the_largest_plan_fits_a_frame() -> None:
    secrets = tuple(Secret(f"/s/{n}", bytes(64 << 10)) for n in range(4))
    big = replace(PLAN, command=("\\" * (128 << 10),), env=(("A", "\x01" * ((128 << 10) - 1)),), secrets=secrets)
    assert Unpacker().feed(packed({"n": 1, "do": "create", "plan": plan_message(big)})) != []
