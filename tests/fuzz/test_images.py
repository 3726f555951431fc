"""Documents of images, archives and what registries say: arbitrary bytes end in a value or a refusal of their room."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.host.images.made import file, folder, hard_link, image, index, layout, saved, symlink, tar

from metanode.docklock.images.bounds import Budget, Limits
from metanode.docklock.images.configs import decode_config, stop_signal
from metanode.docklock.images.digests import parse_digest
from metanode.docklock.images.distribution import decode_token, error_text, parse_challenges, range_begins
from metanode.docklock.images.keys import key_of_pem
from metanode.docklock.images.manifests import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    check_runnable,
    decode_index,
    decode_layout,
    decode_manifest,
    decode_saved,
    encode_manifest,
)
from metanode.docklock.images.paths import entry_path, link_text
from metanode.docklock.images.plan import Plan
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.refusals import ImageRefusal, RegistryRefusal
from metanode.docklock.images.signatures import COSIGN_ANNOTATION, SIMPLE_SIGNING, cosign_layers, decode_payload
from metanode.docklock.images.tar import BLOCK_BYTES, Entry, Extra, Headers
from metanode.docklock.images.users import identify
from metanode.host.images.archive import entries
from metanode.host.images.streams import FilePieces, Reader, unpacked
from metanode.primitives.refusal import Rejected

MADE = image(tar([file("a", b"a")]), run={"Env": ["A=b"], "Cmd": ["x"], "ExposedPorts": {"80/tcp": {}}, "User": "1:2"})
PAYLOAD = json.dumps({
    "critical": {"image": {"docker-manifest-digest": MADE.digest}, "type": "cosign container image signature"}
}).encode()  # fmt: skip
SAVED = next(data for info, data in saved(MADE) if info.name == "manifest.json")
DOCUMENTS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "manifest": (lambda data: decode_manifest(data, OCI_MANIFEST), MADE.manifest),
    "index": (lambda data: decode_index(data, OCI_INDEX), index(MADE.descriptor())),
    "configuration": (decode_config, MADE.config_bytes),
    "layout": (decode_layout, b'{"imageLayoutVersion": "1.0.0"}'),
    "manifest.json": (decode_saved, SAVED),
    "payload": (decode_payload, PAYLOAD),
    "token": (decode_token, b'{"token": "abc"}'),
    "key": (key_of_pem, b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"),
}
EACH = pytest.mark.parametrize("name", DOCUMENTS)
TEXTS: dict[str, Callable[[str], Any]] = {
    "digest": parse_digest,
    "reference": parse_reference,
    "signal": stop_signal,
    "challenge": parse_challenges,
    "range": range_begins,
    "user": lambda text: identify(text, b"a:x:1:1::/:", b"b:x:2:a"),
    "accounts": lambda text: identify("a", text.encode("utf-8", "replace"), text.encode("utf-8", "replace")),
    "error": lambda text: error_text(text.encode("utf-8", "replace")),
    "path": lambda text: entry_path(text.encode("utf-8", "replace")),
    "link": lambda text: link_text((b"a", b"b"), text.encode("utf-8", "replace")),
}


def ends_well(call: Callable[[], Any]) -> Any:
    """The only two ends; the value, or None where it was refused."""
    try:
        return call()
    except Rejected as rejected:
        assert isinstance(rejected.reason, ImageRefusal | RegistryRefusal)
        assert rejected.detail
        assert len(rejected.detail) < 2000
        return None


@EACH
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes(name: str, data: bytes) -> None:
    ends_well(lambda: DOCUMENTS[name][0](data))


@EACH
@given(data=st.data())
def test_documents_with_damage(name: str, data: st.DataObject) -> None:
    decode, honest = DOCUMENTS[name]
    at = data.draw(st.integers(0, len(honest)))
    stop = data.draw(st.integers(at, min(len(honest), at + 20)))
    filling = data.draw(
        st.one_of(st.binary(max_size=20), st.sampled_from([b"null", b"-1", b'"x"', b"[]", b"{}", b"1e9"]))
    )
    ends_well(lambda: decode(honest[:at] + filling + honest[stop:]))


@pytest.mark.parametrize("name", TEXTS)
@given(text=st.one_of(st.text(max_size=60), st.text('ab:/@.-_sha256="\\, 09SIGRTMAX+bytes*\x00', max_size=60)))
def test_arbitrary_texts(name: str, text: str) -> None:
    ends_well(lambda: TEXTS[name](text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["config", "layers", "mediaType", "digest", "size", "schemaVersion", "rootfs", "diff_ids", "os"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@EACH
@given(value=JSON)
def test_arbitrary_json(name: str, value: object) -> None:
    ends_well(lambda: DOCUMENTS[name][0](json.dumps(value).encode()))


@given(data=st.binary(max_size=200), annotation=st.text(max_size=100))
def test_what_is_decoded_is_what_is_encoded(data: bytes, annotation: str) -> None:
    layer = Descriptor(SIMPLE_SIGNING, parse_digest(MADE.digest), len(data), ((COSIGN_ANNOTATION, annotation),))
    manifest = Manifest(OCI_MANIFEST, Descriptor(OCI_CONFIG, parse_digest(MADE.digest), 1), (layer,))
    assert decode_manifest(encode_manifest(manifest), OCI_MANIFEST) == manifest
    assert all(len(signature) <= 72 for _, signature in cosign_layers(manifest))
    ends_well(lambda: check_runnable(manifest))


def planned(data: bytes) -> int:
    """Read a layer and plan each of its entries; how many there were."""
    plan = Plan(Budget(Limits(entries=1000)))
    steps = [plan.step(entry) for entry, _ in entries(Reader(unpacked(FilePieces(io.BytesIO(data)))))]
    return len(steps)


HONEST = tar([
    folder("d/"), file("d/" + "n" * 150, b"x" * 700, mtime=1.5, uid=1 << 22), symlink("l", "d"), hard_link("h", "l"),
    file("d/.wh.x"), *layout(MADE)[:2],
])  # fmt: skip


@given(data=st.binary(max_size=3000))
def test_arbitrary_archives(data: bytes) -> None:
    ends_well(lambda: planned(data))
    ends_well(lambda: planned(b"\x1f\x8b\x08" + data))


@settings(max_examples=200)
@given(data=st.data())
def test_archives_with_damage(data: st.DataObject) -> None:
    changed = bytearray(HONEST)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=12))
    ends_well(lambda: planned(bytes(changed)))


@settings(max_examples=200)
@given(data=st.data())
def test_headers_with_damage_whose_checksum_fits(data: st.DataObject) -> None:
    """A wrong checksum would hide what lies behind it: here it is always made right."""
    blocks = [bytearray(HONEST[at : at + BLOCK_BYTES]) for at in range(0, len(HONEST), BLOCK_BYTES)]
    block = data.draw(st.sampled_from(blocks[:6]))
    at = data.draw(st.integers(0, 344))
    filling = data.draw(st.binary(min_size=1, max_size=12))
    block[at : at + len(filling)] = filling
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\x00 " % sum(block)
    ends_well(lambda: planned(b"".join(blocks)))


@given(blocks=st.lists(st.binary(min_size=BLOCK_BYTES, max_size=BLOCK_BYTES), max_size=3), extra=st.binary(max_size=64))
def test_headers_take_whatever_comes(blocks: list[bytes], extra: bytes) -> None:
    headers = Headers()
    for block in blocks:
        answer = ends_well(lambda block=block: headers.block(block))  # type: ignore[misc]
        if isinstance(answer, Extra):
            ends_well(lambda: headers.more(extra))
        elif isinstance(answer, Entry):
            assert answer.size >= 0
