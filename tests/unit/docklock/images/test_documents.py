"""Digests, descriptors, manifests, indexes, platforms, references."""

import json
from hashlib import sha256
from typing import Any

import pytest
from tests.unit.docklock.images.refusing import refuses

from metanode.docklock.images.digests import Digest, chain_id, digest_of, parse_digest
from metanode.docklock.images.manifests import (
    BLOB_BYTES_MAX,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    DOCUMENT_BYTES_MAX,
    INDEX_ENTRIES_MAX,
    LAYERS_MAX,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    SAVED_IMAGES_MAX,
    Descriptor,
    Index,
    Manifest,
    Platform,
    SavedImage,
    check_runnable,
    decode_index,
    decode_layout,
    decode_manifest,
    decode_saved,
    encode_index,
    encode_manifest,
    encode_saved,
)
from metanode.docklock.images.platforms import choose, platform_of_machine, runs_on
from metanode.docklock.images.references import Reference, parse_reference
from metanode.docklock.images.refusals import ImageRefusal

A, B, C = (digest_of(name) for name in (b"a", b"b", b"c"))


def described(digest=A, media_type=OCI_LAYER, size=3, **more):
    return {"mediaType": media_type, "digest": str(digest), "size": size, **more}


def manifest(**more):
    return {"schemaVersion": 2, "config": described(B, OCI_CONFIG), "layers": [described()], **more}


def encoded(value):
    return json.dumps(value).encode()


def test_a_digest_is_sha256_and_its_digits():
    assert str(A) == "sha256:" + sha256(b"a").hexdigest() == str(parse_digest(str(A)))
    assert A.raw == sha256(b"a").digest()


@pytest.mark.parametrize(
    "text",
    ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "A" * 64, "sha512:" + "0" * 128, "0" * 64,
     "sha256:" + "0" * 63 + "\n", "sha256:" + "٠" * 64, "SHA256:" + "0" * 64],
)  # fmt: skip
def test_what_is_no_digest_is_refused(text):
    refuses(ImageRefusal.DIGEST_MALFORMED, parse_digest, text)


def test_the_chain_of_layers_is_that_of_the_specification():
    two = digest_of(f"{A} {B}".encode())
    assert chain_id((A,)) == A
    assert chain_id((A, B)) == two
    assert chain_id((A, B, C)) == digest_of(f"{two} {C}".encode())
    assert chain_id(()) == digest_of(b"")


def test_a_manifest_is_read_and_what_it_does_not_know_is_passed_over():
    found = decode_manifest(encoded(manifest(annotations={"b": "2", "a": "1"}, subject=described())), OCI_MANIFEST)
    assert found.layers == (Descriptor(OCI_LAYER, A, 3),)
    assert found.config.digest == B
    assert found.annotations == (("a", "1"), ("b", "2"))
    check_runnable(found)


def test_a_manifest_written_is_a_manifest_read():
    made = Manifest(OCI_MANIFEST, Descriptor(OCI_CONFIG, A, 1), (Descriptor(OCI_LAYER_GZIP, B, 2, (("k", "v"),)),))
    assert decode_manifest(encode_manifest(made), OCI_MANIFEST) == made
    top = Descriptor(OCI_MANIFEST, A, 5, (), Platform("linux", "arm", "v7"))
    assert decode_index(encode_index((top,)), OCI_INDEX) == Index(OCI_INDEX, (top,))
    saved = (SavedImage("c.json", ("l/layer.tar",), ("a:1",)),)
    assert decode_saved(encode_saved(saved)) == saved


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schemaVersion": 1}, ImageRefusal.UNSUPPORTED_MEDIA),
        ({"mediaType": DOCKER_MANIFEST}, ImageRefusal.MALFORMED),
        ({"manifests": []}, ImageRefusal.MALFORMED),
        ({"fsLayers": []}, ImageRefusal.MALFORMED),
        ({"layers": None}, ImageRefusal.MALFORMED),
        ({"layers": [described(size=-1)]}, ImageRefusal.MALFORMED),
        ({"layers": [described(size=BLOB_BYTES_MAX + 1)]}, ImageRefusal.MALFORMED),
        ({"layers": [described(size=1.5)]}, ImageRefusal.MALFORMED),
        ({"layers": [described(digest="sha256:short")]}, ImageRefusal.DIGEST_MALFORMED),
        ({"layers": [described()] * (LAYERS_MAX + 1)}, ImageRefusal.TOO_MANY_LAYERS),
        ({"filling": "x" * DOCUMENT_BYTES_MAX}, ImageRefusal.TOO_LARGE),
    ],
)
def test_a_manifest_that_is_none_is_refused(change, reason):
    refuses(reason, decode_manifest, encoded(manifest(**change)), OCI_MANIFEST)


def test_whoever_names_a_document_says_what_it_is():
    refuses(ImageRefusal.UNSUPPORTED_MEDIA, decode_manifest, encoded(manifest()), OCI_INDEX)
    refuses(ImageRefusal.UNSUPPORTED_MEDIA, decode_index, encoded({"schemaVersion": 2, "manifests": []}), OCI_MANIFEST)
    refuses(ImageRefusal.MALFORMED, decode_index, encoded(manifest(manifests=[])), OCI_INDEX)
    for data in (b"", b"{", b"\xff", b"[" * 100_000, b"null"):
        refuses(ImageRefusal.MALFORMED, decode_manifest, data, OCI_MANIFEST)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": described(B, "application/vnd.example.chart.config.v1+json")}, ImageRefusal.UNSUPPORTED_MEDIA),
        ({"layers": [described(media_type=OCI_LAYER + "+zstd")]}, ImageRefusal.COMPRESSION),
        ({"layers": [described(media_type="application/vnd.in-toto+json")]}, ImageRefusal.UNSUPPORTED_MEDIA),
        (
            {"layers": [described(media_type="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")]},
            ImageRefusal.UNSUPPORTED_MEDIA,
        ),
    ],
)
def test_what_is_no_image_to_run_is_refused(change, reason):
    refuses(reason, check_runnable, decode_manifest(encoded(manifest(**change)), OCI_MANIFEST))


def test_too_many_images_are_refused():
    many = {"schemaVersion": 2, "manifests": [described(media_type=OCI_MANIFEST)] * (INDEX_ENTRIES_MAX + 1)}
    refuses(ImageRefusal.TOO_LARGE, decode_index, encoded(many), OCI_INDEX)
    rows: list[Any] = [{"Config": "c", "Layers": [], "RepoTags": None}] * (SAVED_IMAGES_MAX + 1)
    refuses(ImageRefusal.TOO_LARGE, decode_saved, encoded(rows))
    refuses(ImageRefusal.MALFORMED, decode_saved, encoded([{"Config": "c", "Layers": ["l"] * (LAYERS_MAX + 1)}]))


def test_a_layout_has_the_version_that_is_known():
    decode_layout(b'{"imageLayoutVersion": "1.0.0", "more": 1}')
    refuses(ImageRefusal.ARCHIVE_UNKNOWN, decode_layout, b'{"imageLayoutVersion": "2.0.0"}')
    refuses(ImageRefusal.MALFORMED, decode_layout, b"{}")
    refuses(ImageRefusal.TOO_LARGE, decode_layout, bytes(4097))


def test_the_kernel_names_the_machine():
    assert platform_of_machine("x86_64") == Platform("linux", "amd64", "v1")
    assert str(platform_of_machine("aarch64")) == "linux/arm64/v8"
    refuses(ImageRefusal.NO_PLATFORM, platform_of_machine, "pdp11")


@pytest.mark.parametrize(
    ("image", "machine", "runs"),
    [
        ("linux/amd64", "linux/amd64/v1", True),
        ("linux/amd64/v2", "linux/amd64/v1", False),
        ("linux/amd64/v2", "linux/amd64/v3", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v5", "linux/arm/v7", True),
        ("linux/arm", "linux/arm/v6", False),
        ("linux/arm/v99999", "linux/arm/v7", False),
        ("linux/arm/odd", "linux/arm/v7", False),
        ("windows/amd64", "linux/amd64", False),
        ("linux/386", "linux/386", True),
    ],
)
def test_a_variant_no_newer_than_the_machine_runs(image, machine, runs):
    assert runs_on(Platform(*image.split("/")), Platform(*machine.split("/"))) is runs


def of(text, digest=A, media_type=OCI_MANIFEST):
    return Descriptor(media_type, digest, 1, (), Platform(*text.split("/")) if text else None)


def test_of_an_index_the_best_image_is_chosen():
    arm = Platform("linux", "arm", "v7")
    six, seven, eight = of("linux/arm/v6", A), of("linux/arm/v7", B), of("linux/arm/v8", C)
    assert choose(Index(OCI_INDEX, (six, seven, eight)), arm) == seven
    assert choose(Index(OCI_INDEX, (six, eight)), arm) == six
    assert choose(Index(OCI_INDEX, (of("linux/arm/v6", C), six)), arm).digest == C, "of equals the first"
    assert choose(Index(DOCKER_LIST, (of("", B),)), arm).digest == B
    attested = Index(OCI_INDEX, (of("unknown/unknown", C), six))
    assert choose(attested, arm) == six
    for others in ((), (of("", A), of("", B)), (of("linux/s390x"),), (of("linux/arm/v6", A, "application/x"),)):
        detail = refuses(ImageRefusal.NO_PLATFORM, choose, Index(OCI_INDEX, others), arm)
        assert "linux/arm/v7" in detail


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("web", Reference("", "web")),
        ("shop/web:1", Reference("", "shop/web", "1")),
        ("localhost/web", Reference("localhost", "web")),
        ("127.0.0.1:5000/shop/web:1.2", Reference("127.0.0.1:5000", "shop/web", "1.2")),
        (f"registry.example/a/b__c--d@{A}", Reference("registry.example", "a/b__c--d", "", A)),
        (f"web:1@{A}", Reference("", "web", "1", A)),
    ],
)
def test_references_are_read_and_written(text, reference):
    assert parse_reference(text) == reference
    assert str(reference) == text
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    ["", ":1", "Web", "web:", "web:-1", "web:" + "a" * 129, "a//b", "a/", "/a", "-a", "a..b", "a/../b", "web 1",
     "web\n", "host.example:port/web", "a" * 256, "a" * 513, "a:b/c:d/e", "ex_ample.org/web"],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text):
    refuses(ImageRefusal.REFERENCE_MALFORMED, parse_reference, text)


def test_only_a_digest_pins():
    assert parse_reference(f"web:1@{A}").pinned == A
    assert parse_reference("web").alias == "web:latest"
    assert "web@sha256:" in refuses(ImageRefusal.NOT_PINNED, lambda: parse_reference("web:1").pinned)
    refuses(ImageRefusal.DIGEST_MALFORMED, parse_reference, "web@sha256:0")
    assert Digest(A.hex) < Digest("f" * 64)
