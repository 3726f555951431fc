"""COMPOSE-18. What `x-metanode` says of a deterministic job: files by digest that it is given, files that it leaves."""

import re
from typing import Final

from metanode.docklock.compose.fields import distinct, texts
from metanode.docklock.compose.findings import ComposeRefusal, Notes, quoted
from metanode.docklock.compose.nodes import Spot
from metanode.docklock.compose.scalars import truth
from metanode.primitives.refusal import Rejected
from metanode.records.determinism import ARCHITECTURE, ENGINE, FILES_MAX, InputFile, check_file_name

_INPUT: Final = re.compile(r"([^=]+)=sha256:([0-9a-f]{64})", re.ASCII)


def is_repeated(keys: dict[str, Spot], notes: Notes, engines: tuple[str, ...], architecture: str) -> bool:
    """COMPOSE-18. Whether the job is deterministic, which the sandbox of one machine alone can hold it to."""
    if "deterministic" not in keys or not truth(keys["deterministic"], notes):
        return False
    for said, only in ((engines, (ENGINE,)), ((architecture,) if architecture else (), (ARCHITECTURE,))):
        if said not in ((), only):
            allowed = f"{only[0]}: only its cage makes a run repeatable"
            keys["deterministic"].say(notes, ComposeRefusal.CONTRADICTION, f"with {', '.join(said)}", allowed, "")
    return True


def _good(at: Spot, notes: Notes, name: str) -> bool:
    try:
        check_file_name(name)
    except Rejected as rejected:
        at.say(notes, rejected.reason, rejected.detail)
        return False
    return True


def inputs_of(keys: dict[str, Spot], notes: Notes) -> tuple[InputFile, ...]:
    """COMPOSE-18. `NAME=sha256:DIGEST` each."""
    found: dict[str, InputFile] = {}
    for text, at in texts(keys["inputs"], notes, FILES_MAX) if "inputs" in keys else ():
        match = _INPUT.fullmatch(text)
        if match is None:
            at.say(
                notes, ComposeRefusal.BAD_FORM, quoted(text), "NAME=sha256:DIGEST", "sha256sum FILE tells the digest"
            )
        elif match.group(1) in found:
            at.say(
                notes, ComposeRefusal.CONTRADICTION, f"{quoted(match.group(1))} a second time", "once", "take one out"
            )
        elif _good(at, notes, match.group(1)):
            found[match.group(1)] = InputFile(name=match.group(1), digest=bytes.fromhex(match.group(2)))
    return tuple(found[name] for name in sorted(found))


def outputs_of(keys: dict[str, Spot], notes: Notes) -> tuple[str, ...]:
    """COMPOSE-18. Names of files in the job's /tmp."""
    found = texts(keys["outputs"], notes, FILES_MAX) if "outputs" in keys else []
    return distinct([(name, at) for name, at in found if _good(at, notes, name)], notes)
