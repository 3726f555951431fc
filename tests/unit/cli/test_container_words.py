"""What commands about containers read and show: lines of several containers, times, keys, policies, tags."""

import time
from typing import Any

import click
import pytest
from tests.unit.docklock.cluster.test_signed import BUILDER

from metanode.cli.bpi.image_keys import chosen_policy, policy_lines, private_key, read_digest, read_key
from metanode.cli.bpi.log_lines import Piece, Prefixer, Source, Wanted, pieces, since_ns
from metanode.cli.bpi.showing import size_words
from metanode.cli.failure import Failure
from metanode.client.agent import LogLine
from metanode.docklock.images.keys import check_key, is_signed
from metanode.docklock.images.refusals import ImageRefusal
from metanode.primitives.refusal import Rejected
from metanode.records.image_policy import ED25519, P256, ImageKey, ImagePolicy

TEXT = "ed25519:" + BUILDER.public_key.hex()
KEY = ImageKey(kind=ED25519, key=BUILDER.public_key)


class Agent:
    """An agent with fixed logs: (time, stream, data); what is followed comes after."""

    def __init__(self, *said: tuple[int, int, bytes], later: tuple[tuple[int, int, bytes], ...] = ()) -> None:
        self.said, self.later = said, later

    def logs(self, _name: str, since: int = 0, *, follow: bool = False) -> list[LogLine]:
        chosen = self.later if follow else self.said
        return [LogLine(since + n, time_ns, stream, data) for n, (time_ns, stream, data) in enumerate(chosen, 1)]


def source(label: str, agent: Any) -> Source:
    return Source(label, agent, f"shop.{label}.1")


def shown(sources: list[Source], wanted: Wanted) -> list[tuple[str, int, bytes]]:
    return [(one.source.label, one.line.time_ns, one.line.data) for one in pieces(sources, wanted)]


def test_lines_of_several_containers_stand_in_the_order_of_time():
    web = source("web.0", Agent((1, 1, b"a\nb"), (3, 2, b"err\n"), (4, 1, b"c\n"), (6, 1, b"open")))
    other = source("web.1", Agent((2, 1, b"x\n"), (5, 1, b"y\n")))
    assert shown([web, other], Wanted()) == [
        ("web.0", 1, b"a\n"),
        ("web.0", 1, b"bc\n"),
        ("web.1", 2, b"x\n"),
        ("web.0", 3, b"err\n"),
        ("web.1", 5, b"y\n"),
        ("web.0", 6, b"open"),
    ]
    assert shown([web, other], Wanted(tail=2)) == [("web.1", 5, b"y\n"), ("web.0", 6, b"open")]
    assert shown([web, other], Wanted(tail=0)) == []
    assert shown([web, other], Wanted(since_ns=5)) == [("web.1", 5, b"y\n"), ("web.0", 6, b"open")]


def test_what_is_followed_comes_after_and_ends_when_all_have_ended():
    web = source("web.0", Agent((1, 1, b"a\n"), later=((7, 1, b"later\n"),)))
    other = source("web.1", Agent(later=((8, 1, b"too\n"),)))
    assert shown([web], Wanted(follow=True, tail=0)) == [("web.0", 7, b"later\n")]
    both = shown([web, other], Wanted(follow=True))
    assert both[0] == ("web.0", 1, b"a\n")
    assert sorted(both[1:]) == [("web.0", 7, b"later\n"), ("web.1", 8, b"too\n")]


def test_a_line_begins_with_who_said_it_and_waits_for_its_end():
    prefixer, web = Prefixer(5), source("web.0", Agent())
    assert list(prefixer.lines(Piece(web, LogLine(1, 1, 1, b"one\ntw")))) == [b"web.0 | one\n"]
    assert list(prefixer.lines(Piece(web, LogLine(2, 2, 2, b"err\n")))) == [b"web.0 | err\n"]
    assert list(prefixer.lines(Piece(web, LogLine(3, 3, 1, b"o\n")))) == [b"web.0 | two\n"]
    list(prefixer.lines(Piece(web, LogLine(4, 4, 1, b"end"))))
    assert list(prefixer.rest()) == [(1, b"web.0 | end\n")]


def test_since_when():
    now = time.time_ns()
    assert since_ns("") == 0
    assert 0 <= now - since_ns("10m") - 600_000_000_000 + 1_000_000_000 < 2_000_000_000
    assert since_ns("1970-01-01T00:00:01Z") == 1_000_000_000
    assert since_ns("1970-01-01T00:00:01") == 1_000_000_000
    for nonsense in ("yesterday", "m", "-5m", "10"):
        with pytest.raises(ValueError, match="isoformat"):
            since_ns(nonsense)


def test_bytes_small_and_large():
    assert [size_words(n) for n in (0, 119, 2_458, 5 << 20, 3 << 30)] == ["0 B", "119 B", "2.4 KiB", "5 MiB", "3.0 GiB"]


def test_keys_and_digests_as_people_write_them(tmp_path):
    assert read_key(TEXT) == KEY
    assert read_digest("sha256:" + "ab" * 32) == read_digest("ab" * 32) == b"\xab" * 32
    for nonsense in ("ab", "sha1:" + "ab" * 32):
        with pytest.raises(click.BadParameter):
            read_digest(nonsense)
    with pytest.raises(click.BadParameter):
        read_key("no such file")
    (tmp_path / "k.pem").write_text("nothing")
    with pytest.raises(Rejected) as refused:
        read_key(str(tmp_path / "k.pem"))
    assert refused.value.reason is ImageRefusal.POLICY_MALFORMED


def test_a_policy_is_changed_by_what_is_named():
    first = chosen_policy(ImagePolicy(), [TEXT], None, [])
    assert first == ImagePolicy(keys=(KEY,), threshold=1)
    assert chosen_policy(first, [], None, ["ab" * 32]) == ImagePolicy(digests=(b"\xab" * 32,), keys=(KEY,), threshold=1)
    assert chosen_policy(first, [], 3, []).threshold == 3
    assert chosen_policy(first, ["none"], None, ["none"]) == ImagePolicy()
    told = {"digests": ["ab" * 32], "threshold": 1, "keys": [{"kind": 1, "key": KEY.key.hex()}]}
    assert [one.strip() for one in policy_lines(told)] == [
        "only 1 that the policy lists", "signed by 1 of 1 keys:", TEXT,
    ]  # fmt: skip
    assert list(policy_lines({"digests": [], "threshold": 0, "keys": []})) == []


@pytest.mark.parametrize("kind", [ED25519, P256])
def test_a_private_key_signs_as_its_public_one_is_read(tmp_path, kind):
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    secret: Any = ed25519.Ed25519PrivateKey.generate() if kind == ED25519 else ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "k").write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "p").write_bytes(public)
    key = read_key(str(tmp_path / "p"))
    check_key(key)
    assert key.kind == kind
    assert is_signed(key, b"message", private_key(str(tmp_path / "k")).sign(b"message"))


def test_what_is_no_private_key_is_refused(tmp_path):
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = rsa.generate_private_key(65_537, 2_048)
    (tmp_path / "rsa").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "none").write_text("nothing")
    for name in ("rsa", "none"):
        with pytest.raises(Failure):
            private_key(str(tmp_path / name))
