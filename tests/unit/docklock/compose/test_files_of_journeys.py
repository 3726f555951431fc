"""The files that the journeys run use most of the keys that are supported: counted, so that it stays true."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.journeys import compose_files

from metanode.docklock.compose import keys

TABLES = (
    keys.TOP,
    keys.SERVICE,
    keys.DEPLOY,
    keys.LIMITS,
    keys.RESERVATIONS,
    keys.PLACEMENT,
    keys.UPDATE,
    keys.RESTART_POLICY,
    keys.HEALTHCHECK,
    keys.PORT,
    keys.MOUNT,
    keys.SECRET_USE,
    keys.DEPENDENCY,
    keys.ENV_FILE,
    keys.LOGGING,
    keys.VOLUME,
    keys.NETWORK,
    keys.SECRET,
    keys.SETTINGS_TOP,
    keys.SETTINGS,
    keys.JOB,
    keys.SPREAD,
    keys.TOLERATION,
    keys.PROBE,
    keys.PROBE_HTTP,
    keys.PROBE_TCP,
)
NOT_THERE = {"agreement", "external", "name"}
"""Policies come with agreements; what is external is not made by the file; a name stands at the top."""


def written(value: Any) -> set[str]:
    """Every key of a document, however deep."""
    match value:
        case dict():
            return {str(key) for key in value} | {key for one in value.values() for key in written(one)}
        case list():
            return {key for one in value for key in written(one)}
        case _:
            return set()


def test_together_they_use_nine_of_ten_supported_keys() -> None:
    supported = {key for table in TABLES for key in table} - NOT_THERE
    used = {key for path in compose_files.PATHS for key in written(yaml.safe_load(path.read_text()))}
    missing = sorted(supported - used)
    assert len(missing) * 10 <= len(supported), missing


@pytest.mark.parametrize("path", compose_files.PATHS, ids=lambda path: Path(path).stem)
def test_each_is_without_errors(path: Path) -> None:
    found = compose_files.understood(path, "sha256:" + "ab" * 32)
    assert found.errors == (), [one.sentence for one in found.errors]
