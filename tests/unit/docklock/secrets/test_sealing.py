"""SECRET-1 to 3. Sealed to one node and one meaning; everything else is refused, and says why."""

import contextlib
from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.secrets.keyring import CHAIN, CLEAR, CONTENT, HERE, THERE, keys, label, sealed
from tests.unit.docklock.secrets.pinned import COMMITMENT, ENVELOPE, RECIPIENT

from metanode.docklock.secrets import (
    Content,
    OpeningKeys,
    commitment_of,
    label_of,
    open_sealed,
    salt_of,
    salt_question,
    seal,
)
from metanode.primitives import ed25519
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Refusal, Rejected
from metanode.primitives.sealing import SealingRefusal
from metanode.records.demand import DemandRefusal
from metanode.records.secret import (
    PADDED_BYTES,
    SEALED_BYTES_MAX,
    SEALED_SECRETS,
    SECRET_BYTES_MAX,
    SecretAsked,
    SecretRefusal,
    check_asked,
)

ONCE = sha256(b"once").digest()


def refusal(do: Any, *arguments: Any) -> Refusal:
    with pytest.raises(Rejected) as refused:
        do(*arguments)
    assert CLEAR.decode() not in refused.value.detail
    return refused.value.reason


def test_what_is_sealed_to_a_node_opens_there() -> None:
    for clear in (b"", b"x", CLEAR, bytes(SECRET_BYTES_MAX)):
        content = Content(CONTENT.salt, clear)
        envelope = SEALED_SECRETS.decode(encode(sealed(content)))
        assert open_sealed(envelope, label(content=content), HERE) == content
        assert len(encode(envelope)) <= SEALED_BYTES_MAX


def test_an_envelope_shows_nothing_of_its_content_and_little_of_its_length() -> None:
    assert CLEAR not in encode(sealed())
    assert CONTENT.salt not in encode(sealed())
    lengths = {len(sealed(Content(CONTENT.salt, bytes(size))).ciphertext) for size in range(0, 400, 50)}
    assert lengths == {PADDED_BYTES + 16}
    assert CLEAR.decode() not in repr((CONTENT, HERE, sealed()))
    assert HERE.kem.hex()[:16] not in repr(HERE)


def test_an_envelope_is_opened_as_it_was_pinned() -> None:
    """SECRET-2: tags, order, key derivation, filling up. ML-KEM draws its own chance, so one that was made is kept."""
    data = b64decode(ENVELOPE)
    pinned = SEALED_SECRETS.decode(data)
    assert pinned.label == label()
    assert label().commitment.hex() == COMMITMENT
    assert label().recipient.hex() == RECIPIENT
    assert open_sealed(pinned, label(), HERE) == CONTENT


def test_no_other_node_opens_it() -> None:
    assert refusal(open_sealed, sealed(), label(), THERE) is SecretRefusal.WRONG_NODE
    assert refusal(open_sealed, sealed(), label("node-2", THERE), THERE) is SecretRefusal.WRONG_NODE
    pretended = replace(sealed(), label=label("node-2", THERE))
    assert refusal(open_sealed, pretended, label("node-2", THERE), THERE) is SecretRefusal.NOT_AUTHENTIC
    half = OpeningKeys(HERE.x25519, THERE.kem)
    assert refusal(open_sealed, replace(sealed(), label=label("node-1", half)), label("node-1", half), half) is (
        SecretRefusal.NOT_AUTHENTIC
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": sha256(b"another").digest()},
        {"cluster": "other"},
        {"secret": "key"},
        {"version": 2},
        {"commitment": bytes(32)},
    ],
)
def test_an_envelope_of_another_meaning_is_refused_and_cannot_be_relabelled(changes: dict[str, Any]) -> None:
    """A foreign one, and an old one that is played again."""
    asked = replace(label(), **changes)
    assert refusal(open_sealed, sealed(), asked, HERE) is SecretRefusal.OTHER_SECRET
    assert refusal(open_sealed, replace(sealed(), label=asked), asked, HERE) is SecretRefusal.NOT_AUTHENTIC


def test_what_is_cut_off_is_refused() -> None:
    for length in (0, 15, PADDED_BYTES, len(sealed().ciphertext) - 1):
        cut = replace(sealed(), ciphertext=sealed().ciphertext[:length])
        assert refusal(open_sealed, cut, label(), HERE) is SecretRefusal.NOT_AUTHENTIC
    for part in ("ephemeral", "encapsulated"):
        cut = replace(sealed(), **{part: getattr(sealed(), part)[:-1]})
        assert refusal(open_sealed, cut, label(), HERE) is SecretRefusal.MALFORMED


def test_no_single_byte_can_be_changed() -> None:
    whole, opened = encode(sealed()), 0
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with contextlib.suppress(Rejected):
            open_sealed(SEALED_SECRETS.decode(changed), label(), HERE)
            opened += 1
    assert opened == 0


def test_a_key_of_low_order_is_no_way_in() -> None:
    low = replace(sealed(), ephemeral=bytes(32))
    assert refusal(open_sealed, low, label(), HERE) is SecretRefusal.NOT_AUTHENTIC
    public = bytes(32) + HERE.public[32:]
    made = label_of(CHAIN, "main", "node-1", public, "token", 3, label().commitment)
    assert refusal(seal, made, public, CONTENT, ONCE) is SealingRefusal.LOW_ORDER
    assert refusal(label_of, CHAIN, "main", "node-1", b"short", "token", 3, bytes(32)) is SecretRefusal.MALFORMED
    assert refusal(label_of, CHAIN, "main", "node-1", HERE.public, "token", 0, bytes(32)) is DemandRefusal.OUT_OF_RANGE


def test_a_content_that_was_not_committed_to_is_refused_by_who_seals_and_by_who_opens() -> None:
    other = Content(CONTENT.salt, b"another")
    assert refusal(seal, label(), HERE.public, other, ONCE) is SecretRefusal.OTHER_CONTENT
    assert refusal(seal, label(), THERE.public, CONTENT, ONCE) is SecretRefusal.WRONG_NODE
    assert refusal(open_sealed, sealed_by_a_liar(other), label(), HERE) is SecretRefusal.OTHER_CONTENT


def sealed_by_a_liar(content: Content) -> Any:
    """An envelope with the right label and another content, as a node could make one that does not check."""
    from metanode.docklock.secrets import sealing

    honest = sealing.commitment_of
    sealing.commitment_of = lambda *_: label().commitment  # type: ignore[assignment]
    try:
        return seal(label(), HERE.public, content, ONCE)
    finally:
        sealing.commitment_of = honest


def test_what_was_filled_up_otherwise_is_refused() -> None:
    from metanode.docklock.secrets.sealing import _unpadded

    whole = CONTENT.salt + len(CLEAR).to_bytes(4, "big") + CLEAR
    good = whole + bytes(-len(whole) % PADDED_BYTES)
    assert _unpadded(good) == CONTENT
    for bad in (good[:-1], good + bytes(PADDED_BYTES), good[:-1] + b"\1", b"", CONTENT.salt + b"\xff" * 480):
        assert refusal(_unpadded, bad) is SecretRefusal.MALFORMED
    assert refusal(Content, bytes(32), bytes(SECRET_BYTES_MAX + 1)) is SecretRefusal.TOO_LARGE


def test_the_same_operator_commits_to_the_same_content_alike_and_nobody_else_can() -> None:
    def commits(seed: bytes, clear: bytes, cluster: str = "main") -> bytes:
        signature = ed25519.SigningKey(seed).sign(salt_question(cluster, "token", clear))
        return commitment_of(cluster, "token", Content(salt_of(signature), clear))

    first = commits(bytes(32), CLEAR)
    assert commits(bytes(32), CLEAR) == first
    others = {commits(bytes(31) + b"\1", CLEAR), commits(bytes(32), CLEAR + b"\n"), commits(bytes(32), CLEAR, "other")}
    assert len({first, *others}) == 4
    assert commitment_of("main", "token", Content(bytes(32), CLEAR)) not in {first, sha256(CLEAR).digest()}


def test_a_question_for_a_secret_has_its_form() -> None:
    asked = SecretAsked(
        node="node-2", workload="web", index=0, attempt=1, secret="token", version=3, commitment=label().commitment
    )
    check_asked(asked)
    assert refusal(check_asked, replace(asked, node="../etc")) is DemandRefusal.BAD_NAME
    assert refusal(check_asked, replace(asked, secret="a/b")) is DemandRefusal.BAD_NAME
    assert refusal(check_asked, replace(asked, index=-1)) is DemandRefusal.OUT_OF_RANGE
    assert refusal(check_asked, replace(asked, version=0)) is DemandRefusal.OUT_OF_RANGE


def test_keys_of_different_nodes_differ() -> None:
    assert len({keys(f"node-{number}").public for number in range(4)}) == 4
