"""Deterministic jobs as values: seed, witness, its root, what may be given and left, and where."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from tests.unit.docklock.scheduler.samples import demand
from tests.unit.records.test_workload import port, spec, terms

from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.demand import DemandRefusal
from metanode.records.determinism import (
    FILES_MAX,
    WITNESSES,
    DeterminismRefusal,
    Identity,
    InputFile,
    LeftFile,
    Said,
    Witness,
    check_file_name,
    seed_of,
    witness_root,
)
from metanode.records.workload import HealthCheck, Mount, SecretFile, WorkloadSpec, check_spec

IDENTITY = Identity(
    chain_id=bytes([1] * 32),
    cluster="main",
    workload="sums",
    index=2,
    attempt=3,
    revision=4,
    spec=bytes([5] * 32),
    image=b"",
)
WITNESS = Witness(
    identity=IDENTITY,
    processor=True,
    observations=7,
    chain=bytes([6] * 32),
    kept=bytes([7] * 32),
    out=Said(size=3, digest=sha256(b"out").digest()),
    err=Said(size=0, digest=sha256(b"").digest()),
    code=0,
    signal=0,
    left=(
        LeftFile(path="/tmp/a", size=4, digest=sha256(b"left").digest()),
        LeftFile(path="/tmp/b", size=0, digest=b""),
    ),
)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, bytes):
        return sha256(value).digest()
    if isinstance(value, tuple):
        return value[:-1]
    field = value.__struct_fields__[0]
    return msgspec.structs.replace(value, **{field: other(getattr(value, field))})


@pytest.mark.parametrize("field", Identity.__struct_fields__)
def test_chance_depends_on_all_of_what_was_placed_and_on_nothing_else(field: str) -> None:
    changed = msgspec.structs.replace(IDENTITY, **{field: other(getattr(IDENTITY, field))})
    assert seed_of(changed) != seed_of(IDENTITY)
    assert len(seed_of(IDENTITY)) == 32
    assert "node" not in Identity.__struct_fields__


@pytest.mark.parametrize("field", Witness.__struct_fields__)
def test_the_root_is_over_every_part(field: str) -> None:
    changed = msgspec.structs.replace(WITNESS, **{field: other(getattr(WITNESS, field))})
    assert witness_root(changed) != witness_root(WITNESS)


def test_a_witness_survives_its_bytes_and_has_a_known_root() -> None:
    assert WITNESSES.decode(encode(WITNESS)) == WITNESS
    assert len(encode(WITNESS)) < WITNESSES.bytes_max // 16
    assert witness_root(WITNESS).hex() == "d438dabb0e9c8965a0c710adcbcdbb1d663a6383a796ab118157d9b3eb0bdb51"


def job(**changed: Any) -> WorkloadSpec:
    """A deterministic job that may be."""
    wanted = demand(engines=("sandbox",), architecture="x86_64")
    return spec(**{"terms": terms(kind="job", demand=wanted, deterministic=True), **changed})


def refusal_of(one: WorkloadSpec) -> object:
    with pytest.raises(Rejected) as refused:
        check_spec(one)
    return refused.value.reason


def test_a_deterministic_job_runs_in_the_sandbox_of_one_machine_alone() -> None:
    check_spec(job())
    good = job().terms
    for changed in (
        {"kind": "service"},
        {"demand": msgspec.structs.replace(good.demand, engines=("oci", "sandbox"))},
        {"demand": msgspec.structs.replace(good.demand, engines=())},
        {"demand": msgspec.structs.replace(good.demand, architecture="")},
        {"demand": msgspec.structs.replace(good.demand, architecture="aarch64")},
    ):
        asked = msgspec.structs.replace(good, **changed)
        assert refusal_of(job(terms=asked)) is DeterminismRefusal.NOT_A_JOB
        check_spec(job(terms=msgspec.structs.replace(asked, deterministic=False)))


CHECK = HealthCheck(
    probe="tcp", command=(), port=1, path="", interval_ms=1_000, timeout_ms=1_000, retries=1, start_period_ms=0
)


@pytest.mark.parametrize(
    "changed",
    [
        {
            "mounts": (Mount(volume="a", target="/a", read_only=True),),
            "terms": msgspec.structs.replace(
                job().terms, demand=msgspec.structs.replace(job().terms.demand, volumes=("a",))
            ),
        },
        {"secrets": (SecretFile(secret="key", version=0, commitment=b"", target="/run/secrets/key", mode=0o400),)},
        {"health": (CHECK,)},
        {"egress": ("example.org:1",)},
        {"terms": msgspec.structs.replace(job().terms, ports=(port(),))},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_nothing_of_the_world_is_given_to_it(changed: dict[str, Any]) -> None:
    assert next(iter(changed.values())), "there is something"
    assert refusal_of(job(**changed)) is DeterminismRefusal.OPEN_TO_THE_WORLD


def test_files_are_named_once_in_order_and_by_whole_digests() -> None:
    one = InputFile(name="a.csv", digest=bytes(32))
    check_spec(job(inputs=(one, InputFile(name="b", digest=bytes(32))), outputs=("x", "y-1.txt")))
    assert refusal_of(job(inputs=(one, one))) is DemandRefusal.NOT_ASCENDING
    assert refusal_of(job(outputs=("b", "a"))) is DemandRefusal.NOT_ASCENDING
    assert refusal_of(job(inputs=(InputFile(name="a", digest=b"short"),))) is DemandRefusal.BAD_DIGEST
    assert refusal_of(job(outputs=tuple(f"f{n:03}" for n in range(FILES_MAX + 1)))) is DemandRefusal.TOO_MANY
    usual = msgspec.structs.replace(job().terms, deterministic=False)
    assert refusal_of(job(terms=usual, outputs=("x",))) is DeterminismRefusal.NOT_A_JOB
    check_spec(job(terms=usual, health=(CHECK,)))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", ".hidden", "-a", "a b", "ä", "a" * 65, "a\n"])
def test_a_file_name_leads_nowhere(name: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_file_name(name)
    assert refused.value.reason is DeterminismRefusal.BAD_FILE
