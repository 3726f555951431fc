"""Requests to an agent: signed by an account, for one cluster, verb, path and body, and not for long."""

import pytest

from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.address import address_of_key
from metanode.records.agent_request import FRESH_MS, Asker, RequestRefusal, asker_of, authorization

KEY = ed25519.SigningKey(b"k" * 32)
NOW = 1_700_000_000_000
SIGNED = ("shop", "POST", "/v1/containers/shop.web.0.1/exec?x=1", b'{"command":["id"]}')


def test_who_signed_is_known_by_his_account() -> None:
    header = authorization(*SIGNED, NOW, KEY)
    assert asker_of(header, *SIGNED, NOW + FRESH_MS) == Asker(address_of_key(KEY.public_key), KEY.public_key)
    assert asker_of(header, *SIGNED, NOW - FRESH_MS).key == KEY.public_key


@pytest.mark.parametrize("at", range(4))
def test_it_counts_for_nothing_else(at: int) -> None:
    header = authorization(*SIGNED, NOW, KEY)
    other = list(SIGNED)
    other[at] = b"other" if isinstance(SIGNED[at], bytes) else "other"
    with pytest.raises(Rejected) as refused:
        asker_of(header, *other, NOW)  # type: ignore[arg-type, call-arg]
    assert refused.value.reason is RequestRefusal.NOT_SIGNED


@pytest.mark.parametrize("late_ms", [-FRESH_MS - 1, FRESH_MS + 1])
def test_it_does_not_count_for_long(late_ms: int) -> None:
    with pytest.raises(Rejected) as refused:
        asker_of(authorization(*SIGNED, NOW, KEY), *SIGNED, NOW + late_ms)
    assert refused.value.reason is RequestRefusal.NOT_FRESH


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer abc",
        "Metanode",
        "Metanode a.b.c",
        f"Metanode {'00' * 32}.{NOW}",
        f"Metanode {'00' * 32}.{NOW}.{'00' * 64}.00",
        f"Metanode {'00' * 31}.{NOW}.{'00' * 64}",
        f"Metanode {'00' * 32}.{NOW}.{'00' * 63}",
        f"Metanode {'00' * 32}.now.{'00' * 64}",
        f"metanode {'00' * 32}.{NOW}.{'00' * 64}",
        f"Metanode {'00' * 32}.{NOW}.{'00' * 64}",
    ],
)
def test_what_is_no_signature_is_refused(header: str) -> None:
    with pytest.raises(Rejected) as refused:
        asker_of(header, *SIGNED, NOW)
    assert refused.value.reason is RequestRefusal.NOT_SIGNED
