"""Content by its digest: a specification that is not what the chain says is not run."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.unit.docklock.agent.desk import SPEC
from tests.unit.docklock.cluster.town import terms

from metanode.docklock.images.digests import Digest
from metanode.host.agent.content import Content
from metanode.host.blobs import BlobStore
from metanode.host.disk import Disk
from metanode.primitives.codec import encode
from metanode.primitives.refusal import Rejected
from metanode.records.workload import SpecRefusal, WorkloadSpec, spec_digest


def content(folder: Path, *specs: WorkloadSpec) -> Content:
    """A store that holds these, without anybody to ask."""
    blobs = BlobStore(folder, Disk(), bytes)
    for one in specs:
        with blobs.begin(1 << 20) as writing:
            writing.write(encode(one))
            writing.commit(Digest(spec_digest(one).hex()))
    return Content(blobs, lambda: (), lambda _verb, _path: {})


def test_a_specification_runs_by_the_terms_on_chain_alone(tmp_path: Path) -> None:
    held = content(tmp_path, SPEC)
    assert held.spec(spec_digest(SPEC), SPEC.terms) == SPEC
    with pytest.raises(Rejected) as rejected:
        held.spec(spec_digest(SPEC), replace(terms(), networks=("other",)))
    assert rejected.value.reason is SpecRefusal.OTHER_TERMS


def test_what_nobody_has_is_missing(tmp_path: Path) -> None:
    assert content(tmp_path).spec(spec_digest(SPEC), SPEC.terms) is None
