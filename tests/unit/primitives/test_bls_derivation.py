"""BLS secrets out of one seed (BLS-K1)."""

import pytest

from metanode.primitives.bls_derivation import (
    DEPTH_MAX,
    INDEX_MAX,
    DerivationRefusal,
    derive_child,
    derive_master,
    derive_path,
)
from metanode.primitives.refusal import Rejected

SEED = bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3")
"""EIP-2333, test case 3."""


def test_eip_2333_test_case_3() -> None:
    master = derive_master(SEED)
    assert int.from_bytes(master, "big") == (
        19022158461524446591288038168518313374041767046816487870552872741050760015818
    )
    assert int.from_bytes(derive_child(master, 42), "big") == (
        31372231650479070279774297061823572166496564838472787488249775572789064611981
    )


def test_a_path_is_child_of_child() -> None:
    assert derive_path(SEED, "m") == derive_master(SEED)
    assert derive_path(SEED, "m/42/4294967295") == derive_child(derive_child(derive_master(SEED), 42), INDEX_MAX)


@pytest.mark.parametrize(
    "path",
    ["", "/", "M", "m/", "m//1", "m/-1", "m/1'", "m/ 1", "m/+1", "m/4294967296", "m/²", "m/٣", "1/2"],
)
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(Rejected) as refused:
        derive_path(SEED, path)
    assert refused.value.reason is DerivationRefusal.BAD_PATH


def test_a_path_is_bounded() -> None:
    assert len(derive_path(SEED, "m" + "/0" * DEPTH_MAX)) == 32
    for path in ("m" + "/0" * (DEPTH_MAX + 1), "m/" + "9" * 5000):
        with pytest.raises(Rejected) as refused:
            derive_path(SEED, path)
        assert refused.value.reason is DerivationRefusal.BAD_PATH


def test_short_seeds_and_wrong_parents_are_refused() -> None:
    with pytest.raises(Rejected) as refused:
        derive_master(bytes(31))
    assert refused.value.reason is DerivationRefusal.SHORT_SEED
    for parent in (b"", bytes(31), bytes(33)):
        with pytest.raises(Rejected) as refused:
            derive_child(parent, 0)
        assert refused.value.reason is DerivationRefusal.WRONG_WIDTH
    with pytest.raises(AssertionError):
        derive_child(bytes(32), INDEX_MAX + 1)
