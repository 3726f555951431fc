"""What every test shares: the Hypothesis profile, the folder of official vectors, the mark of the live tests."""

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("local", deadline=None, max_examples=100)
settings.register_profile(
    "ci", deadline=None, max_examples=100, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("soak", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "local"))


def vectors_path() -> Path:
    """Where the official vectors are: METANODE_VECTORS, else `[tool.metanode] vectors_folder` beside pyproject.toml."""
    if named := os.environ.get("METANODE_VECTORS"):
        return Path(named)
    with (ROOT / "pyproject.toml").open("rb") as file:
        return ROOT / str(tomllib.load(file)["tool"]["metanode"]["vectors_folder"])


@pytest.fixture(scope="session")
def vectors_folder() -> Path:
    """The folder of official vectors; absent, the test is skipped with a reason that pytest prints at the end."""
    folder = vectors_path()
    if not folder.is_dir():
        pytest.skip(f"OFFICIAL VECTORS NOT RUN: no folder {folder} (name one with METANODE_VECTORS)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys are always of real processes: mark them `live`, so that they run one at a time."""
    for item in items:
        if "journeys" in item.path.relative_to(ROOT).parts:
            item.add_marker(pytest.mark.live)
