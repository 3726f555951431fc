"""What containers and other agents may say to a mesh: a value, a code, or a refusal; never anything else."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.docklock.mesh.switchboard import OPENING

from metanode.docklock.mesh import MeshRefusal, frames
from metanode.docklock.mesh.dns import NAME_BYTES_MAX, QUERY_BYTES_MAX, Code, Question, read_query, refuse, respond
from metanode.host.agent.mesh.asking import read_call
from metanode.host.agent.mesh.stub import Reply, answer
from metanode.primitives.refusal import Rejected

LABELS = st.lists(st.binary(max_size=70), max_size=6)
HEADERS = st.tuples(
    st.integers(0, 0xFFFF),
    st.sampled_from((0, 0x100, 0x8000, 0x0800, 0x0120)),
    st.integers(0, 2),
    *[st.integers(0, 3)] * 3,
)


@st.composite
def near_queries(draw: st.DrawFn) -> bytes:
    """Almost a query: a header, labels, pointers anywhere, records."""
    parts = [struct.pack(">HHHHHH", *draw(HEADERS))]
    for label in draw(LABELS):
        if draw(st.integers(0, 4)) == 0:
            parts.append(struct.pack(">H", 0xC000 | draw(st.integers(0, 60))))
        parts.append(bytes((len(label) & draw(st.sampled_from((0x3F, 0xFF))),)) + label)
    parts.append(draw(st.sampled_from((b"\0", b""))) + draw(st.sampled_from((b"\0\1\0\1", b"\0\x1c\0\1", b"\0\1"))))
    parts.append(draw(st.binary(max_size=40)))
    return b"".join(parts)


@settings(max_examples=150)
@given(data=st.one_of(st.binary(max_size=600), near_queries()))
def test_a_query_is_answered_or_not_and_nothing_else(data: bytes):
    said: list[bytes] = []
    asked: list[str] = []

    def resolve(name: str, reply: Reply) -> None:
        asked.append(name)
        reply(Code.NO_ERROR, "127.64.0.1")

    answer(data, resolve, said.append)
    assert len(said) <= 1
    for one in said:
        assert one[:2] == data[:2]
        assert one[2] & 0x80
        assert len(one) <= QUERY_BYTES_MAX + 16
        assert read_query(one) is None, "an answer is not answered"
    for name in asked:
        assert len(name) < NAME_BYTES_MAX
        assert name == name.lower()


@given(data=near_queries(), code=st.sampled_from(Code))
def test_a_response_repeats_the_question(data: bytes, code: Code):
    match read_query(data):
        case Question() as question:
            said = respond(question, code, "127.64.0.1")
            assert said[12 : 12 + len(question.raw)] == question.raw
            again = read_query(data[:2] + b"\0\0\0\1\0\0\0\0\0\0" + question.raw)
            assert isinstance(again, Question)
            assert (again.name, again.kind) == (question.name, question.kind)
        case None:
            pass
        case wrong:
            assert len(refuse(wrong)) == 12


@settings(max_examples=150)
@given(data=st.data())
def test_a_message_is_one_or_refused(data: st.DataObject):
    whole = data.draw(
        st.sampled_from(
            (
                frames.write_opening(7, OPENING),
                frames.write(frames.Kind.DATA, 7, b"hello", ours=True),
                frames.write_credit(7, 9, ours=False),
                frames.write_code(frames.Kind.REFUSE, 7, "mesh.lost", ours=False),
            )
        )
    )
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes((whole[at] ^ data.draw(st.integers(1, 255)),)) + whole[at + 1 :]
    for one in (changed, whole[:at], whole + data.draw(st.binary(min_size=1, max_size=4)), data.draw(st.binary())):
        try:
            message = frames.read(one)
        except Rejected as rejected:
            assert rejected.reason is MeshRefusal.MALFORMED
        else:
            assert message.flow <= frames.FLOW_MAX


@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=60).map(lambda t: f'{{"service":"{t}"}}'.encode())))
def test_an_operators_call_is_one_or_refused(body: bytes):
    try:
        read_call(body)
    except Rejected as rejected:
        assert rejected.reason is MeshRefusal.MALFORMED
