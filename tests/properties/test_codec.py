"""Whatever decodes encodes to the same bytes; whatever encodes decodes to the same value."""

from hypothesis import given
from hypothesis import strategies as st

from metanode.primitives.codec import Decoder, Wire, encode
from metanode.primitives.refusal import Rejected


class Leaf(Wire):
    number: int
    data: bytes
    text: str
    flag: bool


class Tree(Wire):
    version: int
    leaves: tuple[Leaf, ...]
    numbers: tuple[int, ...]


TREES = Decoder[Tree](Tree, 1 << 20)
LEAVES = st.builds(
    lambda number, data, text, flag: Leaf(number=number, data=data, text=text, flag=flag),
    st.integers(0, (1 << 64) - 1),
    st.binary(max_size=300),
    st.text(max_size=40),
    st.booleans(),
)
VALUES = st.builds(
    lambda version, leaves, numbers: Tree(version=version, leaves=tuple(leaves), numbers=tuple(numbers)),
    st.integers(0, 255),
    st.lists(LEAVES, max_size=20),
    st.lists(st.integers(0, (1 << 64) - 1), max_size=20),
)


@given(VALUES)
def test_a_value_survives(value: Tree) -> None:
    assert TREES.decode(encode(value)) == value


@given(VALUES, st.data())
def test_a_changed_byte_gives_another_value_or_a_refusal(value: Tree, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = TREES.decode(bytes(encoded))
    except Rejected:
        return
    assert changed != value
    assert encode(changed) == bytes(encoded)
