"""Every scenario against what a real API server answered when it was recorded, by a server on a local port."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kubernetes.recording import BYTES_MAX, Player
from tests.kubernetes.scenarios import SCENARIOS, play
from tests.kubernetes.stage import Stage

RECORDINGS = Path(__file__).parent / "recordings"


def kubeconfig(path: Path, url: str) -> Path:
    """A kubeconfig for a server without a certificate."""
    parts = {
        "clusters": [{"name": "t", "cluster": {"server": url}}],
        "users": [{"name": "t", "user": {"token": path.name}}],
        "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
    }
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "t", **parts}))
    return path


@pytest.fixture
def player(name: str) -> Iterator[Player]:
    player = Player(RECORDINGS / f"{name}.jsonl")
    yield player
    player.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_is_so_as_it_was_recorded(player: Player, name: str, tmp_path: Path) -> None:
    async def others(what: str, _act: object) -> None:
        player.mark(what)

    stage = Stage(
        folder=tmp_path,
        kubeconfig=kubeconfig(tmp_path / "mine", player.url),
        guest=kubeconfig(tmp_path / "guest", player.url),
        image=image_of(name),
        others=others,
        ask=lambda *_: {},
        forget=lambda: None,
        is_real=False,
    )
    play(stage, name)
    assert player.strange == []
    assert player.unasked() == []


def image_of(name: str) -> str:
    """The image that was used when this was recorded."""
    for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines():
        body = json.loads(line).get("body") or {}
        for one in body.get("spec", {}).get("containers", ()) if isinstance(body, dict) else ():
            if one["image"].startswith("localhost/busybox@"):
                return str(one["image"])
    return f"localhost/busybox@sha256:{'0' * 64}"


def test_recordings_are_small_and_say_nothing_of_a_machine() -> None:
    for path in RECORDINGS.iterdir():
        text = path.read_text()
        assert len(text) <= BYTES_MAX
        here = (str(Path.home()) + "/", str(Path.cwd()), f"{tempfile.gettempdir()}/pytest")
        for word in ("Bearer", '"authorization"', "BEGIN CERT", "machineID", *here):
            assert word.lower() not in text.lower(), (path.name, word)


def test_every_recording_is_of_a_scenario() -> None:
    assert sorted(path.stem for path in RECORDINGS.iterdir()) == sorted(SCENARIOS)


def test_what_was_not_recorded_is_not_answered(tmp_path: Path) -> None:
    """The server of recordings invents nothing."""
    player = Player(RECORDINGS / "a_life.jsonl")

    async def others(_what: str, _act: object) -> None:
        pass

    config = kubeconfig(tmp_path / "mine", player.url)
    stage = Stage(
        tmp_path,
        config,
        config,
        "localhost/other@sha256:" + "1" * 64,
        others,
        lambda *_: {},
        lambda: None,
        is_real=False,
    )
    try:
        with pytest.raises(AssertionError):
            asyncio.run(asyncio.wait_for(_refused_create(stage), 20))
        assert "POST" in player.strange[0]
    finally:
        player.close()


async def _refused_create(stage: Stage) -> None:
    from metanode.primitives.refusal import Rejected

    driver = await stage.driver()
    try:
        await driver.create(stage.plan("shop.web.0.1", "true"))
    except Rejected as refused:
        raise AssertionError(refused.detail) from None
    finally:
        await driver.close()
