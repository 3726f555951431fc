"""One cluster for all that is tried with it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kubernetes.__main__ import PROGRAMS
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.stage import NAMESPACE


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All parts, and the namespace for pods; gone at the end."""
    cluster = Cluster(Path(os.environ[PROGRAMS]), tmp_path_factory.mktemp("k"))
    try:
        cluster.start()
        cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        yield cluster
    finally:
        cluster.end()
