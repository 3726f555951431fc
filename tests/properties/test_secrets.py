"""SECRET-2, 3. For any content: it opens where it was sealed to and nowhere else, and no byte of it can be changed."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.docklock.secrets.keyring import CHAIN, keys

from metanode.docklock.secrets import Content, commitment_of, label_of, open_sealed, seal
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.secret import SEALED_SECRETS

NAMES = st.integers(0, 9).map(lambda number: f"node-{number}")
CONTENTS = st.builds(Content, st.binary(min_size=32, max_size=32), st.binary(max_size=1_200))


@given(CONTENTS, NAMES, NAMES, st.binary(min_size=32, max_size=32))
def test_what_is_sealed_to_one_opens_for_nobody_else(content: Content, to: str, other: str, once: bytes) -> None:
    label = label_of(CHAIN, "main", to, keys(to).public, "token", 1, commitment_of("main", "token", content))
    sealed = SEALED_SECRETS.decode(encode(seal(label, keys(to).public, content, once)))
    assert open_sealed(sealed, label, keys(to)) == content
    if other != to:
        try:
            open_sealed(sealed, label, keys(other))
        except Rejected:
            pass
        else:
            raise AssertionError("another node has opened it")


@given(CONTENTS, st.data())
def test_every_flipped_byte_is_refused(content: Content, data: st.DataObject) -> None:
    label = label_of(CHAIN, "main", "node-1", keys("a").public, "token", 1, commitment_of("main", "token", content))
    whole = encode(seal(label, keys("a").public, content, bytes(range(32))))
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
    try:
        open_sealed(SEALED_SECRETS.decode(changed), label, keys("a"))
    except Rejected:
        return
    raise AssertionError(f"byte {at} was changed and it opened")
