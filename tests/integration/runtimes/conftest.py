"""A stand an engine, shared by the tests of a file; when they are done nothing may be left of it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.runtimes.stand import ENGINES, Stand, require


@pytest.fixture(scope="module", params=ENGINES)
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    require(request.param)
    with tempfile.TemporaryDirectory(prefix="mnrt-") as folder:
        stand = Stand(request.param, Path(folder))
        yield stand
        stand.end()
        assert stand.left(with_its_own=True) == []
