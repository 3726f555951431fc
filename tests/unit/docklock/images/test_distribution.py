"""What registries say: challenges, tokens, errors, ranges."""

import pytest
from tests.unit.docklock.images.refusing import refuses

from metanode.docklock.images.distribution import (
    CHALLENGE_MAX,
    TOKEN_MAX,
    Challenge,
    decode_token,
    error_text,
    parse_challenges,
    range_begins,
)
from metanode.docklock.images.refusals import RegistryRefusal


@pytest.mark.parametrize(
    ("text", "challenges"),
    [
        ('Basic realm="tests"', (Challenge("basic", (("realm", "tests"),)),)),
        (
            'Bearer realm="https://x/token",service="s",scope="repository:a/b:pull,push"',
            (
                Challenge(
                    "bearer",
                    (("realm", "https://x/token"), ("service", "s"), ("scope", "repository:a/b:pull,push")),
                ),
            ),
        ),
        (
            'Negotiate, Basic Realm = "a\\"b" , Bearer realm=x',
            (
                Challenge("negotiate", ()),
                Challenge("basic", (("realm", 'a"b'),)),
                Challenge("bearer", (("realm", "x"),)),
            ),
        ),
        ("", ()),
        ('"', ()),
        ("=", ()),
    ],
)
def test_challenges_are_read(text, challenges):
    assert parse_challenges(text) == challenges


def test_a_long_challenge_is_read_up_to_a_bound():
    assert len(parse_challenges("Basic, " * 10_000)) <= CHALLENGE_MAX // 7 + 1
    assert parse_challenges('Bearer a="' + "x" * 10_000) == (Challenge("bearer", ()),)


def test_a_token_is_given_under_either_name():
    assert decode_token(b'{"token": "a.b-c_d", "expires_in": 300}') == "a.b-c_d"
    assert decode_token(b'{"access_token": "x"}') == "x"
    for data in (
        b"",
        b"{}",
        b'{"token": "a b"}',
        b'{"token": "a\\r\\nX: y"}',
        b'{"token": "%s"}' % (b"a" * (TOKEN_MAX + 1)),
    ):
        refuses(RegistryRefusal.PROTOCOL, decode_token, data)


def test_what_a_registry_says_is_one_line():
    said = b'{"errors": [{"code": "DENIED", "message": "no\\naccess"}, {"code": "X", "message": null}]}'
    assert error_text(said) == "DENIED no access; X"
    assert error_text(b"<html>\x1b[31m") == "<html> [31m"
    assert error_text(b"") == ""
    assert len(error_text(b'{"errors": [{"code": "%s"}]}' % (b"x" * 10_000))) == 300


@pytest.mark.parametrize(
    ("text", "begins"),
    [("bytes 5-9/10", 5), ("bytes 0-9/*", 0), ("", None), ("bytes */10", None), ("items 1-2/3", None),
     ("bytes " + "9" * 16 + "-1/1", None)],
)  # fmt: skip
def test_ranges_say_where_they_begin(text, begins):
    assert range_begins(text) == begins
