"""Genesis: one value, one hash, one text for people; what cannot start a chain is refused by its reason."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from metanode.host.development import development_genesis
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.genesis import (
    GENESES,
    Genesis,
    GenesisRefusal,
    check_genesis,
    dump_toml,
    genesis_hash,
    genesis_validators,
    load_toml,
)
from metanode.records.parameters import REASONS, ParameterRefusal, Parameters, with_parameter

GENESIS = development_genesis(4, 26600, "dev", Parameters(), 1_700_000_000_000)


def changed(**fields: Any) -> Genesis:
    return msgspec.structs.replace(GENESIS, **fields)


def sharing(field: str) -> Genesis:
    """The second seat has this of the first."""
    first, second, *rest = GENESIS.validators
    return changed(validators=(first, msgspec.structs.replace(second, **{field: getattr(first, field)}), *rest))


def refused(genesis: Genesis) -> object:
    with pytest.raises(Rejected) as caught:
        check_genesis(genesis)
    return caught.value.reason


def test_the_text_for_people_gives_the_same_value_back() -> None:
    assert load_toml(dump_toml(GENESIS)) == GENESIS
    assert GENESES.decode(encode(GENESIS)) == GENESIS
    assert genesis_hash(GENESIS).hex() in dump_toml(GENESIS)
    assert len(genesis_validators(GENESIS)) == 4


def test_a_genesis_without_accounts_loads_back() -> None:
    """dump_toml once left the empty list out, and load_toml missed it."""
    bare = changed(accounts=())
    assert load_toml(dump_toml(bare)) == bare


def test_every_field_is_in_the_hash() -> None:
    hashes = {
        genesis_hash(genesis)
        for genesis in (
            GENESIS,
            changed(name="other"),
            changed(started_ms=GENESIS.started_ms + 1),
            changed(parameters=with_parameter(GENESIS.parameters, "fee_min", 1)),
            changed(validators=GENESIS.validators[:3]),
            changed(development=False),
        )
    }
    assert len(hashes) == 6


@pytest.mark.parametrize(
    ("genesis", "reason"),
    [
        (changed(version=2), GenesisRefusal.UNKNOWN_RULES),
        (changed(rules_version=2), GenesisRefusal.UNKNOWN_RULES),
        (changed(modules=("coin",)), GenesisRefusal.UNKNOWN_MODULES),
        (changed(validators=()), GenesisRefusal.NO_VALIDATORS),
        (changed(name=""), GenesisRefusal.WRONG_SHAPE),
        (changed(fee_coin="EUR"), GenesisRefusal.UNKNOWN_COIN),
        (changed(coins=GENESIS.coins * 2), GenesisRefusal.DUPLICATE),
        (changed(accounts=GENESIS.accounts * 2), GenesisRefusal.DUPLICATE),
        (changed(validators=GENESIS.validators * 2), GenesisRefusal.DUPLICATE),
        *((sharing(field), GenesisRefusal.DUPLICATE) for field in ("name", "transport_key", "vote_key", "bls_key")),
        (
            changed(validators=(msgspec.structs.replace(GENESIS.validators[0], bls_key=b"short"),)),
            GenesisRefusal.WRONG_WIDTH,
        ),
        (
            changed(accounts=(msgspec.structs.replace(GENESIS.accounts[0], threshold=2),)),
            GenesisRefusal.WRONG_SHAPE,
        ),
        (changed(parameters=Parameters(drift_ms=0)), ParameterRefusal.OUT_OF_RANGE),
    ],
)
def test_what_cannot_start_a_chain_is_refused(genesis: Genesis, reason: object) -> None:
    assert refused(genesis) == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version = ", GenesisRefusal.NOT_TOML),
        ("version = 1", GenesisRefusal.WRONG_SHAPE),
        ("hello = 1", GenesisRefusal.WRONG_SHAPE),
        (dump_toml(GENESIS).replace("fee_coin = ", "fee_coins = "), GenesisRefusal.WRONG_SHAPE),
        (dump_toml(GENESIS).replace('fee_coin = "USD"', "fee_coin = 7"), GenesisRefusal.WRONG_SHAPE),
        (dump_toml(GENESIS).replace('bls_key = "', 'bls_key = "zz'), GenesisRefusal.WRONG_SHAPE),
    ],
)
def test_a_text_that_is_no_genesis_is_refused(text: str, reason: GenesisRefusal) -> None:
    with pytest.raises(Rejected) as caught:
        load_toml(text)
    assert caught.value.reason == reason


def test_every_parameter_has_its_range_and_no_other_is_known() -> None:
    for name, (least, greatest, why) in REASONS.items():
        assert least < greatest
        assert why
        with pytest.raises(Rejected) as caught:
            with_parameter(GENESIS.parameters, name, greatest + 1)
        assert caught.value.reason == ParameterRefusal.OUT_OF_RANGE
    with pytest.raises(Rejected) as caught:
        with_parameter(GENESIS.parameters, "colour", 1)
    assert caught.value.reason == ParameterRefusal.UNKNOWN
    with pytest.raises(Rejected, match="block_work_max = 240001, at most 240000"):
        with_parameter(Parameters(), "block_work_max", 240_001)
    with pytest.raises(Rejected, match="block_work_max = 240000, at most 239700"):
        with_parameter(Parameters(), "round_timeout_ms", 799)
    with pytest.raises(Rejected, match="trusting_period_ms"):
        with_parameter(GENESIS.parameters, "trusting_period_ms", GENESIS.parameters.evidence_period_ms)


def test_the_protocol_page_tells_every_parameter() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol" / "genesis.md").read_text()
    for name, (least, greatest, why) in REASONS.items():
        assert f"| `{name}` | {getattr(Parameters(), name)} | {least} … {greatest} | {why} |" in page
