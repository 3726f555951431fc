"""Images to and from a real registry: Debian's docker-registry."""

import io
import json
from base64 import b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.integration.images.real_registry import PASSWORD, USER, TokenServer, by_password, catalogue, registry
from tests.unit.host.images.made import OCI, file, folder, hexed, image, image_store, index, layout, tar

from metanode.docklock.images.digests import parse_digest
from metanode.docklock.images.keys import key_of_pem
from metanode.docklock.images.manifests import OCI_MANIFEST, Descriptor
from metanode.docklock.images.policy import check
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.refusals import ImageRefusal, RegistryRefusal
from metanode.docklock.images.signatures import COSIGN_ANNOTATION, SIMPLE_SIGNING, cosign_tag
from metanode.host.images.importing import import_archive
from metanode.host.images.pulling import pull, push, signatures
from metanode.host.images.registry import Credentials, Registry
from metanode.host.images.web import Web
from metanode.primitives.refusal import Rejected
from metanode.records.image_policy import ImagePolicy

pytestmark = pytest.mark.live
BASE = tar([folder("etc/"), file("etc/motd", b"hello\n" * 50_000)])
TOP = tar([file("etc/more", b"more")])


def filled(path: Path):
    """A store with one image of two layers, named `shop/web:1`."""
    images = image_store(path)
    (made,) = import_archive(images, io.BytesIO(tar(layout(image(BASE, TOP)))))
    return images, made


def test_an_image_goes_up_and_comes_down_by_tag_and_by_digest(tmp_path):
    images, made = filled(tmp_path / "one")
    with registry(tmp_path) as address:
        there = Registry(address, Web())
        there.ping()
        assert push(images, there, "shop/web:1", "shop/web", "1") == made
        push(images, there, "shop/web:1", "shop/web", "1")  # what is there is not sent twice
        assert catalogue(address) == ["shop/web"]
        other = image_store(tmp_path / "two")
        by_tag = pull(other, there, parse_reference("shop/web:1"))
        assert (by_tag.digest, by_tag.parts, by_tag.names) == (made.digest, made.parts, ("shop/web:1",))
        third = image_store(tmp_path / "three")
        assert pull(third, there, parse_reference(f"shop/web@{made.digest}")).names == ()
        for reference, reason in (
            ("shop/web:2", RegistryRefusal.UNKNOWN),
            ("shop/none:1", RegistryRefusal.UNKNOWN),
            (f"shop/web@sha256:{'0' * 64}", RegistryRefusal.UNKNOWN),
        ):
            with pytest.raises(Rejected) as refused:
                pull(third, there, parse_reference(reference))
            assert refused.value.reason is reason


def test_of_an_index_the_image_for_this_machine_comes_down(tmp_path):
    images, made = filled(tmp_path / "one")
    other = image(BASE, architecture="arm64")
    arm = image_store(tmp_path / "arm")
    arm.machine = other_machine = arm.machine.__class__("linux", "arm64", "v8")
    assert other_machine.variant == "v8"
    import_archive(arm, io.BytesIO(tar(layout(other))))
    with registry(tmp_path) as address:
        there = Registry(address, Web())
        push(images, there, "shop/web:1", "shop/web", str(made.digest))
        push(arm, there, "shop/web:1", "shop/web", other.digest)
        of_two = index(
            other.descriptor(platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
            {
                "mediaType": OCI_MANIFEST, "digest": str(made.digest), "size": made.top.size,
                "platform": {"os": "linux", "architecture": "amd64"},
            },
        )  # fmt: skip
        there.push_manifest("shop/web", "both", OCI + "index.v1+json", of_two)
        mine = image_store(tmp_path / "two")
        pulled = pull(mine, there, parse_reference("shop/web:both"))
        assert (str(pulled.digest), pulled.manifest) == (f"sha256:{hexed(of_two)}", made.digest)
        assert not mine.blobs.has(parse_digest(other.digest)), "the other platform's stays where it is"
        push(mine, there, "shop/web:both", "shop/web", "again")
        assert there.manifest("shop/web", "again")[1] == of_two
        s390 = image_store(tmp_path / "three")
        s390.machine = arm.machine.__class__("linux", "s390x")
        with pytest.raises(Rejected) as refused:
            pull(s390, there, parse_reference("shop/web:both"))
        assert refused.value.reason is ImageRefusal.NO_PLATFORM


def test_a_registry_with_passwords_gives_to_who_has_one(tmp_path):
    images, _ = filled(tmp_path / "one")
    with registry(tmp_path, by_password(tmp_path)) as address:
        for credentials in (None, Credentials(USER, "wrong")):
            with pytest.raises(Rejected) as refused:
                Registry(address, Web(), credentials).ping()
            assert refused.value.reason is RegistryRefusal.UNAUTHORIZED
        there = Registry(address, Web(), Credentials(USER, PASSWORD))
        there.ping()
        push(images, there, "shop/web:1", "shop/web", "1")
        assert pull(image_store(tmp_path / "two"), there, parse_reference("shop/web:1")).names == ("shop/web:1",)


def test_a_registry_with_tokens_gives_to_who_gets_one(tmp_path):
    images, _ = filled(tmp_path / "one")
    tokens = TokenServer(tmp_path)
    try:
        with registry(tmp_path, tokens.auth) as address:
            with pytest.raises(Rejected) as refused:
                pull(images, Registry(address, Web()), parse_reference("shop/web:1"))
            assert refused.value.reason is RegistryRefusal.UNAUTHORIZED
            there = Registry(address, Web(), Credentials(USER, PASSWORD))
            push(images, there, "shop/web:1", "shop/web", "1")
            pull(image_store(tmp_path / "two"), there, parse_reference("shop/web:1"))
            scopes = [scope for scope, _ in tokens.asked]
            assert scopes.count("repository:shop/web:pull") == 2, "one for who has no name, one for who has"
            assert set(scopes) == {"repository:shop/web:pull", "repository:shop/web:pull,push"}
            assert len(scopes) == 3, "a token is used again"
    finally:
        tokens.close()


def test_signatures_beside_an_image_are_found_and_judged(tmp_path):
    images, made = filled(tmp_path / "one")
    key = ec.generate_private_key(ec.SECP256R1())
    policy = ImagePolicy(
        keys=(key_of_pem(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),), threshold=1
    )
    payload = json.dumps({
        "critical": {
            "identity": {"docker-reference": "127.0.0.1/shop/web"},
            "image": {"docker-manifest-digest": str(made.digest)}, "type": "cosign container image signature",
        },
        "optional": None,
    }).encode()  # fmt: skip
    config = b"{}"
    signature = b64encode(key.sign(payload, ec.ECDSA(SHA256()))).decode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI + "config.v1+json", "digest": f"sha256:{hexed(config)}", "size": len(config)},
        "layers": [{
            "mediaType": SIMPLE_SIGNING, "digest": f"sha256:{hexed(payload)}", "size": len(payload),
            "annotations": {COSIGN_ANNOTATION: signature},
        }],
    }).encode()  # fmt: skip
    with registry(tmp_path) as address:
        there = Registry(address, Web())
        push(images, there, "shop/web:1", "shop/web", "1")
        assert signatures(there, "shop/web", made.digest) == ()
        unsigned = check(policy, made.digest, ())
        assert unsigned is not None
        assert unsigned.reason is ImageRefusal.UNSIGNED
        for blob in (config, payload):
            there.push_blob(
                "shop/web", Descriptor("", parse_digest(f"sha256:{hexed(blob)}"), len(blob)), io.BytesIO(blob)
            )
        there.push_manifest("shop/web", cosign_tag(made.digest), OCI_MANIFEST, manifest)
        assert check(policy, made.digest, signatures(there, "shop/web", made.digest)) is None


def test_a_registry_that_is_not_there_is_said_so():
    with pytest.raises(Rejected) as refused:
        Registry("http://127.0.0.1:1", Web()).ping()
    assert refused.value.reason is RegistryRefusal.UNREACHABLE
