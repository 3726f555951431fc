"""A stand an engine, shared by the tests of a file; when they are done nothing may be left of it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.runtimes.served import ServedStand
from tests.integration.runtimes.stand import ENGINES, SERVED, Stand, require


def standing(engine: str) -> Iterator[Stand]:
    """A stand of an engine, and at its end nothing."""
    require(engine)
    with tempfile.TemporaryDirectory(prefix="mnrt-") as folder:
        kind = ServedStand if engine in SERVED else Stand
        stand = kind(engine, Path(folder))
        yield stand
        stand.end()
        assert stand.left(with_its_own=True) == []


@pytest.fixture(scope="module", params=(*ENGINES, *SERVED))
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Every engine."""
    yield from standing(request.param)


@pytest.fixture(scope="module", params=ENGINES)
def shim_stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Those whose containers a shim is the parent of."""
    yield from standing(request.param)


@pytest.fixture(scope="module", params=SERVED)
def served_stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    """Those that are reached by an API."""
    yield from standing(request.param)
