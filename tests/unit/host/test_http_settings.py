"""A port that would be unsafe is not opened."""

import secrets
from hashlib import sha256
from typing import Any

import pytest

from metanode.api.method import Scope
from metanode.host.http_settings import PortRefusal, PortSettings, Token, token_digest
from metanode.primitives.refusal import Rejected

TOKEN = Token("one", sha256(b"text").hexdigest(), (Scope.READ,))


def test_loopback_is_the_default() -> None:
    assert (PortSettings().address, PortSettings().port) == ("127.0.0.1", 26600)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "2001:db8::1"])
def test_beyond_loopback_a_token_is_due(address: str) -> None:
    with pytest.raises(Rejected) as caught:
        PortSettings(address=address)
    assert caught.value.reason is PortRefusal.TOKENS_REQUIRED
    assert PortSettings(address=address, tokens=(TOKEN,)).address == address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_on_loopback_none_is(address: str) -> None:
    assert PortSettings(address=address).tokens == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"address": "localhost"}, PortRefusal.OUT_OF_RANGE),
        ({"address": ""}, PortRefusal.OUT_OF_RANGE),
        ({"port": -1}, PortRefusal.OUT_OF_RANGE),
        ({"body_bytes_max": 0}, PortRefusal.OUT_OF_RANGE),
        ({"rate_burst": 0}, PortRefusal.OUT_OF_RANGE),
        ({"tls_key": "key.pem"}, PortRefusal.OUT_OF_RANGE),
        ({"tokens": (TOKEN, TOKEN)}, PortRefusal.BAD_TOKEN),
        ({"tokens": (Token("", TOKEN.sha256, TOKEN.scopes),)}, PortRefusal.BAD_TOKEN),
        ({"tokens": (Token("one", TOKEN.sha256, ()),)}, PortRefusal.BAD_TOKEN),
        ({"tokens": (Token("one", TOKEN.sha256[1:], TOKEN.scopes),)}, PortRefusal.BAD_TOKEN),
        ({"tokens": (Token("one", "Z" * 64, TOKEN.scopes),)}, PortRefusal.BAD_TOKEN),
    ],
)
def test_what_is_no_setting(changes: dict[str, Any], reason: PortRefusal) -> None:
    with pytest.raises(Rejected) as caught:
        PortSettings(**changes)
    assert caught.value.reason is reason


def test_a_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(Rejected) as caught:
        token_digest("secret")
    assert caught.value.reason is PortRefusal.BAD_TOKEN
    assert len(token_digest(secrets.token_hex(16))) == 64
