"""An agent starts no image that its cluster does not let run, whatever the committee placed: it proves and verifies it
itself, and says no for good."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.docklock.agent.desk import SPEC, assignment
from tests.unit.docklock.cluster.test_signed import BUILDER, IMAGE, ONE, settings
from tests.unit.docklock.cluster.town import SETTINGS, terms

from metanode.docklock.agent.events import Fetch, Fetched
from metanode.docklock.cluster.refusals import ClusterRefusal
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.signatures import sign
from metanode.host.agent.content import MISSING
from metanode.host.agent.deeds import Deeds, Materials
from metanode.host.runtimes.refusals import RuntimeRefusal
from metanode.primitives.ed25519 import SigningKey
from metanode.primitives.refusal import Rejected
from metanode.records.cluster import ClusterSettings
from metanode.records.image_policy import ImageSignature
from metanode.records.workload import WorkloadSpec

TERMS = terms(demand={"image": IMAGE.raw})
LISTED = replace(SETTINGS, images="listed")


class Desk:
    """Deeds that fetch one container; `known`: what is proved of its image; `here`: whether it runs already."""

    def __init__(self, chosen: ClusterSettings, *known: ImageSignature, admitted: bool = False, here: bool = False):
        self.told: list[Fetched] = []
        self.unpacked: list[bytes] = []

        async def inspect(_name: str) -> None:
            if not here:
                raise Rejected(RuntimeRefusal.UNKNOWN, "nothing of this name")

        async def gather(*_: Any, **__: Any) -> bool:
            return True

        def unpack(image: bytes) -> Any:
            self.unpacked.append(image)
            return SimpleNamespace(source="")

        spec: WorkloadSpec = replace(SPEC, terms=TERMS)
        chain: Any = SimpleNamespace(
            terms=lambda *_: TERMS,
            settled=lambda: (SimpleNamespace(settings=chosen), frozenset()),
            about_image=lambda _image: (admitted, known),
        )
        content: Any = SimpleNamespace(spec=lambda *_: spec)
        materials = Materials(content, unpack, Path(), SimpleNamespace(gather=gather, leave=str))  # type: ignore[arg-type]
        driver: Any = SimpleNamespace(inspect=inspect)
        deeds = Deeds("shop", "node-1", driver, chain, materials, SimpleNamespace(), self.told.append)  # type: ignore[arg-type]
        asyncio.run(deeds.fetch(Fetch("shop.web.0.1", assignment())))

    @property
    def code(self) -> str:
        """Empty where it may start; a refusal must be for good."""
        (told,) = self.told
        assert told.final
        assert told.code != MISSING
        return told.code


@pytest.mark.parametrize(
    ("desk", "code"),
    [
        (lambda: Desk(SETTINGS), ""),
        (lambda: Desk(settings(ONE)), ImageRefusal.UNSIGNED),
        (lambda: Desk(settings(ONE), sign(SigningKey(bytes(31) + b"\x09"), IMAGE)), ImageRefusal.UNSIGNED),
        (lambda: Desk(settings(ONE), sign(BUILDER, IMAGE)), ""),
        (lambda: Desk(settings(ONE), here=True), ""),
        (lambda: Desk(LISTED), ClusterRefusal.IMAGE_NOT_ADMITTED),
        (lambda: Desk(LISTED, admitted=True), ""),
    ],
    ids=["nothing is demanded", "unsigned", "another key", "signed", "adopted", "not listed", "listed"],
)
def test_an_agent_starts_only_what_its_cluster_lets_run(desk: Any, code: str) -> None:
    made = desk()
    assert made.code == code
    assert made.unpacked == ([] if code else [IMAGE.raw]), "what may not run is not even unpacked"
