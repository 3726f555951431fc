"""COMPOSE-2. A Compose file from its text to specifications, with every finding: for `apply`, `lint` and `convert`."""

import msgspec

from metanode.api.exits import ExitStatus
from metanode.docklock.compose.advice import advise
from metanode.docklock.compose.document import document
from metanode.docklock.compose.environment import Outside
from metanode.docklock.compose.findings import Finding, Notes
from metanode.docklock.compose.interpolation import Interpolation, interpolated
from metanode.docklock.compose.nodes import Spot
from metanode.docklock.compose.order import circle
from metanode.docklock.compose.reader import read
from metanode.docklock.compose.translate import Application, jobs_of, translate


class Understood(msgspec.Struct, frozen=True):
    """COMPOSE-2. The application, unless there is an error; and what was found, in the order of the text."""

    application: Application | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Why the file cannot be run."""
        return tuple(one for one in self.findings if one.is_error)

    @property
    def advice(self) -> tuple[Finding, ...]:
        """What would be better otherwise."""
        return tuple(one for one in self.findings if not one.is_error)

    @property
    def exit_status(self) -> ExitStatus:
        """How a command ends that was given this file and nothing else went wrong: 50 for errors."""
        return ExitStatus.CONFIGURATION if self.errors else ExitStatus.OK


def any_image(reference: str) -> bytes:
    """A resolver for `lint` and `convert`, which place nothing: 32 zero bytes, the digest of no image."""
    assert reference
    return bytes(32)


def understand(text: str, outside: Outside) -> Understood:
    """COMPOSE-2. Read, fill in, check, translate. Pure: the same text and the same outside make the same outcome."""
    notes = Notes()
    root = read(text, notes)
    application = None
    if root is not None:
        by = Interpolation(outside.variables)
        spot = Spot(interpolated(Spot(root, ""), notes, by), "")
        found = document(spot, notes, outside, by)
        if not circle(found.waits):
            application = translate(found, notes, outside)
            advise(found, jobs_of(found), notes)
    return Understood(None if notes.errors else application, notes.told())
