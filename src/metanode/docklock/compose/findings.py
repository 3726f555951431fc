"""What is wrong in a Compose file, and what could be better: values with a place, told all at once."""

from enum import StrEnum
from typing import Final

import msgspec

from metanode.primitives.refusal import Refusal

FINDINGS_MAX: Final = 100
"""Most findings of one file: nobody reads more at once, and a hostile file must not make more."""
FOUND_CHARACTERS_MAX: Final = 60
"""Longest quotation of what was found."""


class ComposeRefusal(Refusal):
    """Why a Compose file is turned away."""

    TOO_LARGE = "compose.too-large"
    """More bytes, nodes, services or expanded text than a Compose file may have."""
    NOT_YAML = "compose.not-yaml"
    """Not one YAML document."""
    TOO_DEEP = "compose.too-deep"
    """Nested deeper than any Compose file needs."""
    UNKNOWN_ANCHOR = "compose.unknown-anchor"
    """An alias without an anchor above it, or inside the value that it names."""
    DUPLICATE_KEY = "compose.duplicate-key"
    """A mapping has the same key twice."""
    BAD_KEY = "compose.bad-key"
    """A key that is no simple text."""
    BAD_TAG = "compose.bad-tag"
    """A YAML tag: values here are read as the key needs them."""
    BAD_MERGE = "compose.bad-merge"
    """A merge key `<<` whose value is no mapping, and no list of mappings."""
    BAD_VARIABLE = "compose.bad-variable"
    """A `${…}` that is not one of the forms of Compose."""
    MISSING_VARIABLE = "compose.missing-variable"
    """A variable that the file demands is not set."""
    UNKNOWN_KEY = "compose.unknown-key"
    """A key that Compose does not know in this place."""
    UNSUPPORTED_KEY = "compose.unsupported-key"
    """A key of Compose that has no meaning here; the reason is told."""
    MISSING_KEY = "compose.missing-key"
    """A key that must be there is not."""
    WRONG_TYPE = "compose.wrong-type"
    """A list where a text is due, or the like."""
    BAD_NUMBER = "compose.bad-number"
    """Not a number of the kind and range that is due."""
    BAD_DURATION = "compose.bad-duration"
    """Not a duration like `1m30s`, in whole milliseconds."""
    BAD_SIZE = "compose.bad-size"
    """Not a number of bytes like `512m`."""
    BAD_CHOICE = "compose.bad-choice"
    """Not one of the words that are possible here."""
    BAD_FORM = "compose.bad-form"
    """A text that is not of the form that is due."""
    UNSUPPORTED_VALUE = "compose.unsupported-value"
    """A value that Compose knows and that cannot be kept here; the reason is told."""
    CONTRADICTION = "compose.contradiction"
    """Two parts of the file that cannot both hold."""
    UNKNOWN_NAME = "compose.unknown-name"
    """A service, volume, network or secret that the file does not declare."""
    CYCLE = "compose.cycle"
    """Services that wait for each other in a circle."""
    NEVER_REACHED = "compose.never-reached"
    """A condition of `depends_on` that the other service can never reach."""
    NO_COMMAND = "compose.no-command"
    """Nothing says what to run: the node's own /usr has no command of its own."""
    UNKNOWN_IMAGE = "compose.unknown-image"
    """No image of this reference is known, so there is no digest to pin."""
    MISSING_FILE = "compose.missing-file"
    """A file that the Compose file names is not there."""
    BAD_ENV_FILE = "compose.bad-env-file"
    """A line of an env file that is not `NAME=value`."""


class ComposeAdvice(StrEnum):
    """What can be run, and would be better otherwise."""

    NO_MEMORY_LIMIT = "advice.no-memory-limit"
    """No memory limit: the default is taken."""
    NO_CPU_LIMIT = "advice.no-cpu-limit"
    """No limit of processors: the default is taken."""
    NO_DIGEST = "advice.no-digest"
    """A tag without a digest: what it names can change between two applies."""
    LATEST = "advice.latest"
    """The tag `latest`, or none: nobody can tell from the file what runs."""
    NO_HEALTH_CHECK = "advice.no-health-check"
    """A service that others wait for, or that has several replicas, and no health check."""
    UNSET_VARIABLE = "advice.unset-variable"
    """A variable that is not set and has no default: empty text is taken."""
    OBSOLETE_KEY = "advice.obsolete-key"
    """A key that means nothing any more."""
    RESERVED_AS_LIMITED = "advice.reserved-as-limited"
    """Less is reserved than limited: the limit is what counts, nodes are never promised twice."""
    NOT_PUBLISHED = "advice.not-published"
    """A port without a published one: reached by the mesh, not at a port of the node."""
    CROWDED_PORT = "advice.crowded-port"
    """Replicas or services that publish one port cannot share a node."""
    UNUSED = "advice.unused"
    """A volume, network or secret that no service uses."""
    SECRET_IN_ENVIRONMENT = "advice.secret-in-environment"  # noqa: S105 - a code, no password
    """A variable that looks like a password: environments can be read by whoever may see the specification."""
    NOT_CONVERTED = "advice.not-converted"
    """Something that Kubernetes has no word for."""


class Finding(msgspec.Struct, frozen=True):
    """COMPOSE-2. One thing in a file: code, place (counted from 1), path in the document, what was found, what is
    allowed, and the smallest change. `file` is empty for the Compose file itself."""

    code: StrEnum
    line: int
    column: int
    path: str
    found: str
    allowed: str
    fix: str
    file: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the file cannot be run because of it."""
        return not isinstance(self.code, ComposeAdvice)

    @property
    def sentence(self) -> str:
        """The finding on one line, as people read it."""
        where = f"{self.file}:" if self.file else ""
        path = f" {self.path}:" if self.path else ""
        parts = [f"{where}{self.line}:{self.column}:{path} {self.found}"]
        if self.allowed:
            parts.append(f"; allowed: {self.allowed}")
        if self.fix:
            parts.append(f"; fix: {self.fix}")
        return "".join(parts)


class Notes:
    """COMPOSE-2. Everything found in one file, up to a bound; readers go on after a finding."""

    def __init__(self) -> None:
        self._findings: Final[list[Finding]] = []
        self._seen: Final[set[Finding]] = set()
        self.errors = 0

    def add(self, finding: Finding) -> None:
        """Keep it, once; errors are kept before advice when there are too many."""
        if finding in self._seen:
            return
        if finding.is_error:
            self.errors += 1
        if len(self._findings) < FINDINGS_MAX:
            self._seen.add(finding)
            self._findings.append(finding)
        elif finding.is_error and self.errors <= FINDINGS_MAX:
            gone = next(at for at in range(len(self._findings) - 1, -1, -1) if not self._findings[at].is_error)
            self._findings[gone] = finding
            self._seen.add(finding)

    @property
    def is_full(self) -> bool:
        """Whether nothing more would be kept: readers may stop looking."""
        return self.errors >= FINDINGS_MAX

    def told(self) -> tuple[Finding, ...]:
        """What was found, in the order of the text."""
        return tuple(sorted(self._findings, key=lambda one: (one.file, one.line, one.column, one.code, one.path)))


def quoted(text: str) -> str:
    """What was found, short enough for a line."""
    cut = text if len(text) <= FOUND_CHARACTERS_MAX else text[: FOUND_CHARACTERS_MAX - 1] + "…"
    return repr(cut)
